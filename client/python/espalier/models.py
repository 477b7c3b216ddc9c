"""Models that a server keeps."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Optional

from espalier.errors import EspalierError, error_of_details
from espalier.v1 import model_pb2


@dataclass(frozen=True)
class StoredModel:
    """A model that a server keeps. Where a model is asked for, this may be given instead of its file."""

    sha256: str
    size: int  # bytes
    added: Optional[datetime.datetime] = None  # None: not known
    used: Optional[datetime.datetime] = None  # of its last use
    in_use: bool = False  # by a call, or by a job that waits or runs
    description: Optional[model_pb2.ModelDescription] = None  # only from Client.model
    error: Optional[EspalierError] = None  # only from Client.model: why there is no description


def _time(seconds: float) -> Optional[datetime.datetime]:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc) if seconds > 0 else None


def stored_model_of(message: model_pb2.StoredModel) -> StoredModel:
    return StoredModel(
        sha256=message.sha256,
        size=message.size,
        added=_time(message.added_s),
        used=_time(message.used_s),
        in_use=message.in_use,
        description=message.description if message.HasField("description") else None,
        error=error_of_details(message.error) if message.HasField("error") else None,
    )
