"""ONNX files of fully connected networks: Gemm and Relu; grafted layers as relu(z) * (1 - m) + m * (a * z + b)."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def constant(name, value):
    return numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name)


def model(nodes, constants, inputs, outputs, name):
    """A checked model of opset 13; inputs and outputs are (name, shape) pairs."""
    info = lambda pairs: [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in pairs]
    graph = helper.make_graph(nodes, name, info(inputs), info(outputs), constants)
    made = helper.make_model(
        graph, producer_name="espalier-models", opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.checker.check_model(made)
    return made


def mlp_model(net, name):
    nodes, constants, value = [], [], "X"
    for i, layer in enumerate(net.layers):
        last = i == len(net.layers) - 1
        constants += [constant(f"W{i}", layer.weight), constant(f"B{i}", layer.bias)]
        pre = "Y" if last else f"pre{i}"
        nodes.append(helper.make_node("Gemm", [value, f"W{i}", f"B{i}"], [pre], f"fc{i}"))
        if last:
            break
        value = f"post{i}"
        nodes += activation(layer, i, pre, value, constants)
    sizes = net.layers[0].weight.shape[0], net.layers[-1].weight.shape[1]
    return model(nodes, constants, [("X", [1, sizes[0]])], [("Y", [1, sizes[1]])], name)


def activation(layer, i, pre, post, constants):
    if not layer.mask.any():
        return [helper.make_node("Relu", [pre], [post], f"relu{i}")]
    for key, value in (("m", layer.mask), ("keep", 1 - layer.mask), ("a", layer.slope), ("b", layer.offset)):
        constants.append(constant(f"{key}{i}", value))
    steps = [
        ("Relu", [pre], f"relu{i}"),
        ("Mul", [f"relu{i}", f"keep{i}"], f"kept{i}"),
        ("Mul", [f"a{i}", pre], f"scaled{i}"),
        ("Add", [f"scaled{i}", f"b{i}"], f"line{i}"),
        ("Mul", [f"m{i}", f"line{i}"], f"grafted{i}"),
        ("Add", [f"kept{i}", f"grafted{i}"], post),
    ]
    return [helper.make_node(op, ins, [out], f"{out}_node") for op, ins, out in steps]
