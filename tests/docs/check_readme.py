#!/usr/bin/env python3
"""Holds the README, and docs/batch.md, to what they say.

    check_readme.py commands ROOT FOLDER...   runs the checked blocks; FOLDER... hold the programs
    check_readme.py names ROOT FOLDER...      files, links and flags that the documents name exist

A checked block is a fenced console block behind one of these comments:

    <!-- checked -->                          output as written; numbers to six digits
    <!-- checked, numbers may vary -->        any number in place of a number
    <!-- checked, x.npy: 0.5 -1.0 -->         the same, with that float32 array in the working folder

Commands start with "$ ". They run in a folder in which models/ is the project's.
"""

import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"<!-- checked(?P<how>[^>]*?) -->\n```console\n(?P<body>.*?)```", re.DOTALL)
CHECKED = ["README.md", "docs/batch.md"]  # their console blocks are run
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    *(
        f"docs/{name}.md"
        for name in (
            *("adding", "batch", "deployment", "design", "grafting", "operations", "options", "search", "soundness"),
            "training_options",
        )
    ),
]


def save_array(path, values):
    """A one-dimensional little-endian float32 array in NumPy's format, version 1.0."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values)},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    data = struct.pack(f"<{len(values)}f", *values)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def tokens(text):
    return [line.replace("(", " ( ").replace(")", " ) ").split() for line in text.strip().splitlines()]


def agree(written, seen, vary):
    if written == seen:
        return True
    if not (NUMBER.fullmatch(written) and NUMBER.fullmatch(seen)):
        return False
    a, b = float(written), float(seen)
    return vary or abs(a - b) <= 1e-6 * max(1.0, abs(a), abs(b))


def same(written, seen, vary):
    left, right = tokens(written), tokens(seen)
    return len(left) == len(right) and all(
        len(a) == len(b) and all(agree(x, y, vary) for x, y in zip(a, b)) for a, b in zip(left, right)
    )


def check_commands(root, folders):
    environment = dict(os.environ, PATH=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))
    environment.pop("ESPALIER_SERVER", None)
    problems, count = [], 0
    text = "".join((root / name).read_text(encoding="utf-8") for name in CHECKED)
    for match in BLOCK.finditer(text):
        how = match["how"]
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(root / "models", pathlib.Path(folder) / "models")
            if array := re.search(r"(\S+\.npy): ([-\d. ]+)", how):
                save_array(pathlib.Path(folder) / array[1], [float(v) for v in array[2].split()])
            for part in re.split(r"^\$ ", match["body"], flags=re.MULTILINE)[1:]:
                command, _, written = part.partition("\n")
                done = subprocess.run(
                    command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=6000
                )
                count += 1
                if done.returncode != 0 or not same(written, done.stdout, "numbers may vary" in how):
                    problems.append(f"$ {command}\nthe document says\n{written}but it printed\n{done.stdout}{done.stderr}")
    if count < 8:
        problems.append(f"only {count} checked commands found: has the form of the blocks changed?")
    return problems


def help_of(folders, program, *words):
    path = next((f / program for f in folders if (f / program).exists()), program)
    return subprocess.run([path, *words, "--help"], capture_output=True, text=True, timeout=600).stdout


def is_path(text):
    """Whether a span of code in a document names a file of the project."""
    return re.fullmatch(r"\.?[\w.-]+(/[\w.-]*)+", text) and not text.startswith(("grpc.", "application/"))


def check_names(root, folders):
    problems = []
    flags = help_of(folders, "espalierd") + help_of(folders, "espalier")
    for command in (
        *("verify", "describe", "bounds", "run", "supports", "train", "graft", "compare", "batch"),
        *("submit", "watch", "cancel", "jobs", "health"),
    ):
        flags += help_of(folders, "espalier", command)
    readme = (root / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z-]+)[^`]*`", readme))
    for line in re.findall(r"^(?:\$ )?espalierd? .*$", readme, re.MULTILINE):
        named.update(re.findall(r" (--[a-z][a-z-]+)", line.split("|")[0]))
    problems += [f"README.md: no program has the flag {f}" for f in sorted(named) if not re.search(f + r"\b", flags)]
    for name in DOCUMENTS:
        path = root / name
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            if not (path.parent / target).exists():
                problems.append(f"{name}: the link {target} leads nowhere")
        if name != "README.md":
            continue
        for span in set(re.findall(r"`([^`\n]+)`", text)):
            if is_path(span) and not span.startswith("build/") and not (root / span).exists():
                problems.append(f"{name}: there is no file {span}")
    # Tests that soundness.md relies on: a file, a folder, or a pattern with *.
    for span in re.findall(r"`((?:tests/[^`]*|[a-z_*]+_test\.cc))`", (root / "docs/soundness.md").read_text()):
        pattern = span.rstrip("/") if span.startswith("tests/") else f"tests/**/{span}"
        if not any(root.glob(pattern)):
            problems.append(f"docs/soundness.md: there is no test {span}")
    return problems


def main():
    what, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folders = [pathlib.Path(f).resolve() for f in sys.argv[3:]]
    problems = {"commands": check_commands, "names": check_names}[what](root, folders)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
