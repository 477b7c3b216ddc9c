"""What a verification tells: events while it runs, then a result."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union

from espalier.v1 import verify_pb2

_MOST_SHOWN = 16  # values of a witness in a notebook
_COLOURS = {"unsat": "#1a7f37", "sat": "#b3261e"}


@dataclass(frozen=True)
class Accepted:
    """The request is admitted."""

    queue_position: int  # requests that wait before this one


@dataclass(frozen=True)
class Progress:
    """At most five times a second."""

    phase: str  # "attack", "root", "relu-bab", "input-bab"
    seconds: float
    bound: float  # worst lower bound over open domains: positive proves
    open: int  # domains
    closed: int
    splits: int


@dataclass(frozen=True)
class Refuted:
    """Parts of the unsafe set that were shown to be empty."""

    parts: List[int]  # in the query's order, from 0


Event = Union[Accepted, Progress, Refuted]


@dataclass(frozen=True)
class Witness:
    """A point of the unsafe set, replayed by the server on the original model."""

    inputs: List[float]  # row-major
    outputs: List[float]
    rounded: bool  # an input interval holds no float32 value; the nearest one was replayed


@dataclass(frozen=True)
class Result:
    answer: str  # "unsat" (verified), "sat" (falsified), "unknown" or "timeout"
    reason: str  # one sentence when the answer is unknown or timeout
    witness: Optional[Witness]  # set when the answer is sat
    statistics: Dict[str, Any]  # domains, splits, root_bound, seconds by phase, ...
    record: Dict[str, str]  # version, device, processor and digests: what is needed to run it again
    message: verify_pb2.VerifyResult = field(repr=False)  # everything

    @property
    def verified(self) -> bool:
        return self.answer == "unsat"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        seconds = self.statistics["seconds"].get("total")
        rows: List[Tuple[str, str]] = [("reason", self.reason)] if self.reason else []
        if self.witness is not None:
            rows += [("witness X", _shown(self.witness.inputs)), ("output Y", _shown(self.witness.outputs))]
        if seconds is not None:
            rows.append(("time", f"{seconds:.3g} s"))
        rows.append(("domains", f"{self.statistics['domains']} ({self.statistics['splits']} splits)"))
        rows += [(name, self.record[name]) for name in ("device", "version") if self.record[name]]
        rows += [("warning", warning) for warning in self.message.warnings]
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in rows
        )
        colour = _COLOURS.get(self.answer, "inherit")
        return f"<b style='color:{colour}'>{html.escape(self.answer)}</b><table>{cells}</table>"


def _shown(values: List[float]) -> str:
    more = f", ... ({len(values)} in all)" if len(values) > _MOST_SHOWN else ""
    return ", ".join(f"{value:.6g}" for value in values[:_MOST_SHOWN]) + more


def event_of(event: verify_pb2.VerifyEvent) -> Optional[Event]:
    """None for the result and for events of newer servers."""
    kind = event.WhichOneof("event")
    if kind == "accepted":
        return Accepted(event.accepted.queue_position)
    if kind == "progress":
        p = event.progress
        return Progress(p.phase, p.seconds, p.bound, p.open, p.closed, p.splits)
    if kind == "refuted":
        return Refuted(list(event.refuted.index))
    return None


def result_of(message: verify_pb2.VerifyResult) -> Result:
    if message.answer == verify_pb2.ANSWER_SAT:
        answer = "sat"
    elif message.answer == verify_pb2.ANSWER_UNSAT:
        answer = "unsat"
    else:
        answer = "timeout" if message.limit == verify_pb2.LIMIT_TIME else "unknown"
    witness = None
    if answer == "sat":
        w = message.witness
        witness = Witness(list(w.input), list(w.output), w.rounded)
    s, r = message.statistics, message.record
    return Result(
        answer=answer,
        reason=message.reason,
        witness=witness,
        statistics={
            "domains": s.domains,
            "splits": s.splits,
            "max_open": s.max_open,
            "root_bound": s.root_bound,
            "seconds": dict(s.seconds),
            "counters": dict(s.counters),
        },
        record={
            "version": r.version,
            "device": r.device,
            "processor": r.processor,
            "model_sha256": r.model_sha256,
            "query_sha256": r.query_sha256,
        },
        message=message,
    )
