"""`Health`: how a job does, as far as that can be known."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from aitk_nb import _html

__all__ = ["Health", "HealthState"]


class HealthState(enum.Enum):
    """How a job does."""

    UNREACHABLE = "unreachable"
    QUEUED = "queued"
    LOADING = "loading"
    TRAINING = "training"
    SAMPLING = "sampling"
    SAVING = "saving"
    STALLED = "stalled"
    DEAD = "dead"
    DIVERGED = "diverged"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"


_BAD = {HealthState.STALLED, HealthState.DEAD, HealthState.DIVERGED, HealthState.FAILED}


@dataclass(frozen=True, slots=True)
class Health:
    """How a job does, what that is known from, and what to do."""

    state: HealthState
    text: str
    """What is known."""
    remedy: str = ""
    """What to do; empty when nothing is needed."""

    can_be_repaired: bool = False
    """True when marking the job as stopped may be what helps."""

    @property
    def is_bad(self) -> bool:
        """True when somebody should do something."""
        return self.state in _BAD

    def __str__(self) -> str:
        return f"{self.state.value}: {self.text}" + (f" {self.remedy}" if self.remedy else "")

    def _repr_html_(self) -> str:
        kind: _html.Kind = "error" if self.is_bad else "info"
        if self.state is HealthState.UNREACHABLE:
            kind = "warning"
        elif self.state is HealthState.FINISHED:
            kind = "ok"
        rows: list[tuple[object, object]] = [
            ("health", _html.badge(self.state.value, kind)),
            ("known", self.text),
        ]
        if self.remedy:
            rows.append(("to do", self.remedy))
        return _html.definition(rows)
