"""`JobSummary`: what is repeatable about a job, for people and for machines."""

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from aitk_nb._display import html
from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.errors import ConnectionFailed, NotSupported, Rejected, UnexpectedReply
from aitk_nb.jobs.loss_reader import read_on
from aitk_nb.losses import LossHistory, outcome
from aitk_nb.models.job import JobState

_UNREAD = (ConnectionFailed, NotSupported, Rejected, UnexpectedReply)
"""Why a part of a summary stays unknown; who is refused is told so instead."""


@dataclass(frozen=True, slots=True)
class JobSummary:
    """Status, final loss and files of a job: no id, time, URL or path.

    Example:
        >>> job.summary()
        <'cat' completed at step 20, loss 0..., 2 files>
    """

    name: str
    flavour: str
    status: str
    step: int
    loss: float | None
    """The end of the smoothed loss; None if unknown, or if the loss ended as NaN."""
    files: tuple[tuple[str, int], ...] | None
    """Name and bytes of each file; None if unknown."""
    diverged_step: int | None = None
    """The step at which the loss diverged; None if it did not."""

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, ready for JSON."""
        known = self.files is not None
        files = [{"name": name, "size": size} for name, size in self.files or ()]
        shown = {**asdict(self), "files": files if known else None}
        if self.diverged_step is None:
            del shown["diverged_step"]
        return shown

    def __repr__(self) -> str:
        count = "files unknown" if self.files is None else plural(len(self.files), "file")
        return f"<{self.name!r} {self.status} at step {self.step}, loss {self._loss}, {count}>"

    @property
    def _loss(self) -> str:
        return outcome(math.nan if self.loss is None else self.loss, self.diverged_step)

    def _repr_html_(self) -> html.Html:
        names = None if self.files is None else ", ".join(name for name, _size in self.files)
        rows: list[tuple[object, object]] = [
            ("status", self.status),
            ("step", self.step),
            ("final loss", self._loss),
            ("files", "unknown" if names is None else names or "none"),
        ]
        return html.definition(rows, caption=self.name)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return html.bundle(repr(self), self._repr_html_(), job=self.as_dict())


def summary(backend: Backend, state: JobState) -> JobSummary:
    """Read the losses and the files of a job; what the server does not give is unknown."""
    losses = LossHistory(name=state.name).summary()
    files: tuple[tuple[str, int], ...] | None = None
    with suppress(*_UNREAD):
        losses = read_on(backend, state, LossHistory(name=state.name)).summary()
    with suppress(*_UNREAD):
        files = tuple((file.name, file.size) for file in backend.list_files(state))
    return JobSummary(
        state.name,
        backend.flavour.value,
        state.status.value,
        state.step,
        float(f"{losses.end:.4g}") if math.isfinite(losses.end) else None,
        files,
        losses.diverged_step,
    )
