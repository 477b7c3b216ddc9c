"""How a client shows who it is and makes sure of whom it talks to."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import List, Optional, Tuple, Union

import grpc

_Path = Union[str, "os.PathLike[str]"]


def _read(path: Optional[_Path]) -> Optional[bytes]:
    return None if path is None else pathlib.Path(path).read_bytes()


def _is_local(target: str) -> bool:
    return target.startswith(("unix:", "127.", "localhost:", "[::1]:"))


@dataclasses.dataclass(frozen=True)
class Credentials:
    """`tls` or any of the files turns TLS on. The token goes with every call; to another machine only over TLS, unless
    `allow_insecure` says otherwise."""

    tls: bool = False  # with the system's authorities
    tls_ca: Optional[_Path] = None  # PEM: the authority of the server's certificate
    tls_cert: Optional[_Path] = None  # PEM: this client's own certificate, and its key
    tls_key: Optional[_Path] = None
    token: Optional[str] = dataclasses.field(default=None, repr=False)
    token_file: Optional[_Path] = None  # whose first line is the token
    allow_insecure: bool = False

    @property
    def uses_tls(self) -> bool:
        return self.tls or self.tls_ca is not None or self.tls_cert is not None

    def channel(self, target: str, options: List[Tuple[str, int]]) -> grpc.Channel:
        if not self.uses_tls:
            return grpc.insecure_channel(target, options=options)
        credentials = grpc.ssl_channel_credentials(_read(self.tls_ca), _read(self.tls_key), _read(self.tls_cert))
        return grpc.secure_channel(target, credentials, options=options)

    def metadata(self, target: str) -> List[Tuple[str, str]]:
        """What every call carries. Raises ValueError when a token would travel in the clear."""
        token = self.token
        if token is None and self.token_file is not None:
            token = pathlib.Path(self.token_file).read_text().split("\n")[0].strip()
        if token is None:
            return []
        if not (self.uses_tls or self.allow_insecure or _is_local(target)):
            raise ValueError(f"the token would travel to {target} unencrypted; use TLS, or allow_insecure=True")
        return [("authorization", f"Bearer {token}")]
