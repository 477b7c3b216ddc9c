"""Errors of calls, with what the server says about them."""

from __future__ import annotations

from typing import Optional

import grpc

from espalier.v1 import error_pb2


class EspalierError(Exception):
    """A call failed. `detail` names the field, the node, or the line and column at fault, where the server knows."""

    def __init__(self, code: grpc.StatusCode, message: str, detail: Optional[error_pb2.ErrorDetail] = None):
        super().__init__(message)
        self.code = code
        self.detail = detail if detail is not None else error_pb2.ErrorDetail()


class InvalidInput(EspalierError):
    """A model, a query or an option is wrong."""


class UnsupportedModel(EspalierError):
    """The model holds something that cannot be verified; `detail.unsupported` lists all of it."""


class ServerBusy(EspalierError):
    """The queue, the memory or the storage is full; `detail.retry_delay_s` says when to try again."""


class ServerUnavailable(EspalierError):
    """No server answers, or it went away."""


class NotAllowed(EspalierError):
    """The server does not know the caller, or does not let it do this."""


_KINDS = {
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.NOT_FOUND: InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidInput,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedModel,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ServerBusy,
    grpc.StatusCode.UNAVAILABLE: ServerUnavailable,
}


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _detail_of(status: error_pb2.StatusDetails) -> Optional[error_pb2.ErrorDetail]:
    detail = error_pb2.ErrorDetail()
    return detail if status.details and status.details[0].Unpack(detail) else None


def error_of(error: grpc.RpcError) -> EspalierError:
    """The error of a finished call."""
    detail = None
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            detail = _detail_of(error_pb2.StatusDetails.FromString(value))
    kind = _KINDS.get(error.code(), EspalierError)
    return kind(error.code(), error.details() or str(error.code()), detail)


def error_of_details(status: error_pb2.StatusDetails) -> EspalierError:
    """An error that is told as part of an answer."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _KINDS.get(code, EspalierError)(code, status.message, _detail_of(status))
