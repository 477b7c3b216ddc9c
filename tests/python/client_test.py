"""The Python package against real servers. Run by run.py."""

import dataclasses
import gzip
import inspect
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import espalier

ROOT = pathlib.Path(os.environ["ESPALIER_ROOT"])
MODELS = ROOT / "models"
UNSAT = MODELS / "properties/tiny_max_unsat.vnnlib"
SAT = MODELS / "properties/tiny_max_sat.vnnlib"
TINY = MODELS / "tiny_max.onnx"


def endless():
    """A bound that is nearly tight over the whole input cube of digits.onnx."""
    text = "".join(f"(declare-const X_{i} Real)\n" for i in range(64))
    text += "".join(f"(declare-const Y_{i} Real)\n" for i in range(10))
    text += "".join(f"(assert (>= X_{i} 0.0))\n(assert (<= X_{i} 1.0))\n" for i in range(64))
    return (text + "(assert (<= Y_0 -24.0))\n").encode()


def running(pid):
    try:  # it may go at any moment: before the file is opened, or while it is read
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = espalier.connect()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()

    def test_paths_bytes_streams_and_gzip(self):
        self.assertEqual(self.client.verify(str(TINY), UNSAT).result().answer, "unsat")
        packed = gzip.compress(TINY.read_bytes())
        result = self.client.verify(io.BytesIO(packed), SAT.read_bytes(), timeout=60).result()
        self.assertEqual(result.answer, "sat")
        self.assertFalse(result.verified)
        self.assertEqual(len(result.witness.inputs), 2)
        self.assertEqual(len(result.witness.outputs), 1)
        self.assertTrue(result.record["version"])

    def test_events_come_before_the_result(self):
        progress, seconds = [], 2
        while len(progress) < 2 and seconds < 200:  # a busy machine needs longer
            verification = self.client.verify(MODELS / "digits.onnx", endless(), timeout=seconds, attack=0)
            events = list(verification)
            self.assertIsInstance(events[0], espalier.Accepted)
            progress = [event for event in events if isinstance(event, espalier.Progress)]
            seconds *= 3
        self.assertGreater(len(progress), 1)
        self.assertGreater(progress[-1].splits, 0)
        result = verification.result()
        self.assertEqual(result.answer, "timeout")
        self.assertIsNone(result.witness)
        self.assertGreater(result.statistics["domains"], 0)

    def test_cancel(self):
        verification = self.client.verify(MODELS / "digits.onnx", endless(), timeout=3000, attack=0)
        next(iter(verification))
        verification.cancel()
        with self.assertRaises(espalier.EspalierError):
            verification.result()

    def test_large_files_are_uploaded(self):
        query = b"\n" * (6 << 20) + UNSAT.read_bytes()
        for _ in range(2):  # the second time the server knows it
            self.assertEqual(self.client.verify(TINY, query).result().answer, "unsat")

    def test_errors_say_what_and_where(self):
        with self.assertRaises(espalier.InvalidInput) as raised:
            self.client.verify(TINY, b"(assert\n(<= X_0 1))").result()
        self.assertEqual(raised.exception.detail.reason, "INVALID_QUERY")
        self.assertGreater(raised.exception.detail.line, 0)
        with self.assertRaises(espalier.InvalidInput):
            self.client.verify(b"no model", UNSAT).result()
        with self.assertRaises(TypeError):
            self.client.verify(TINY, UNSAT, speed=9)
        with self.assertRaises(FileNotFoundError):
            self.client.verify("no such file", UNSAT)

    def test_describe_and_capabilities(self):
        self.assertEqual(self.client.describe(MODELS / "digits.onnx").parameters, 8170)
        self.assertIn("Conv", self.client.capabilities().operators)


    def test_a_result_shows_itself_in_a_notebook(self):
        page = self.client.verify(TINY, SAT).result()._repr_html_()
        self.assertIn("sat</b>", page)
        self.assertIn("witness X", page)
        result = self.client.verify(TINY, UNSAT).result()
        spiteful = dataclasses.replace(result, answer="unknown", reason="<script>x</script>")
        self.assertIn("&lt;script&gt;", spiteful._repr_html_())
        self.assertNotIn("<script>", spiteful._repr_html_())


class Models(unittest.TestCase):
    def test_uploaded_used_listed_and_deleted(self):
        with espalier.connect() as client:
            kept = client.upload(TINY)
            self.assertEqual(client.upload(io.BytesIO(TINY.read_bytes())), kept)
            self.assertEqual(client.verify(kept, UNSAT).result().record["model_sha256"], kept.sha256)
            self.assertEqual(client.describe(kept).sha256, kept.sha256)
            client.upload(MODELS / "digits.onnx")
            self.assertEqual(sorted(m.sha256 for m in client.models()), [m.sha256 for m in client.models()])
            (listed,) = [m for m in client.models() if m.sha256 == kept.sha256]
            self.assertEqual((listed.size, listed.in_use, listed.description), (kept.size, False, None))
            self.assertLess(abs(listed.added.timestamp() - time.time()), 3600)
            self.assertEqual(client.model(kept.sha256).description.inputs[0].shape, [1, 2])
            client.delete_model(kept)
            self.assertEqual(len(list(client.models())), 1)
            for call in (client.model, client.delete_model):
                with self.assertRaises(espalier.InvalidInput) as raised:
                    call(kept)
                self.assertEqual(raised.exception.detail.reason, "UNKNOWN_BLOB")
            broken = client.model(client.upload(b"no model"))
            self.assertIsNone(broken.description)
            self.assertIsInstance(broken.error, espalier.InvalidInput)

    def test_more_than_a_page(self):
        with espalier.connect() as client:
            digests = sorted(client.upload(f"model {i}".encode()).sha256 for i in range(101))
            self.assertEqual([m.sha256 for m in client.models()], digests)


@unittest.skipUnless(os.environ.get("TORCH_FOLDER"), "no PyTorch of this Python version")
class Torch(unittest.TestCase):
    def test_an_exported_network_is_verified_from_memory(self):
        sys.path.append(os.environ["TORCH_FOLDER"])  # last, so that it brings nothing else along
        self.addCleanup(sys.path.remove, os.environ["TORCH_FOLDER"])
        import torch

        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 3))
        options = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
        model = io.BytesIO()
        torch.onnx.export(net, torch.zeros(1, 1, 6, 6), model, **options)
        # The outputs over the box are known from points in it to be somewhere about these values.
        points = torch.rand(1000, 1, 6, 6) * 0.1
        with torch.no_grad():
            most = net(points)[:, 0].max().item()
        box = "".join(f"(declare-const X_{i} Real)\n(assert (>= X_{i} 0.0))\n(assert (<= X_{i} 0.1))\n" for i in range(36))
        box += "".join(f"(declare-const Y_{i} Real)\n" for i in range(3))
        with espalier.connect() as client:
            reached = client.verify(model, f"{box}(assert (>= Y_0 {most - 1e-3:.9f}))".encode(), timeout=100).result()
            self.assertEqual(reached.answer, "sat")
            with torch.no_grad():
                replayed = net(torch.tensor(reached.witness.inputs).reshape(1, 1, 6, 6))[0]
            for own, theirs in zip(replayed.tolist(), reached.witness.outputs):
                self.assertAlmostEqual(own, theirs, places=5)
            refuted = client.verify(model, f"{box}(assert (>= Y_0 {most + 1.0:.9f}))".encode(), timeout=100).result()
            self.assertEqual(refuted.answer, "unsat")


class Servers(unittest.TestCase):
    def test_a_named_server(self):
        with tempfile.TemporaryDirectory() as folder:
            address = f"unix:{folder}/socket"
            server = subprocess.Popen(
                [os.environ["ESPALIER_SERVER_BINARY"], "--listen", address, "--log-level", "off"], stdout=subprocess.PIPE
            )
            server.stdout.readline()
            try:
                with espalier.connect(address) as client:
                    self.assertEqual(client.verify(TINY, UNSAT).result().answer, "unsat")
            finally:
                server.kill()
                server.wait()
                server.stdout.close()

    def test_nobody_there(self):
        with espalier.connect("unix:/nobody/is/here") as client:
            with self.assertRaises(espalier.ServerUnavailable):
                client.verify(TINY, UNSAT).result()
        with self.assertRaises(espalier.ServerUnavailable):
            espalier.connect(server_program="/bin/true")

    def test_a_killed_process_leaves_no_server(self):
        code = "import espalier, time; c = espalier.connect(); print(c._server._keeper.pid, flush=True); time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE)
        keeper = int(process.stdout.readline())
        children = pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        self.assertEqual(len(children), 1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for _ in range(4000):
            if not running(int(children[0])):
                return
            time.sleep(0.05)
        self.fail("the server is still there")


class Credentials(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.token = "0123456789abcdef-alice"
        (self.folder / "tokens").write_text(f"alice verify {self.token}\n")
        (self.folder / "own").write_text(self.token + "\n")

    def start(self, *flags):
        server = subprocess.Popen([os.environ["ESPALIER_SERVER_BINARY"], "--listen", "127.0.0.1:0", "--log-level", "error",
                                   "--token-file", str(self.folder / "tokens"), *flags], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return server.stdout.readline().split()[-1]

    def test_token(self):
        address = self.start()
        for credentials in (None, espalier.Credentials(token="0123456789abcdef-wrong")):
            with espalier.connect(address, credentials=credentials) as client:
                with self.assertRaises(espalier.NotAllowed) as refused:
                    client.verify(TINY, UNSAT).result()
                self.assertEqual(refused.exception.detail.reason, "UNAUTHENTICATED")
        for credentials in (espalier.Credentials(token=self.token),
                            espalier.Credentials(token_file=self.folder / "own")):
            self.assertNotIn(self.token, repr(credentials))
            with espalier.connect(address, credentials=credentials) as client:
                self.assertEqual(client.verify(TINY, UNSAT).result().answer, "unsat")
                self.assertGreater(len(client.capabilities().operators), 10)

    def test_tls(self):
        key, certificate = str(self.folder / "key"), str(self.folder / "pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-keyout", key, "-out", certificate, "-subj", "/CN=server", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        address = self.start("--tls-cert", certificate, "--tls-key", key)
        with espalier.connect(address, credentials=espalier.Credentials(tls_ca=certificate, token=self.token)) as client:
            self.assertEqual(client.verify(TINY, SAT).result().answer, "sat")
        with espalier.connect(address, credentials=espalier.Credentials(token=self.token)) as client:
            with self.assertRaises(espalier.ServerUnavailable):
                client.verify(TINY, SAT).result()

    def test_a_token_is_not_sent_in_the_clear(self):
        with self.assertRaises(ValueError):
            espalier.connect("198.51.100.1:1", credentials=espalier.Credentials(token=self.token))


if __name__ == "__main__":
    unittest.main()
