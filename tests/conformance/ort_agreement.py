"""Compares the imported graphs with ONNX Runtime on every model of ../shared/bench.

usage: ort_agreement.py EVALUATE_MODEL [--runs N] [--tolerance T]

Inputs are random in [0, 1]. A model agrees when no output differs by more than the tolerance times the largest
|output|.

Outputs that cancel (a difference of two networks) carry float32 noise that is large beside them, in ONNX Runtime as
well, so that neither can be measured with the other. A model that does not agree is therefore computed by a third
program, ONNX's reference evaluator, in float64. It passes as "cancels" when our float64 outputs equal those to 1e-9,
which shows that the import is right, and our float32 outputs are nearer to them than ONNX Runtime's.

Exit: 0 all agree, 1 some do not, 77 (skipped) when onnxruntime or the models are missing.
"""

import argparse
import gzip
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
IMPORT_TOLERANCE = 1e-9


def find_models():
    source = pathlib.Path(__file__).resolve().parents[2]
    shared = pathlib.Path(os.environ.get("ESPALIER_SHARED_DIR", source.parent / "shared"))
    return sorted(path for path in shared.glob("bench/**/*.onnx*") if path.suffix in (".onnx", ".gz"))


def static_shape(shape):
    return [size if isinstance(size, int) and size > 0 else 1 for size in shape]


def evaluate(tool, folder, numpy, *options):
    """(outputs, None), or (None, why) when the model is refused; raises when the tool fails."""
    command = [tool, folder / "model.onnx", folder / "input", folder / "output", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2:
        return None, done.stderr.strip().splitlines()[0]
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return numpy.fromfile(folder / "output"), None


def evaluate_float64(data, feed, numpy):
    """The model's outputs with every float32 in it read as float64, by the onnx package's reference evaluator."""
    import onnx
    import onnx.reference

    single, double = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE

    def widen(tensor):
        if tensor.data_type == single:
            tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(float), tensor.name))

    model = onnx.load_from_string(data)
    del model.graph.value_info[:]
    for tensor in model.graph.initializer:
        widen(tensor)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == single:
                attribute.i = double
    for value in [*model.graph.input, *model.graph.output]:
        if value.type.tensor_type.elem_type == single:
            value.type.tensor_type.elem_type = double
    outputs = onnx.reference.ReferenceEvaluator(model).run(None, {name: x.astype(float) for name, x in feed.items()})
    return numpy.concatenate([numpy.ravel(output) for output in outputs])


def compare(session, data, tool, rng, folder, tolerance, numpy):
    """(verdict, relative difference, remark)."""
    kinds = {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64}
    feed = {value.name: rng.random(static_shape(value.shape)).astype(kinds[value.type]) for value in session.get_inputs()}
    expected = numpy.concatenate([out.ravel().astype(numpy.float64) for out in session.run(None, feed)])
    numpy.concatenate([array.ravel().astype(numpy.float64) for array in feed.values()]).tofile(folder / "input")
    start = time.monotonic()
    actual, refusal = evaluate(tool, folder, numpy)
    seconds = time.monotonic() - start
    if refusal:
        return "refused", 0.0, refusal
    if actual.shape != expected.shape:
        return "DISAGREES", float("inf"), f"{actual.size} outputs instead of {expected.size}"
    scale = max(float(numpy.abs(expected).max()), 1e-30)
    difference = float(numpy.abs(actual - expected).max()) / scale
    if difference <= tolerance:
        return "agrees", difference, f"{seconds:.3f} s"
    exact = evaluate_float64(data, feed, numpy)
    double, _ = evaluate(tool, folder, numpy, "--float64")
    imported, own, theirs = (float(numpy.abs(value - exact).max()) / scale for value in (double, actual, expected))
    remark = f"from float64: {own:.1e}, ONNX Runtime {theirs:.1e}, ours in float64 {imported:.1e}"
    return ("cancels" if imported <= IMPORT_TOLERANCE and own <= theirs else "DISAGREES"), difference, remark


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()
    try:
        import numpy
        import onnxruntime
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIPPED
    models = find_models()
    if not models:
        print("skipped: no models in the shared folder")
        return SKIPPED

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    rng = numpy.random.default_rng(7)
    worst = 0.0
    count = {"agrees": 0, "cancels": 0, "refused": 0, "DISAGREES": 0}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for model in models:
            data = model.read_bytes()
            data = gzip.decompress(data) if model.suffix == ".gz" else data
            (folder / "model.onnx").write_bytes(data)
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            for _ in range(arguments.runs):
                verdict, difference, remark = compare(
                    session, data, arguments.tool, rng, folder, arguments.tolerance, numpy
                )
                count[verdict] += 1
                if verdict == "agrees":
                    worst = max(worst, difference)
                print(f"{verdict:9} {difference:.2e} {model.parent.name}/{model.name} {remark}")
    print(
        f"{len(models)} models, {arguments.runs} runs each: {count['agrees']} agree (worst {worst:.2e}),"
        f" {count['cancels']} nearer to float64 where outputs cancel, {count['refused']} refused,"
        f" {count['DISAGREES']} disagree"
    )
    return 1 if count["DISAGREES"] else 0


if __name__ == "__main__":
    sys.exit(main())
