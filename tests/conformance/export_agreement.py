"""Compares exported models with ONNX Runtime and with ONNX's checker.

usage: export_agreement.py EXPORT_MODEL EVALUATE_MODEL [--tolerance T] [--all] [MODEL ...]

Every model (default: the project's own and, where the shared folder is there, one or two of each benchmark; --all: all of
them) is written by EXPORT_MODEL, which also checks that loading the file gives the same network. The file must pass
onnx.checker, declare float32 with the original's shapes, and give under ONNX Runtime what EVALUATE_MODEL gives for it
and what ONNX Runtime gives for the original; where the batch is symbolic, a batch of three as well. Models that cannot be
lowered are counted as refused.
Exit: 0 all agree, 1 some do not, 77 (skipped) when onnx or onnxruntime is missing.
"""

import argparse
import gzip
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
PER_FOLDER = 2
GRAFTS = ("graft_cnn_b", "graft_digits")


def find_models(everything):
    source = pathlib.Path(__file__).resolve().parents[2]
    models = sorted((source / "models").glob("*.onnx"))
    shared = pathlib.Path(os.environ.get("ESPALIER_SHARED_DIR", source.parent / "shared"))
    for folder in sorted(path for path in (shared / "bench").glob("*") if path.is_dir()):
        found = sorted(path for path in folder.glob("**/*.onnx*") if path.suffix in (".onnx", ".gz"))
        models += found if everything or folder.name in GRAFTS else found[:PER_FOLDER]
    return models


def static_shape(shape, batch=1):
    return [batch if i == 0 and not isinstance(size, int) else size if isinstance(size, int) and size > 0 else 1
            for i, size in enumerate(shape)]


class Comparison:
    def __init__(self, arguments, numpy, onnx, onnxruntime, folder):
        self.arguments, self.numpy, self.onnx, self.folder = arguments, numpy, onnx, folder
        self.rng = numpy.random.default_rng(11)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        self.open = lambda data: onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def evaluate(self, model, x):
        x.ravel().astype(self.numpy.float64).tofile(self.folder / "x")
        subprocess.run([self.arguments.evaluate, model, self.folder / "x", self.folder / "y"], check=True)
        return self.numpy.fromfile(self.folder / "y")

    def difference(self, actual, expected):
        scale = max(1.0, float(self.numpy.abs(expected).max()))
        return float(self.numpy.abs(actual.ravel() - expected.ravel()).max()) / scale

    def run(self, session, x):
        return session.run(None, {session.get_inputs()[0].name: x})[0].astype(self.numpy.float64)

    def compare(self, data):
        """(verdict, largest difference, remark)."""
        original, written = self.folder / "original.onnx", self.folder / "written.onnx"
        original.write_bytes(data)
        done = subprocess.run([self.arguments.export, original, written], capture_output=True, text=True)
        if done.returncode == 2:
            return "refused", 0.0, done.stderr.strip().splitlines()[0][:90]
        if done.returncode != 0:
            return "DISAGREES", 0.0, (done.stdout + done.stderr).strip()[:200]
        model = self.onnx.load(written)
        self.onnx.checker.check_model(model, full_check=True)
        before, after = self.open(data), self.open(written.read_bytes())
        kind = self.numpy.float64 if before.get_inputs()[0].type == "tensor(double)" else self.numpy.float32
        x = self.rng.random(static_shape(after.get_inputs()[0].shape)).astype(self.numpy.float32)
        y = self.run(after, x)
        if static_shape(before.get_inputs()[0].shape) != list(x.shape):
            return "DISAGREES", 0.0, f"input shape {x.shape}"
        worst = max(self.difference(self.evaluate(written, x), y),
                    self.difference(self.run(before, x.astype(kind)), y))
        if not isinstance(after.get_inputs()[0].shape[0], int):
            several = self.rng.random(static_shape(after.get_inputs()[0].shape, 3)).astype(self.numpy.float32)
            together = self.run(after, several)
            for i in range(3):
                worst = max(worst, self.difference(self.run(after, several[i : i + 1]), together[i : i + 1]))
        return ("agrees" if worst <= self.arguments.tolerance else "DISAGREES"), worst, done.stdout.strip()[:90]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("evaluate")
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    try:
        import numpy
        import onnx
        import onnxruntime
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIPPED
    count = {"agrees": 0, "refused": 0, "DISAGREES": 0}
    spellings = {}
    with tempfile.TemporaryDirectory() as temporary:
        comparison = Comparison(arguments, numpy, onnx, onnxruntime, pathlib.Path(temporary))
        for path in arguments.models or find_models(arguments.all):
            data = path.read_bytes()
            verdict, worst, remark = comparison.compare(gzip.decompress(data) if path.suffix == ".gz" else data)
            if path.parent.name in GRAFTS and "graft50" in path.name:
                written = (comparison.folder / "written.onnx").read_bytes()
                if spellings.setdefault(path.parent.name, written) != written:
                    verdict, remark = "DISAGREES", "the two spellings of the graft are written differently"
            count[verdict] += 1
            print(f"{verdict:9} {worst:.2e} {path.parent.name}/{path.name} {remark}", flush=True)
    print(", ".join(f"{number} {verdict}" for verdict, number in count.items()))
    return 1 if count["DISAGREES"] else 0


if __name__ == "__main__":
    sys.exit(main())
