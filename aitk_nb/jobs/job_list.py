"""`JobList`: several jobs, shown as a table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from aitk_nb import _html
from aitk_nb._table import Table
from aitk_nb._units import duration
from aitk_nb.jobs.job import Job
from aitk_nb.models.job import JobState

_MOST = 50
"""Rows that are shown."""
_LETTERS = 60


class JobList(tuple[Job, ...]):
    """Jobs in their last known state, which show themselves as a table.

    Example:
        >>> client.jobs.list()
        name  state      progress  age  GPU  type
        ...
    """

    now: float
    """When they were listed, in seconds since 1970."""

    def __new__(cls, jobs: Iterable[Job], clock: Callable[[], float] = time.time) -> JobList:
        """Return `jobs` as they stand now."""
        made = super().__new__(cls, jobs)
        made.now = clock()
        return made

    @property
    def table(self) -> Table:
        """The newest of them, one a row."""
        rows = tuple(_row(job.state, self.now) for job in self[:_MOST])
        return Table(("name", "state", "progress", "age", "GPU", "type"), rows)

    @property
    def _rest(self) -> str:
        """How many are not shown, in words."""
        if not self:
            return "no jobs"
        return f"and {len(self) - _MOST} more" if len(self) > _MOST else ""

    def __repr__(self) -> str:
        return "\n".join(filter(None, (repr(self.table) if self else "", self._rest)))

    def _repr_html_(self) -> _html.Html:
        shown = [self.table._repr_html_()] if self else []
        return _html.join([*shown, *([_html.note(self._rest)] if self._rest else [])])


def _row(state: JobState, now: float) -> tuple[str, ...]:
    share = "" if state.progress is None else f" ({state.progress:.0%})"
    age = "" if state.created is None else duration(max(0.0, now - state.created))
    cells = (
        *(state.name, state.status.value, f"{state.step_text}{share}", age),
        *(state.gpu_ids, state.job_type),
    )
    return tuple(_plain(cell) for cell in cells)


def _plain(text: str) -> str:
    """Return a server's text on one line of bounded length, without what a terminal would obey."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _LETTERS else f"{line[: _LETTERS - 1]}…"
