"""Makes every file of models/: python -m recipe FOLDER [--candidates FOLDER2]

With --candidates it also writes robustness queries for many held-out images and radii, from which the ones in
PROPERTIES were chosen by running the verifier on them.
"""

import argparse
import csv
import hashlib
import json
import pathlib

import numpy as np
import onnx

from . import digits, handmade
from .crown import margins
from .onnx_export import mlp_model
from .train import pgd_accuracy
from .vnnlib import robustness

# (name, held-out image, radius, [(network, verdict)], what it shows)
PROPERTIES = [
    ("digits_by_bounds", 341, 0.05, [("digits", "unsat")], "bounds alone"),
    ("digits_by_splits", 280, 0.05, [("digits", "unsat"), ("digits_grafted", "unsat")], "branch and bound"),
    ("digits_counterexample", 60, 0.06, [("digits", "sat")], "a counterexample"),
    ("digits_pair", 253, 0.06, [("digits", "unsat"), ("digits_grafted", "unsat")], "grafting saves domains"),
    # Of the pair that models/make_trained makes.
    ("trained_by_splits", 44, 0.05, [("digits_trained", "unsat"), ("digits_trained_grafted", "unsat")], "grafting saves domains"),
    ("trained_pair", 151, 0.07, [("digits_trained", "unsat"), ("digits_trained_grafted", "unsat")], "grafting saves domains"),
    (
        "trained_counterexample",
        117,
        0.05,
        [("digits_trained", "sat"), ("digits_trained_grafted", "unsat")],
        "grafting changes the answer",
    ),
]


def robustness_query(image, epsilon):
    _, (x, y) = digits.data()
    low, high = np.clip(x[image] - epsilon, 0, 1), np.clip(x[image] + epsilon, 0, 1)
    comment = f"digits: held-out image {image}, label {y[image]}, l_inf radius {epsilon} on pixels/16, clipped to [0, 1]"
    return robustness(comment, low, high, int(y[image]), 10)


def write_candidates(folder, nets):
    """Queries that plain CROWN does not decide for the base and for which PGD finds nothing there."""
    folder.mkdir(parents=True, exist_ok=True)
    _, (x, y) = digits.data()
    base, twin = nets["digits"], nets["digits_grafted"]
    for epsilon in (0.04, 0.05, 0.06, 0.07, 0.08):
        low, high = np.clip(x - epsilon, 0, 1), np.clip(x + epsilon, 0, 1)
        worst = {}
        for key, net in (("base", base), ("twin", twin)):
            bound = margins(net, low, high, y)
            bound[np.arange(len(y)), y] = np.inf
            worst[key] = bound.min(axis=1)
        for image in np.flatnonzero((worst["base"] < 0) & (worst["base"] > -6)):
            one = slice(image, image + 1)
            if pgd_accuracy(base, x[one], y[one], epsilon, np.random.default_rng(0), restarts=10) < 1:
                continue
            name = f"digits_{image:03d}_eps{epsilon}"
            (folder / f"{name}.vnnlib").write_text(robustness_query(image, epsilon))
            print(f"{name} crown base {worst['base'][image]:.2f} twin {worst['twin'][image]:.2f}")


def main():
    parser = argparse.ArgumentParser(prog="recipe")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--candidates", type=pathlib.Path)
    arguments = parser.parse_args()
    queries = arguments.folder / "properties"
    queries.mkdir(parents=True, exist_ok=True)
    base, start, twin, control = digits.make()
    nets = {"digits": base, "digits_grafted": twin}
    for name, net in nets.items():
        onnx.save(mlp_model(net, name), arguments.folder / f"{name}.onnx")
    rows = []
    for name, make in handmade.NETWORKS.items():
        onnx.save(make(), arguments.folder / f"{name}.onnx")
    for network, name, inputs, unsafe, verdict in handmade.QUERIES:
        (queries / f"{name}.vnnlib").write_text(handmade.query_text(name, inputs, unsafe, verdict))
        rows.append((f"{network}.onnx", f"properties/{name}.vnnlib", verdict, "checked by hand"))
    for name, image, epsilon, verdicts, shows in PROPERTIES:
        (queries / f"{name}.vnnlib").write_text(robustness_query(image, epsilon))
        rows += [(f"{network}.onnx", f"properties/{name}.vnnlib", verdict, shows) for network, verdict in verdicts]
    with open(arguments.folder / "index.csv", "w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([("network", "query", "verdict", "shows"), *rows])
    for name, net in (("digits", base), ("twin before fine-tuning", start), ("digits_grafted", twin), ("control", control)):
        print(name, json.dumps(digits.report(net)))
    for path in sorted(arguments.folder.glob("*.onnx")):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name, path.stat().st_size)
    if arguments.candidates:
        write_candidates(arguments.candidates, nets)


if __name__ == "__main__":
    main()
