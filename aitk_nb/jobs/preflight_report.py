"""`Preflight`: what is known before a training starts, as a list of checks."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from aitk_nb import _html
from aitk_nb._table import Table
from aitk_nb.jobs.estimate import EstimateReport

__all__ = ["Check", "Preflight", "Verdict", "note", "ok", "problem", "unknown"]


class Verdict(enum.Enum):
    """What came of a check."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


_KINDS: dict[Verdict, _html.Kind] = {
    Verdict.OK: "ok",
    Verdict.NOTE: "warning",
    Verdict.PROBLEM: "error",
    Verdict.UNKNOWN: "info",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    about: str
    verdict: Verdict
    text: str
    """What was found, and what to do where it is no good."""


@dataclass(frozen=True)
class Preflight:
    """All checks of one training on one server, as they stood when they were made."""

    name: str
    checks: tuple[Check, ...]
    images: int | None = None
    """Images in its datasets."""
    estimate: EstimateReport = field(default_factory=EstimateReport)

    @property
    def ok(self) -> bool:
        """True when nothing was found that keeps the training from being started or from ending."""
        return not self.problems

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that found one."""
        return tuple(check for check in self.checks if check.verdict is Verdict.PROBLEM)

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "name": self.name,
            "ok": self.ok,
            "images": self.images,
            "seconds": self.estimate.seconds,
            "money": self.estimate.money,
            "checkpoint_size": self.estimate.checkpoint_size,
            "checks": [
                {"about": check.about, "verdict": check.verdict.value, "text": check.text}
                for check in self.checks
            ],
        }

    def __repr__(self) -> str:
        rows = tuple((check.verdict.value, check.about, check.text) for check in self.checks)
        return repr(Table(("", "check", "found"), rows))

    def html(self) -> _html.Html:
        """Return it as a table."""
        rows = [
            (
                check.about,
                _html.badge(check.verdict.value, _KINDS[check.verdict]),
                _html.breakable(check.text),
            )
            for check in self.checks
        ]
        caption = f"Before {self.name} starts"
        return _html.table(("check", "", "found"), rows, caption=caption)

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def ok(about: str, text: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(about, Verdict.OK, text)


def note(about: str, text: str) -> Check:
    """Return a check that found what may not be meant."""
    return Check(about, Verdict.NOTE, text)


def problem(about: str, text: str) -> Check:
    """Return a check that found what keeps a training from starting or ending."""
    return Check(about, Verdict.PROBLEM, text)


def unknown(about: str, text: str) -> Check:
    """Return a check that could not be made."""
    return Check(about, Verdict.UNKNOWN, text)
