"""A card that fails for good in the middle of a job: a real server whose card is simulated (tests/cuda_on_host).

The simulated card is lost to every process that launches something while a file is there. Once it is gone, the next
process finds a card that works, as after a real card's sticky error.
"""

import json
import pathlib
import subprocess
import time

import harness
from harness import Case, Server, endless_query, espalier, model, query
from operation_test import get, metric


def children(pid):
    """Those of all its threads."""
    return {child for task in pathlib.Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()}


class LostCard(Case):
    def setUp(self):
        super().setUp()
        self.broken = self.folder / "broken"
        self.server = self.enterContext(Server(
            "--listen", "unix:" + self.path("socket"), "--http-address", "127.0.0.1:0", "--data-dir", self.path("data"),
            environment={"ESPALIER_CUDA_ON_HOST": f"lost-while={self.broken}"}))
        self.common = ["--server", self.server.address]

    def verify(self, device):
        return espalier("verify", query("digits_by_splits.vnnlib"), "--network", model("digits.onnx"), "--device", device,
                        "--quiet", *self.common)

    def wait_until_running(self):
        end = time.monotonic() + 20
        while metric(get(self.server, "/metrics")[1], "espalier_queue_running") == 0:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        time.sleep(1)  # in the middle of it

    def wait_until_ready(self):
        end = time.monotonic() + 60
        while get(self.server, "/readyz")[0] != 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def assert_broken(self):
        self.assertEqual(get(self.server, "/readyz"), (503, "device failed: cuda:0\n"))
        self.assertEqual(metric(get(self.server, "/metrics")[1], "espalier_ready"), 0)
        self.assertEqual(get(self.server, "/healthz")[0], 200)
        self.assertNotEqual(espalier("health", *self.common).returncode, 0)

    def test_it_fails_the_job_and_is_examined_until_it_works(self):
        self.assertEqual(get(self.server, "/readyz"), (200, "ready\n"))
        self.assert_answers(self.verify("cuda"))
        job = espalier("submit", endless_query(self.folder), "--network", model("digits.onnx"), "--no-attack", "--device",
                       "cuda:0", *self.common).stdout.strip()
        self.wait_until_running()
        before = children(self.server.process.pid)
        self.broken.touch()

        watched = espalier("watch", job, "--quiet", *self.common)
        self.assert_ends(watched, 1, "unspecified launch failure")
        shown = json.loads(espalier("jobs", job, "--json", *self.common).stdout)
        self.assertEqual(shown["state"], "JOB_STATE_FAILED")
        self.assertIn("cuda: ", shown["error"]["message"])
        self.assertEqual(shown["error"]["details"][0]["reason"], "DEVICE_LOST")
        self.assertTrue(self.server.wait_for_log("event=device-lost"))
        lost = next(line for line in self.server.log().splitlines() if "event=device-lost" in line)
        worker = next(word[4:] for word in lost.split() if word.startswith("pid="))
        self.assertIn(worker, before)
        self.assertNotIn(worker, children(self.server.process.pid), "it can use the card no more")
        self.assert_broken()

        # The processor goes on, and says nothing about the card.
        self.assert_answers(self.verify("cpu"))
        self.assert_broken()
        # Nor does looking at it again, before it has recovered. Then that is enough: nobody has to try it.
        self.assertTrue(self.server.wait_for_log("event=device-examined"))
        self.assert_broken()
        self.broken.unlink()
        self.wait_until_ready()
        self.assertIn("device=cuda:0 result=works", self.server.log())
        self.assert_answers(self.verify("cuda:0"))
        self.assertEqual(get(self.server, "/readyz"), (200, "ready\n"))
        self.assertEqual(espalier("health", *self.common).returncode, 0)

    def test_a_call_is_told_the_reason(self):
        call = subprocess.Popen(
            [harness.ESPALIER, "verify", endless_query(self.folder), "--network", model("digits.onnx"), "--no-attack", "--device",
             "cuda", "--quiet", *self.common], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_until_running()
        self.broken.touch()
        out, error = call.communicate(timeout=30)
        self.assertEqual((call.returncode, out), (1, ""))
        self.assertIn("unspecified launch failure", error)
        self.assertTrue(self.server.wait_for_log("event=device-lost"))
        # Twice: a card that really is gone stays broken.
        self.assert_ends(self.verify("cuda"), 1, "unspecified launch failure")
        self.assert_broken()
        self.broken.unlink()
        self.assert_answers(self.verify("cuda"))  # which says as much as an examination
        self.assertEqual(get(self.server, "/readyz"), (200, "ready\n"))


if __name__ == "__main__":
    harness.main()
