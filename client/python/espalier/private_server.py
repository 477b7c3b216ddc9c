"""A server of this process's own: espalierd on a Unix socket in a folder that only this user can enter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import List, Optional

import grpc

from espalier.errors import ServerUnavailable

# Holds the server until our end of its standard input closes: when we end it, when we end, when we are killed.
_KEEPER = """
import os, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
os.close(1)  # so that the server's end is seen
sys.stdin.read()
server.kill()
server.wait()
"""


class PrivateServer:
    """Starts espalierd: `program`, else ESPALIER_SERVER_BINARY, else the one in PATH."""

    def __init__(self, program: Optional[str] = None, flags: Optional[List[str]] = None):
        found = program or os.environ.get("ESPALIER_SERVER_BINARY") or shutil.which("espalierd")
        if found is None:
            raise ServerUnavailable(
                grpc.StatusCode.UNAVAILABLE,
                "no espalierd in PATH; name a server, or its program with ESPALIER_SERVER_BINARY",
            )
        self._folder = tempfile.mkdtemp(prefix="espalier-")  # mode 0700
        self.address = f"unix:{self._folder}/socket"
        command = [found, "--listen", self.address, "--log-level", "error", *(flags or [])]
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _KEEPER, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._keeper.stdout is not None
        if not self._keeper.stdout.readline().startswith(b"listening on"):
            self.close()
            raise ServerUnavailable(grpc.StatusCode.UNAVAILABLE, f"the private server '{found}' does not start")

    def close(self) -> None:
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
            if self._keeper.stdout is not None:
                self._keeper.stdout.close()
            self._keeper.wait()
            shutil.rmtree(self._folder, ignore_errors=True)
