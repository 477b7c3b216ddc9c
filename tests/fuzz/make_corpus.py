#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets into tests/fuzz/corpus/.

    python tests/fuzz/make_corpus.py          # needs numpy and onnx

The seeds are small and cover the grammar: each operator family of the ONNX reader, each construct of VNN-LIB, each
element type and archive kind of NumPy. Running it again writes the same bytes for the same package versions.
"""
import io
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CORPUS = pathlib.Path(__file__).parent / "corpus"


def constants(random, **shapes):
    return [numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
            for name, shape in shapes.items()]


def model(nodes, inputs, outputs, initialisers, opset=13, double=False):
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "seed",
        [helper.make_tensor_value_info(n, kind, s) for n, s in inputs],
        [helper.make_tensor_value_info(n, kind, s) for n, s in outputs],
        initialisers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString(deterministic=True)


def onnx_seeds():
    random = np.random.default_rng(1)
    node = helper.make_node
    yield "dense", model(
        [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Relu", ["h"], ["r"]),
         node("MatMul", ["r", "v"], ["y"])],
        [("x", ["batch", 2])], [("y", ["batch", 2])], constants(random, w=(3, 2), b=(3,), v=(3, 2)))
    yield "conv", model(
        [node("Conv", ["x", "k", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
         node("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"]),
         node("LeakyRelu", ["n"], ["r"], alpha=0.1), node("Flatten", ["r"], ["f"]),
         node("Gemm", ["f", "w"], ["y"])],
        [("x", [1, 1, 4, 4])], [("y", [1, 2])],
        constants(random, k=(2, 1, 3, 3), b=(2,), s=(2,), o=(2,), m=(2,), w=(8, 2)) +
        [numpy_helper.from_array(np.ones(2, np.float32), "v")])
    yield "residual", model(
        [node("Gemm", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]), node("Add", ["r", "x"], ["a"]),
         node("Clip", ["a", "low", "high"], ["c"]), node("Concat", ["c", "r"], ["y"], axis=1)],
        [("x", [1, 2])], [("y", [1, 4])],
        constants(random, w=(2, 2)) + [numpy_helper.from_array(np.float32(-1), "low"),
                                       numpy_helper.from_array(np.float32(1), "high")])
    yield "move", model(
        [node("Reshape", ["x", "shape"], ["a"]), node("Transpose", ["a"], ["t"], perm=[0, 2, 1]),
         node("Slice", ["t", "start", "end", "axis"], ["s"]), node("Gather", ["s", "pick"], ["g"], axis=2),
         node("Pad", ["g", "pads"], ["p"]), node("ReduceSum", ["p", "axis"], ["q"], keepdims=0),
         node("Split", ["q"], ["y", "z"], axis=1)],
        [("x", [1, 6])], [("y", [1, 1]), ("z", [1, 1])],
        [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in
         [("shape", [1, 2, 3]), ("start", [1]), ("end", [3]), ("axis", [1]), ("pick", [1, 0]),
          ("pads", [0, 0, 0, 0, 0, 0])]])
    yield "pool", model(
        [node("MaxPool", ["x"], ["m"], kernel_shape=[2, 2], strides=[1, 1]),
         node("AveragePool", ["m"], ["a"], kernel_shape=[2, 2], pads=[1, 1, 0, 0]),
         node("ConvTranspose", ["a", "k"], ["c"], strides=[2, 2]), node("Abs", ["c"], ["b"]),
         node("GlobalAveragePool", ["b"], ["g"]), node("Squeeze", ["g", "axes"], ["y"])],
        [("x", [1, 1, 4, 4])], [("y", [1, 1])],
        constants(random, k=(1, 1, 2, 2)) + [numpy_helper.from_array(np.array([2, 3]), "axes")])
    yield "constant", model(
        [node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones((1, 2), np.float64))),
         node("Sub", ["x", "c"], ["s"]), node("Mul", ["s", "c"], ["m"]), node("Max", ["m", "c"], ["y"])],
        [("x", [1, 2])], [("y", [1, 2])], [], opset=12, double=True)


VNNLIB_HEAD = """; seed
(declare-const X_0 Real)
(declare-const X_1 Real)
(declare-const Y_0 Real)
(declare-const Y_1 Real)
"""
VNNLIB_BOX = """(assert (>= X_0 -0.5))
(assert (<= X_0 5e-1))
(assert (and (>= X_1 0) (<= X_1 1.)))
"""
VNNLIB = {
    "robustness": VNNLIB_BOX + "(assert (or (and (>= Y_1 Y_0)) (and (<= Y_0 0.25))))\n",
    "boxes": "(assert (or (and (>= X_0 0) (<= X_0 1) (= X_1 0.1) (<= Y_0 -1e-5))\n"
             " (and (>= X_0 1) (<= X_0 2) (>= X_1 0) (<= X_1 0.9999) (>= Y_0 1e5))))\n",
    "linear": VNNLIB_BOX + "(assert (<= (+ (* 2 Y_0) (- Y_1 3) (/ X_0 4)) (- X_1)))\n(assert (< (+ X_0 X_1) 1))\n",
    "product": VNNLIB_BOX + "(assert (or (<= Y_0 1) (<= Y_1 1)))\n(assert (or (>= Y_0 0) (>= Y_1 0) (> X_0 0)))\n",
    "empty": VNNLIB_BOX + "(assert (<= X_0 -1))\n(assert true)\n(check-sat)\n",
    "nested": VNNLIB_BOX + "(assert (or (and (or (and (or (<= Y_0 1) false) (<= X_0 0))) (<= Y_1 2)) (and) (or)))\n",
}


def numpy_seeds():
    arrays = {
        "f4": np.array([[1, 2.5, -3], [4, 5, 6]], "<f4"), "f8": np.array(0.1),
        "i4": np.array([-1, 2], "<i4"), "i8": np.array([[[2**40]]], "<i8"), "u1": np.array([0, 255], "u1"),
        "b1": np.array([True, False]), "fortran": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
        "empty": np.zeros((3, 0), "<f4"),
    }
    for name, array in arrays.items():
        out = io.BytesIO()
        np.save(out, array)
        yield name + ".npy", out.getvalue()
    for name, save in [("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)]:
        out = io.BytesIO()
        save(out, f4=arrays["f4"], fortran=arrays["fortran"], zeros=np.zeros(500))
        yield name, out.getvalue()


def dataset_seeds():
    def file(save, *arrays, **named):
        out = io.BytesIO()
        save(out, *arrays, **named)
        return out.getvalue()

    def idx(array):
        sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
        return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()

    mark = b"|LABELS|"
    pixels = np.arange(12, dtype="u1").reshape(2, 1, 2, 3)
    labels = np.array([1, 0], "<i8")
    yield "floats", file(np.save, pixels.astype("<f4") / 12) + mark + file(np.save, labels)
    yield "doubles", file(np.save, pixels.astype("<f8")) + mark + file(np.save, labels.astype("<u2"))
    yield "bytes", file(np.save, np.asfortranarray(pixels)) + mark + idx(labels.astype("u1"))
    yield "archive", file(np.savez, x=pixels, y=labels)
    yield "packed", file(np.savez_compressed, images=pixels.astype("<f4")) + mark + file(np.savez, labels=labels)
    yield "idx", idx(pixels.reshape(2, 2, 3)) + mark + idx(labels.astype("u1"))
    yield "cifar", bytes([7]) + bytes(range(256)) * 12


def main():
    for folder in ("onnx", "vnnlib", "npy", "dataset"):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
    for name, data in onnx_seeds():
        (CORPUS / "onnx" / (name + ".onnx")).write_bytes(data)
    for name, text in VNNLIB.items():
        (CORPUS / "vnnlib" / (name + ".vnnlib")).write_text(VNNLIB_HEAD + text)
    for name, data in numpy_seeds():
        (CORPUS / "npy" / name).write_bytes(data)
    for name, data in dataset_seeds():
        (CORPUS / "dataset" / name).write_bytes(data)
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    print(len(files), "seeds,", sum(path.stat().st_size for path in files), "bytes")


if __name__ == "__main__":
    main()
