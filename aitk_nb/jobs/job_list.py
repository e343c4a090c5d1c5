"""`JobList`: several jobs, shown as a table."""

import time

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb._units import duration
from aitk_nb.jobs.job import Job
from aitk_nb.models.job import JobState

_MOST = 50
"""Rows that are shown."""
_LETTERS = 60
"""Letters of a cell that are shown."""


class JobList(tuple[Job, ...]):
    """Jobs in their last known state, which a notebook and a terminal show as a table.

    Example:
        >>> [job.state.job_type for job in client.jobs.list()][:1]
        ['train']
    """

    @property
    def table(self) -> Table:
        """The first of them, one a row."""
        rows = [_row(job.state) for job in self[:_MOST]]
        if len(self) > _MOST:
            rows.append((f"and {len(self) - _MOST} more", "", "", "", "", ""))
        return Table(("name", "state", "progress", "age", "GPU", "type"), tuple(rows))

    def __repr__(self) -> str:
        return repr(self.table) if self else "no jobs"

    def _repr_html_(self) -> html.Html:
        return self.table._repr_html_() if self else html.note("no jobs")


def _row(state: JobState) -> tuple[str, ...]:
    share = "" if state.progress is None else f" ({state.progress:.0%})"
    age = "" if state.created is None else duration(max(0.0, time.time() - state.created))
    row = (state.name, state.status.value, state.step_text + share, age, state.gpu_ids)
    return tuple(map(_plain, (*row, state.job_type)))


def _plain(text: str) -> str:
    """Return a server's text on one line of bounded length, without what a terminal would obey."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _LETTERS else f"{line[: _LETTERS - 1]}…"
