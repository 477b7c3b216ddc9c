#!/usr/bin/env python3
"""Installs client/python into a virtual environment and runs its tests there.

    run.py ROOT BUILD-FOLDER ESPALIERD

The environment is made once for each content of the package and of proto/, with what requirements.txt names for the notebook.
A PyTorch of the same Python version, where there is one, is lent to the tests. Exit status 77 (skipped) when it cannot be
made because PyPI cannot be reached or Python has no venv.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77
HERE = pathlib.Path(__file__).resolve().parent


def content(root):
    digest = hashlib.sha256()
    for pattern in ("client/python/*.*", "client/python/espalier/*.py", "proto/espalier/v1/*.proto"):
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    digest.update((HERE / "requirements.txt").read_bytes())
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
    if subprocess.run([*install, str(copy / "client/python"), "-r", str(HERE / "requirements.txt")]).returncode != 0:
        if reachable(python):
            sys.exit("pip install ./client/python failed")
        print("skipped: PyPI cannot be reached")
        return None
    stamp.touch()
    return python


def torch_folder():
    """Where a Python of this version has PyTorch; empty when none does."""
    code = "import os, sys, torch; print(*sys.version_info[:2], os.path.dirname(os.path.dirname(torch.__file__)), sep='\\n')"
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", code], capture_output=True, text=True)
        found = done.stdout.splitlines()
        if done.returncode == 0 and found[:2] == [str(number) for number in sys.version_info[:2]]:
            return found[2]
    return ""


def main():
    root, folder, server = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    python = environment(root, folder)
    if python is None:
        return SKIPPED
    variables = dict(os.environ, ESPALIER_SERVER_BINARY=str(server), ESPALIER_ROOT=str(root), TORCH_FOLDER=torch_folder())
    tests = [str(HERE / name) for name in ("client_test.py", "notebook_test.py")]
    return max(subprocess.run([python, "-I", test, "-v"], env=variables, cwd=folder).returncode for test in tests)


if __name__ == "__main__":
    sys.exit(main())
