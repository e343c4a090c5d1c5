"""`Checklist`: what was checked, what was found, and what to do about it.

Preflight, doctor, security findings, claims and the problems of a dataset are all checklists.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import computed_field

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb.models.report import JsonReport


class Status(enum.Enum):
    """The result of a check.

    Example:
        >>> aitk_nb.Status.PROBLEM.sign
        '✗'
    """

    OK = "ok"
    WARNING = "warning"
    """Allowed, and probably not what you want."""
    PROBLEM = "problem"
    """Wrong, dangerous or in the way."""
    SKIPPED = "skipped"
    """Not checked: the server doesn't offer what the check needs."""
    UNKNOWN = "unknown"
    """Checked, and the answer doesn't tell."""

    @property
    def sign(self) -> str:
        """The sign at the start of a line."""
        return _SHOWN[self][0]

    @property
    def kind(self) -> html.Kind:
        """The kind of badge."""
        return _SHOWN[self][1]


_SHOWN: dict[Status, tuple[str, html.Kind]] = {
    Status.OK: ("✓", "ok"),
    Status.WARNING: ("!", "warning"),
    Status.PROBLEM: ("✗", "error"),
    Status.SKIPPED: ("-", "info"),
    Status.UNKNOWN: ("?", "info"),
}


@dataclass(frozen=True, slots=True)
class Check(JsonReport):
    """One row of a checklist.

    Example:
        >>> print(aitk_nb.Check("disk", aitk_nb.Status.WARNING, "2 GB free.", "Delete old jobs."))
        ! disk: 2 GB free. Delete old jobs.
    """

    name: str
    """What was checked, or a code that does not change, such as `no-password`."""
    status: Status
    message: str
    """What was found, in one sentence."""
    remedy: str = ""
    """What to do about it; empty if there is nothing to do."""
    evidence: str = ""
    """What shows it, such as a request and its response."""

    def __str__(self) -> str:
        line = f"{self.status.sign} {self.name}: {self.message} {self.remedy}".rstrip()
        return f"{line}\n    evidence: {self.evidence}" if self.evidence else line


Row = TypeVar("Row", bound=Check)


class Checklist(tuple[Row, ...], Generic[Row]):
    """Rows of checks, shown as a table.

    Example:
        >>> checks = aitk_nb.Checklist([aitk_nb.Check("GPU", aitk_nb.Status.OK, "Free.")])
        >>> checks.ok, checks.problems
        (True, nothing to report)
    """

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """True if no check found a problem."""
        return not self.problems

    @property
    def problems(self) -> Checklist[Row]:
        """The rows that report a problem."""
        return Checklist(row for row in self if row.status is Status.PROBLEM)

    @property
    def table(self) -> Table:
        """The rows as a table; columns that are empty in every row are left out."""
        return self._table((row.status.sign for row in self), "")

    def html(self, caption: str = "", shown: int | None = None) -> html.Html:
        """Return the rows as an HTML table.

        Args:
            caption: Title of the table.
            shown: Number of rows at most; None shows all.
        """
        rows = Checklist(self[:shown])
        badges = (html.badge(row.status.value, row.status.kind) for row in rows)
        table = rows._table(badges, caption)
        cells = [[*row[:2], *map(html.breakable, row[2:])] for row in table.rows]
        page = html.table(table.headers, cells, caption=caption)
        more = len(self) - len(rows)
        return html.join([page, html.note(f"and {more} more")]) if more else page

    def as_list(self) -> list[dict[str, Any]]:
        """Return the rows as JSON-compatible values."""
        return [row.as_dict() for row in self]

    def _table(self, signs: Iterable[object], caption: str) -> Table:
        headers = ("", "check", "found", "evidence", "remedy")
        cells = (
            (sign, row.name, row.message, row.evidence, row.remedy)
            for sign, row in zip(signs, self, strict=True)
        )
        columns = [
            (header, column)
            for header, column in zip(headers, zip(*cells, strict=True), strict=False)
            if any(column)
        ]
        rows = tuple(zip(*(column for _, column in columns), strict=True))
        return Table(tuple(header for header, _ in columns), rows, caption)

    def __repr__(self) -> str:
        return repr(self.table) if self else "nothing to report"

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        return self.html() if self else html.badge("nothing to report", "ok")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> Any:
        return handler(tuple[Check, ...])


class ChecklistReport(JsonReport):
    """A report whose result is a checklist."""

    __slots__ = ()
    checks: Checklist[Check]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """True if no check found a problem."""
        return self.checks.ok

    @property
    def problems(self) -> Checklist[Check]:
        """The checks that found a problem."""
        return self.checks.problems

    @property
    def _caption(self) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self).__name__).capitalize()

    def __repr__(self) -> str:
        return repr(self.checks)

    def _repr_html_(self) -> html.Html:
        return self.checks.html(self._caption)
