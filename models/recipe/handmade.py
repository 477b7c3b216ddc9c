"""Networks small enough that every verdict can be checked in the head.

tiny_max        Y = |x0 - x1| + |x0 + x1| = 2 max(|x0|, |x1|), from four ReLUs; at most 2 on [-1, 1]^2
tiny_residual   Y = (relu(x0) - x0) + (relu(x1) - x1) = relu(-x0) + relu(-x1), a skip connection; 0 to 2 on [-1, 1]^2
tiny_grafted    Y = relu(x) + relu(-x) - (x/2 + 1/4), the last term a grafted ReLU in the Where spelling; at least -1/4
"""

import numpy as np
from onnx import helper, numpy_helper

from .onnx_export import constant, model
from .vnnlib import query


def node(op, inputs, output):
    return helper.make_node(op, inputs, [output], f"{output}_node")


def tiny_max():
    weights = [constant("W0", [[1, -1, 1, -1], [-1, 1, 1, -1]]), constant("W1", np.ones((4, 1)))]
    nodes = [node("MatMul", ["X", "W0"], "pre"), node("Relu", ["pre"], "post"), node("MatMul", ["post", "W1"], "Y")]
    return model(nodes, weights, [("X", [1, 2])], [("Y", [1, 1])], "tiny_max")


def tiny_residual():
    weights = [constant("W", np.ones((2, 1)))]
    nodes = [
        node("Relu", ["X"], "post"),
        node("Sub", ["post", "X"], "rest"),
        node("MatMul", ["rest", "W"], "Y"),
    ]
    return model(nodes, weights, [("X", [1, 2])], [("Y", [1, 1])], "tiny_residual")


def tiny_grafted():
    weights = [
        constant("W0", [[1, -1, 1]]),
        constant("W1", [[1], [1], [-1]]),
        constant("a", [0.5]),
        constant("b", [0.25]),
        numpy_helper.from_array(np.array([False, False, True]), "mask"),
    ]
    nodes = [
        node("MatMul", ["X", "W0"], "pre"),
        node("Relu", ["pre"], "relu"),
        node("Mul", ["pre", "a"], "scaled"),
        node("Add", ["scaled", "b"], "line"),
        node("Where", ["mask", "line", "relu"], "post"),
        node("MatMul", ["post", "W1"], "Y"),
    ]
    return model(nodes, weights, [("X", [1, 1])], [("Y", [1, 1])], "tiny_grafted")


NETWORKS = {"tiny_max": tiny_max, "tiny_residual": tiny_residual, "tiny_grafted": tiny_grafted}

# (network, name of the query, inputs, unsafe outputs, verdict)
QUERIES = [
    ("tiny_max", "tiny_max_unsat", 2, "(>= Y_0 2.01)", "unsat"),
    ("tiny_max", "tiny_max_sat", 2, "(>= Y_0 1.99)", "sat"),
    ("tiny_residual", "tiny_residual_unsat", 2, "(or (<= Y_0 -0.01) (>= Y_0 2.01))", "unsat"),
    ("tiny_residual", "tiny_residual_sat", 2, "(or (<= Y_0 -0.01) (>= Y_0 1.9))", "sat"),
    ("tiny_grafted", "tiny_grafted_unsat", 1, "(<= Y_0 -0.26)", "unsat"),
    ("tiny_grafted", "tiny_grafted_sat", 1, "(<= Y_0 -0.24)", "sat"),
]


def query_text(name, inputs, unsafe, verdict):
    return query(f"{name}: {verdict} by hand", [-1] * inputs, [1] * inputs, 1, unsafe)
