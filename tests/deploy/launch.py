"""What the checks of deploy/ and docker/ share: starting a server the way a file says, and the text of the files."""

import os
import pathlib
import signal
import subprocess
import sys
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77
PORT = "50551"


class Failed(Exception):
    pass


def expect(condition, words):
    if not condition:
        raise Failed(words)


def call(arguments, **settings):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=600, **settings)


def make_secrets(folder):
    """What the Secrets of components/tls hold, in files of `folder`; the flags with which a client is let in."""
    for name in ("tls", "tokens"):
        os.mkdir(f"{folder}/{name}")
    made = call(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                 "-keyout", f"{folder}/tls/tls.key", "-out", f"{folder}/tls/tls.crt", "-subj", "/CN=espalier",
                 "-addext", "subjectAltName=IP:127.0.0.1"])
    expect(made.returncode == 0, made.stderr)
    for name, text in (("tokens/tokens", "tester verify 0123456789abcdef0123\n"), ("token", "0123456789abcdef0123\n")):
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
    return ("--tls-ca", f"{folder}/tls/tls.crt", "--token-file", f"{folder}/token")


def serve(programs, arguments, folder, client=()):
    """Starts espalierd with arguments of a file, in other places; it is healthy, lets `client` in and, where that is not
    empty, nobody else; its HTTP pages answer; it drains with 0."""
    places = {f"0.0.0.0:{PORT}": "127.0.0.1:0", "0.0.0.0:9090": "127.0.0.1:0", "/run/espalier": str(folder),
              "/var/lib/espalier": f"{folder}/data", "/etc/espalier": str(folder)}
    for old, new in places.items():
        arguments = [a.replace(old, new) for a in arguments]
    command = [str(programs / "espalierd"), *arguments, "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            expect(line.startswith("listening on "), f"{' '.join(command)}: {line}{server.poll()}")
            address = line.removeprefix("listening on ").strip()
            health = call([programs / "espalier", "health", "--server", address, *client])
            expect(health.stdout == "serving\n", f"{' '.join(command)}: {health.stdout}{health.stderr}")
            ask = [programs / "espalier", "describe", ROOT / "models/tiny_max.onnx", "--server", address]
            known = call([*ask, *client])
            expect(known.returncode == 0, f"{' '.join(command)}: {known.stderr}")
            if client:
                unknown = [call([*ask, *some]) for some in ((), client[:2])]
                expect(all(done.returncode for done in unknown), f"{' '.join(command)}: answers anybody")
            if any(a.startswith("--http-address") for a in arguments):
                http = server.stdout.readline().split()[-1]
                for page in ("healthz", "readyz", "metrics"):
                    with urllib.request.urlopen(f"http://{http}/{page}", timeout=100) as answer:
                        expect(answer.status == 200, f"{page}: {answer.status}")
            server.send_signal(signal.SIGTERM)
            expect(server.wait(300) == 0, f"{' '.join(command)} ended with {server.returncode}")
        finally:
            server.kill()


def batch(arguments, environment):
    """Runs a command that holds `espalier batch`; its exit status is 0."""
    done = call(arguments, env={**os.environ, **environment})
    expect(done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(checks, root, programs):
    """Runs every check, says what failed."""
    failed = 0
    for check in checks:
        try:
            check(pathlib.Path(root).resolve(), pathlib.Path(programs).resolve())
            print(f"{check.__name__}: ok")
        except Failed as problem:
            failed += 1
            print(f"{check.__name__}: {problem}")
    sys.exit(1 if failed else 0)
