"""`JobSummary`: what is repeatable about a job, for people and for machines."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from aitk_nb import _html
from aitk_nb.backends.base import Backend
from aitk_nb.errors import AitkError
from aitk_nb.jobs.loss_reader import read_on
from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.summary import outcome
from aitk_nb.models.job import JobState


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
    files: tuple[tuple[str, int], ...]
    """Name and bytes of each file."""
    diverged_step: int | None = None
    """The step at which the loss diverged; None if it did not."""

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, ready for JSON."""
        files = [{"name": name, "size": size} for name, size in self.files]
        shown = {**asdict(self), "files": files}
        if self.diverged_step is None:
            del shown["diverged_step"]
        return shown

    def __repr__(self) -> str:
        count = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        return f"<{self.name!r} {self.status} at step {self.step}, loss {self._loss}, {count}>"

    @property
    def _loss(self) -> str:
        return outcome(math.nan if self.loss is None else self.loss, self.diverged_step)

    def _repr_html_(self) -> _html.Html:
        rows: list[tuple[object, object]] = [
            ("status", self.status),
            ("step", self.step),
            ("final loss", self._loss),
            ("files", ", ".join(name for name, _size in self.files) or "none"),
        ]
        return _html.definition(rows, caption=self.name)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return _html.bundle(repr(self), self._repr_html_(), job=self.as_dict())


def summary(backend: Backend, state: JobState) -> JobSummary:
    """Read the losses and the files of a job; what the server does not give is left out."""
    losses = LossHistory(name=state.name).summary()
    files: tuple[tuple[str, int], ...] = ()
    with suppress(AitkError):
        losses = read_on(backend, state, LossHistory(name=state.name)).summary()
    with suppress(AitkError):
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
