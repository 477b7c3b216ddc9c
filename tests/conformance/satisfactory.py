#!/usr/bin/env python3
"""The tiny cases with known answers of PyPI's vnnlib-satisfactory, asked of the espalier command.

    satisfactory.py ROOT PROGRAMS

Their queries are VNN-LIB 2.0. Those that speak about one network with one input and one output are written in VNN-LIB 1.x;
the others (several networks, hidden values, several inputs) say what is not read yet. A model or a query may be refused by
name, which is counted; a wrong answer fails. Exit status 77 (skipped) where the package cannot be installed.
"""

import collections
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = 77
LEAST_DECIDED = 100  # so that refusing everything is no success
REFUSED = {3: "query refused", 4: "model refused"}
NETWORK = re.compile(r"\(declare-network\s+\w+\s*((?:\([^()]*\)\s*)+)\)")
VARIABLE = re.compile(r"\(declare-(input|output|hidden)\s+(\w+)\s+\w+\s+\[([\d,\s]*)\]")


def reexecute(root):
    made = subprocess.run([root / "scripts/venv", root / "tests/conformance/requirements.txt"], capture_output=True, text=True)
    if made.returncode != 0:
        print("skipped: the packages of tests/conformance/requirements.txt cannot be installed")
        sys.exit(SKIPPED)
    python = f"{made.stdout.strip()}/bin/python"
    os.execv(python, [python, *sys.argv, "--in-venv"])


def in_version_1(text):
    """The query in VNN-LIB 1.x; None where that cannot say it."""
    text = re.sub(r";.*", "", text)
    networks = NETWORK.findall(text)
    variables = VARIABLE.findall(networks[0]) if len(networks) == 1 else []
    if sorted(kind for kind, _, _ in variables) != ["input", "output"]:
        return None
    body = NETWORK.sub("", re.sub(r"\(vnnlib-version[^)]*\)", "", text))
    lines = []
    for kind, name, shape in variables:
        letter = "X" if kind == "input" else "Y"
        sizes = [int(size) for size in shape.split(",") if size.strip()]
        for flat, index in enumerate(itertools.product(*map(range, sizes))):
            lines.append(f"(declare-const {letter}_{flat} Real)")
            spelled = r"\s*,\s*".join(map(str, index))
            body = re.sub(rf"\b{name}\s*\[\s*{spelled}\s*\]", f"{letter}_{flat}", body)
    return "\n".join(lines) + body


def main():
    root, programs = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if sys.argv[-1] != "--in-venv":
        reexecute(root)
    from vnntest.core.paths import CASES_DIR
    from vnntest.core.testcase import ModuleCaseSource

    counts, wrong = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        model, query = pathlib.Path(folder) / "model.onnx", pathlib.Path(folder) / "query.vnnlib"
        for path in sorted(CASES_DIR.rglob("*.py")):
            case = ModuleCaseSource.try_from_path(path)
            text = in_version_1(case.build_vnnlib_spec())
            if text is None:
                counts["of version 2 alone"] += 1
                continue
            model.write_bytes(case.build_onnx_model().SerializeToString())
            query.write_text(text)
            done = subprocess.run([programs / "espalier", "verify", query, "--network", model, "--quiet", "--timeout", "100"],
                                  capture_output=True, text=True)
            answer = done.stdout.split("\n")[0] if done.returncode == 0 else REFUSED.get(done.returncode, "error")
            expected = case.expected_output().lower()
            counts[answer] += 1
            if done.returncode not in (0, *REFUSED) or (answer in ("sat", "unsat") and answer != expected):
                wrong.append(f"{case.id}: {answer} instead of {expected}: {done.stderr}{text}")
            elif answer not in ("sat", "unsat"):
                print(f"{case.id}: {answer}: {done.stderr.strip().splitlines()[-1:]}")
    print(", ".join(f"{count} {name}" for name, count in counts.most_common()))
    for line in wrong:
        print(line)
    decided = counts["sat"] + counts["unsat"]
    if decided < LEAST_DECIDED:
        print(f"only {decided} are decided")
    sys.exit(1 if wrong or decided < LEAST_DECIDED else 0)


if __name__ == "__main__":
    main()
