"""`Health`: how a job is doing, as far as the server reveals it."""

import enum
from dataclasses import dataclass

from aitk_nb._display import html


class HealthState(enum.Enum):
    """How a job is doing.

    Example:
        >>> job.health().state is aitk_nb.HealthState.FINISHED
        True
    """

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
_KINDS: dict[HealthState, html.Kind] = {
    **dict.fromkeys(_BAD, "error"),
    HealthState.UNREACHABLE: "warning",
    HealthState.FINISHED: "ok",
}


@dataclass(frozen=True, slots=True)
class Health:
    """How a job is doing, and what to do about it; from `Job.health()`.

    Example:
        >>> print(job.health())
        finished: Finished at step 20 of 20.
    """

    state: HealthState
    text: str
    """What is known, in a sentence or two."""
    remedy: str = ""
    """What to do; empty if nothing is needed."""

    can_be_repaired: bool = False
    """True if `Job.repair` may help."""

    @property
    def is_bad(self) -> bool:
        """True if the job needs attention."""
        return self.state in _BAD

    def __str__(self) -> str:
        return f"{self.state.value}: {self.text} {self.remedy}".rstrip()

    def _repr_html_(self) -> str:
        rows: list[tuple[object, object]] = [
            ("health", html.badge(self.state.value, _KINDS.get(self.state, "info"))),
            ("details", self.text),
        ]
        if self.remedy:
            rows.append(("to do", self.remedy))
        return html.definition(rows)
