#!/usr/bin/env python3
"""Installs client/python into a virtual environment and runs its tests there.

    run.py ROOT BUILD-FOLDER ESPALIERD

The environment is made once for each content of the package and of proto/. Exit status 77 (skipped) when it cannot be
made because PyPI cannot be reached or Python has no venv.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77


def content(root):
    digest = hashlib.sha256()
    for pattern in ("client/python/*.*", "client/python/espalier/*.py", "proto/espalier/v1/*.proto"):
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def reachable(python):
    probe = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"]
    probe += ["--no-deps", "--dest", "/dev/null/none", "setuptools<80"]
    done = subprocess.run(probe, capture_output=True, text=True)
    return "No matching distribution" not in done.stderr and "Failed to establish" not in done.stderr


def environment(root, folder):
    """The environment's Python, or None."""
    venv = folder / "venv"
    stamp = venv / f"installed-{content(root)}"
    python = venv / "bin" / "python"
    if stamp.exists():
        return python
    shutil.rmtree(venv, ignore_errors=True)
    if subprocess.run([sys.executable, "-m", "venv", str(venv)]).returncode != 0:
        print("skipped: this Python cannot make virtual environments")
        return None
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    # A copy, so that the build leaves nothing in the source folder.
    copy = folder / "source"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(root / "client/python", copy / "client/python")
    shutil.copytree(root / "proto", copy / "proto")
    if subprocess.run([*install, str(copy / "client/python")]).returncode != 0:
        if reachable(python):
            sys.exit("pip install ./client/python failed")
        print("skipped: PyPI cannot be reached")
        return None
    stamp.touch()
    return python


def main():
    root, folder, server = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    python = environment(root, folder)
    if python is None:
        return SKIPPED
    variables = dict(os.environ, ESPALIER_SERVER_BINARY=str(server), ESPALIER_ROOT=str(root))
    tests = pathlib.Path(__file__).with_name("client_test.py")
    return subprocess.run([python, "-I", str(tests), "-v"], env=variables, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
