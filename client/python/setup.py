"""Adds espalier.v1, generated from the project's proto/ folder, to what is built."""

import pathlib
import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py

PROTO = pathlib.Path(__file__).resolve().parent.parent.parent / "proto"


class BuildWithMessages(build_py):
    def run(self):
        super().run()
        sources = sorted(PROTO.glob("espalier/v1/*.proto"))
        if not sources:
            raise FileNotFoundError(f"no .proto files in {PROTO}: build from a checkout of the project")
        target = self.build_lib
        flags = [f"--{kind}={target}" for kind in ("python_out", "pyi_out", "grpc_python_out")]
        # A process of its own: it brings the include path of google/protobuf along.
        subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *flags, *map(str, sources)], check=True
        )
        (pathlib.Path(target) / "espalier" / "v1" / "__init__.py").write_text('"""Messages and stubs."""\n')


setup(cmdclass={"build_py": BuildWithMessages})
