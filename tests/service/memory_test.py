"""What training, grafting and comparing take, against what they were admitted for: real runs in real worker processes.

Prints limit and peak of each run; docs/operations.md has a table of them.
"""

import random
import re

import harness
from harness import Case, Server, espalier

MIB = 1 << 20
CONVOLUTIONS = "input 3x32x32; conv 16 k4 s2 p1; relu; conv 32 k4 s2 p1; relu; fc 100; relu; fc 10"
WIDE = "input 3x32x32; fc 1000; relu; fc 1000; relu; fc 10"


def npy(descr, shape, data):
    """A NumPy array file of version 1.0."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


class Training(Case):
    def setUp(self):
        super().setUp()
        self.flags = ["--listen", "unix:" + self.path("socket"), "--concurrency", "1"]

    def data(self, count):
        """So many random images of ten classes."""
        numbers = random.Random(7)
        images = npy("|u1", (count, 3, 32, 32), numbers.randbytes(count * 3072))
        labels = npy("|u1", (count,), bytes(numbers.randrange(10) for _ in range(count)))
        (self.folder / "x.npy").write_bytes(images)
        (self.folder / "y.npy").write_bytes(labels)
        return ["--data", self.path("x.npy"), "--labels", self.path("y.npy"), "--eps", "2/255", "--quiet", "--no-resume"]

    def run_on(self, server, *words):
        done = espalier(*words, "--server", server.address)
        self.assertEqual(done.returncode, 0, done.stderr)

    def assert_below_the_limit(self, server, method):
        """The call that ended last."""
        pattern = rf"rpc={method} .*memory_limit_bytes=(\d+) memory_peak_bytes=(\d+)"
        self.assertTrue(harness.eventually(lambda: re.search(pattern, server.log())), server.log())
        limit, peak = map(int, re.findall(pattern, server.log())[-1])
        print(f"  {method}: {peak / MIB:.0f} of {limit / MIB:.0f} MiB")
        self.assertGreater(peak, 16 * MIB)
        self.assertLess(peak, limit)

    def test_each_stays_below_what_it_was_admitted_for(self):
        data = self.data(1000)
        with Server(*self.flags, "--memory-total", str(600 * MIB)) as server:
            for name, spec, more in (("conv", CONVOLUTIONS, ("--batch", "256")), ("wide", WIDE, ("--option", "box_share=0.1"))):
                self.run_on(server, "train", spec, *data, "--epochs", "1", "-o", self.path(f"{name}.onnx"), *more)
                self.assert_below_the_limit(server, "Train")
            fast = ["--epochs", "1", "--score-samples", "50", "--measure-samples", "3"]
            self.run_on(server, "graft", self.path("conv.onnx"), *data, *fast, "-o", self.path("g.onnx"))
            self.assert_below_the_limit(server, "Graft")
            self.run_on(server, "compare", self.path("conv.onnx"), self.path("g.onnx"), *data[:-1], "--samples", "3")
            self.assert_below_the_limit(server, "Compare")

    def test_one_that_does_not_fit_says_so_before_it_trains(self):
        data = self.data(100)
        with Server(*self.flags, "--memory-total", str(250 * MIB)) as server:
            done = espalier("train", "cnn-17m", *data, "--epochs", "1", "-o", self.path("n.onnx"), "--server", server.address)
            self.assert_ends(done, 6, "bytes")
            self.assertTrue(server.wait_for_log("rpc=Train"))
            self.assertIn("code=RESOURCE_EXHAUSTED", server.log())
            self.assertLess(int(re.search(r"memory_peak_bytes=(\d+)", server.log())[1]), 400 * MIB)
            self.run_on(server, "train", CONVOLUTIONS, *data, "--epochs", "1", "-o", self.path("n.onnx"))

    def test_data_that_cannot_fit_start_nothing(self):
        data = self.data(10000)  # 29 MiB
        with Server(*self.flags, "--memory-total", str(160 * MIB)) as server:
            done = espalier("train", CONVOLUTIONS, *data, "-o", self.path("n.onnx"), "--server", server.address)
            self.assert_ends(done, 6, "bytes of memory")
            self.assertNotIn("memory_peak_bytes", server.log())


if __name__ == "__main__":
    harness.main()
