"""Calls to a server."""

from __future__ import annotations

import gzip
import hashlib
import os
from typing import IO, Iterator, List, Optional, Union

import grpc

from espalier.errors import EspalierError, error_of
from espalier.credentials import Credentials
from espalier.models import StoredModel, stored_model_of
from espalier.private_server import PrivateServer
from espalier.result import Event, Result, event_of, result_of
from espalier.v1 import blob_pb2, model_pb2, options_pb2, service_pb2, service_pb2_grpc, verify_pb2

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, IO[bytes]]
ModelSource = Union[Source, StoredModel]

_MOST_INLINE = 1 << 19  # bytes; two files stay together below the server's limit of a message
_CHUNK = 1 << 20
_LATE_ANSWER_S = 0.5  # the server keeps the limit; its answer may still be on its way when it has passed


def connect(
    target: Optional[str] = None,
    *,
    server_program: Optional[str] = None,
    server_flags: Optional[List[str]] = None,
    credentials: Optional[Credentials] = None,
) -> "Client":
    """A client of the server at `target`, "HOST:PORT" or "unix:/PATH", with TLS and a token where `credentials` say
    so. Without a target, a private server is started, which ends with the client; `server_program` and
    `server_flags` are for that one."""
    if target is not None:
        return Client(target, credentials=credentials)
    server = PrivateServer(server_program, server_flags)
    return Client(server.address, server)


def _bytes_of(source: Source) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            data = file.read()
    elif hasattr(source, "getvalue"):  # io.BytesIO, wherever its position is
        data = source.getvalue()
    else:
        data = source.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def _digest_of(model: Union[str, StoredModel]) -> str:
    return model.sha256 if isinstance(model, StoredModel) else model


class Verification:
    """One running verification: iterate over its events, then ask for its result. Leaving the loop early does not end
    it; `cancel` does."""

    def __init__(self, call: "grpc.Call"):
        self._call = call
        self._result: Optional[Result] = None

    def __iter__(self) -> Iterator[Event]:
        try:
            for message in self._call:
                if message.WhichOneof("event") == "result":
                    self._result = result_of(message.result)
                    continue
                event = event_of(message)
                if event is not None:
                    yield event
        except grpc.RpcError as error:
            if self._result is None:
                self._finish(error)

    def _finish(self, error: grpc.RpcError) -> None:
        if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
            raise error_of(error) from None
        self._result = result_of(
            verify_pb2.VerifyResult(
                answer=verify_pb2.ANSWER_UNKNOWN,
                limit=verify_pb2.LIMIT_TIME,
                reason="the time limit passed before the server answered",
            )
        )

    def result(self) -> Result:
        """Waits for it. Raises EspalierError when the call failed."""
        for _ in self:
            pass
        if self._result is None:
            raise EspalierError(grpc.StatusCode.INTERNAL, "the server ended without a result")
        return self._result

    def cancel(self) -> None:
        """The search stops within 100 ms; `result` then raises, unless it was there already."""
        self._call.cancel()


class Client:
    """A connection. Threads may share it. Close it, or use it in a with statement."""

    def __init__(
        self, target: str, server: Optional[PrivateServer] = None, credentials: Optional[Credentials] = None
    ):
        self._server = server
        credentials = credentials or Credentials()
        self._metadata = credentials.metadata(target)
        self._channel = credentials.channel(
            target, [("grpc.max_receive_message_length", 1 << 30), ("grpc.enable_http_proxy", 0)]
        )
        self._stub = service_pb2_grpc.EspalierStub(self._channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()
        if self._server is not None:
            self._server.close()

    def verify(
        self,
        model: ModelSource,
        query: Source,
        *,
        timeout: Optional[float] = None,
        device: str = "auto",
        **options: Union[int, float],
    ) -> Verification:
        """Decides whether an input of `query` (VNN-LIB) makes `model` (ONNX) reach the forbidden outputs.

        `timeout`: seconds that the server has, 300 by default. `options`: fields of espalier.v1.Options, for example
        seed=7, threads=2, attack=0. Raises TypeError for an unknown option; all else comes from the result.
        """
        unknown = sorted(set(options) - set(options_pb2.Options.DESCRIPTOR.fields_by_name))
        if unknown:
            raise TypeError(f"no option is called {', '.join(unknown)}")
        request = verify_pb2.VerifyRequest(
            model=self._send(model, blob_pb2.BLOB_KIND_ONNX_MODEL),
            query=self._send(query, blob_pb2.BLOB_KIND_VNNLIB_QUERY),
            options=options_pb2.Options(**options),
            device=device,
        )
        if timeout is None:
            return Verification(self._stub.Verify(request, metadata=self._metadata))
        request.options.timeout_s = timeout
        return Verification(
            self._stub.Verify(request, timeout=timeout + _LATE_ANSWER_S, metadata=self._metadata)
        )

    def describe(self, model: ModelSource) -> model_pb2.ModelDescription:
        """Inputs, outputs, operators, layers, and every node that cannot be verified."""
        request = model_pb2.DescribeModelRequest(model=self._send(model, blob_pb2.BLOB_KIND_ONNX_MODEL))
        return self._call(self._stub.DescribeModel, request).description

    def upload(self, model: Source) -> StoredModel:
        """Puts a model among those that the server keeps; nothing travels when it is there already."""
        data = _bytes_of(model)
        digest = self._upload(data, blob_pb2.BLOB_KIND_ONNX_MODEL)
        return StoredModel(sha256=digest, size=len(data))

    def models(self) -> Iterator[StoredModel]:
        """The models that the server keeps, by digest. On a server with tokens for administrators only."""
        request = model_pb2.ListModelsRequest()
        while True:
            page = self._call(self._stub.ListModels, request)
            yield from map(stored_model_of, page.models)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def model(self, model: Union[str, StoredModel]) -> StoredModel:
        """One of them, by its digest, with its description."""
        return stored_model_of(self._call(self._stub.GetModel, model_pb2.GetModelRequest(sha256=_digest_of(model))))

    def delete_model(self, model: Union[str, StoredModel]) -> None:
        """Forgets its file. Raises InvalidInput, reason MODEL_IN_USE, while a call or a job needs it."""
        self._call(self._stub.DeleteModel, model_pb2.DeleteModelRequest(sha256=_digest_of(model)))

    def capabilities(self) -> service_pb2.GetCapabilitiesResponse:
        return self._call(self._stub.GetCapabilities, service_pb2.GetCapabilitiesRequest())

    def _call(self, method, request):
        try:
            return method(request, metadata=self._metadata)
        except grpc.RpcError as error:
            raise error_of(error) from None

    def _send(self, source: ModelSource, kind: "blob_pb2.BlobKind") -> blob_pb2.Blob:
        if isinstance(source, StoredModel):
            return blob_pb2.Blob(sha256=source.sha256)
        data = _bytes_of(source)
        if len(data) <= _MOST_INLINE:
            return blob_pb2.Blob(inline_bytes=data)
        return blob_pb2.Blob(sha256=self._upload(data, kind))

    def _upload(self, data: bytes, kind: "blob_pb2.BlobKind") -> str:
        digest = hashlib.sha256(data).hexdigest()

        def parts() -> Iterator[blob_pb2.UploadBlobRequest]:
            yield blob_pb2.UploadBlobRequest(
                header=blob_pb2.UploadBlobHeader(kind=kind, sha256=digest, size=len(data))
            )
            for at in range(0, len(data), _CHUNK):
                yield blob_pb2.UploadBlobRequest(chunk=data[at : at + _CHUNK])

        self._call(self._stub.UploadBlob, parts())
        return digest
