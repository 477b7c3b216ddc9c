"""A real espalierd and real espalier processes, for tests that need no compiled client.

A test script is run as: SCRIPT SOURCE-ROOT ESPALIERD ESPALIER [unittest arguments]
"""

import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = ESPALIERD = ESPALIER = None


def main():
    """Takes the three paths off the command line and runs the tests of the script."""
    global ROOT, ESPALIERD, ESPALIER
    ROOT, ESPALIERD, ESPALIER = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    os.environ["OMP_WAIT_POLICY"] = "passive"
    for name in list(os.environ):
        if name.startswith(("ESPALIER_TLS", "ESPALIER_TOKEN", "ESPALIER_SERVER", "ESPALIERD_", "TRACEPARENT")):
            del os.environ[name]
    unittest.main(module="__main__", argv=[sys.argv[0], "-v", *sys.argv[4:]])


def model(name):
    return str(ROOT / "models" / name)


def query(name):
    return str(ROOT / "models" / "properties" / name)


# Seconds until a test gives up on what it waits for. Tests wait for events, not for moments: a machine that is busy with
# other things may be slow by any factor.
PATIENCE = 200


def eventually(condition):
    """Asks again and again; False when the answer is still no after all patience."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


TINY = ("tiny_max_unsat.vnnlib", "tiny_max.onnx")  # decided in milliseconds


def endless_query(folder):
    """A query for digits.onnx that takes the search much longer than any test waits."""
    path = pathlib.Path(folder) / "endless.vnnlib"
    if path.exists():  # others may be reading it
        return str(path)
    lines = [f"(declare-const X_{i} Real)" for i in range(64)] + [f"(declare-const Y_{i} Real)" for i in range(10)]
    lines += [f"(assert (>= X_{i} 0.0))\n(assert (<= X_{i} 1.0))" for i in range(64)]
    path.write_text("\n".join(lines) + "\n(assert (<= Y_0 -24.0))\n")
    return str(path)


class Server:
    """espalierd with these flags, as soon as it listens; `address` is None when it ended instead."""

    def __init__(self, *flags, environment=None, log_level="info"):
        self.log_file = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [ESPALIERD, *([] if log_level is None else ["--log-level", log_level]), *flags],
            stdout=subprocess.PIPE, stderr=self.log_file, env={**os.environ, **(environment or {})}, text=True,
        )
        self.address = self.http = None
        line = self.process.stdout.readline()
        if line.startswith("listening on "):
            self.address = line.split()[-1]
            self.ready_after_s = time.monotonic() - self.started
        if any(flag.startswith("--http-address") for flag in flags) and self.address:
            self.http = self.process.stdout.readline().split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log_file.close()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(PATIENCE)

    def log(self):
        self.log_file.seek(0)
        return self.log_file.read().decode()

    def wait_for_log(self, text):
        """What is logged about a call may come after the caller has its answer."""
        return eventually(lambda: text in self.log())

    def memory(self, field):
        """Bytes of the server itself, as the kernel calls them."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))

    def rss(self):
        return self.memory("VmRSS")


def espalier(*arguments, environment=None, seconds=PATIENCE):
    return subprocess.run([ESPALIER, *arguments], capture_output=True, text=True, timeout=seconds,
                          env={**os.environ, **(environment or {})})


def verify(address, *flags, **more):
    """One tiny verification."""
    return espalier("verify", query(TINY[0]), "--network", model(TINY[1]), "--server", address, "--quiet", *flags, **more)


class Case(unittest.TestCase):
    """With a folder of its own, and what it can say about a program's end."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name, text=None):
        path = self.folder / name
        if text is not None:
            path.write_text(text)
        return str(path)

    def assert_answers(self, done, answer="unsat"):
        self.assertEqual((done.returncode, done.stdout.split("\n")[0]), (0, answer), done.stderr)

    def assert_ends(self, done, code, text):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(text, done.stderr)


class Authority:
    """A certificate authority and what it signs, made with the openssl program."""

    def __init__(self, folder, name="authority"):
        self.folder, self.name = pathlib.Path(folder), name
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                      "-keyout", self.file(name, "key"), "-out", self.file(name, "pem"), "-subj", f"/CN={name}")
        self.certificate = self.file(name, "pem")

    def file(self, name, kind):
        return str(self.folder / f"{self.name}-{name}.{kind}")

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def sign(self, common_name):
        """(certificate, key) of somebody who may also be reached at 127.0.0.1 and localhost."""
        key, request, certificate = (self.file(common_name, kind) for kind in ("key", "csr", "pem"))
        extensions = self.folder / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                      "-out", request, "-subj", f"/CN={common_name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.file(self.name, "key"),
                      "-CAcreateserial", "-days", "2", "-out", certificate, "-extfile", str(extensions))
        return certificate, key
