"""`AuthReport`: whether we may in, why (not), and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aitk_nb import _html
from aitk_nb._table import Table
from aitk_nb.models.access import Access, AuthState, Credential, Finding, Outcome
from aitk_nb.models.server import Flavour

__all__ = ["AuthReport", "Matrix"]

LET_IN = "let in"
"""Of an open server, to whoever shows nothing, or something wrong."""

MIME = "application/vnd.aitk.auth+json"

_BADGES: dict[Outcome, _html.Kind] = {
    Outcome.ALLOWED: "ok",
    Outcome.REFUSED: "error",
    Outcome.PUBLIC: "warning",
    Outcome.ABSENT: "info",
    Outcome.UNKNOWN: "info",
}
_KINDS: dict[str, _html.Kind] = {"critical": "error", "warning": "warning", "info": "info"}


@dataclass(frozen=True, slots=True, repr=False)
class Matrix(Table):
    """Endpoint groups by credentials; coloured where it is shown as a page."""

    @property
    def legend(self) -> str:
        """What the statuses in the cells mean that look like refusals; empty without any."""
        cells = [str(cell) for row in self.rows for cell in row[1:]]
        reached = [cell for cell in cells if not cell.startswith(Outcome.REFUSED.value)]
        told = [text for status, text in _STATUSES if any(status in cell for cell in reached)]
        return f"{'; '.join(told)}." if told else ""

    def __str__(self) -> str:
        return "\n".join(filter(None, (repr(self), self.legend)))

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        page = _html.table(self.headers, self.painted(), caption=self.caption)
        parts = [page, _html.note(self.legend)] if self.legend else [page]
        return {"text/plain": str(self), "text/html": _html.join(parts)}

    def painted(self) -> list[tuple[object, ...]]:
        """Return the rows with a sign and a colour for each outcome."""
        return [(row[0], *(_painted(row[0], cell) for cell in row[1:])) for row in self.rows]


_STATUSES = (
    ("(405)", "405: reached, that method is not for it"),
    ("(403)", "403 beside another word than refused: reached, that path is not handed out"),
)


def _painted(group: object, cell: object) -> object:
    word = str(cell).partition(" ")[0]
    if str(cell).startswith(LET_IN):
        return _html.badge(cell, "warning")
    known = {outcome.value: kind for outcome, kind in _BADGES.items()}
    if word not in known:
        return cell
    # A login page has to be everybody's.
    kind = "info" if (group, word) == ("page", Outcome.PUBLIC.value) else known[word]
    return _html.badge(cell, kind)


@dataclass(frozen=True, slots=True)
class AuthReport:
    """Whether we may in, why (not), and what to do next."""

    url: str
    state: AuthState
    diagnosis: str
    """What holds, in one sentence."""
    next_step: str
    """What to do, in one sentence."""
    flavour: Flavour | None = None
    """Which face of AI Toolkit answers; None when none does."""
    findings: tuple[Finding, ...] = ()
    """What is dangerous or mistaken, worst first."""
    checks: tuple[Access, ...] = ()
    """What the server answered to each question with each credential."""
    cause: str = ""
    """Why nobody answers (`dns`, `refused`, `tls`, `timeout` …), or what answers instead."""
    detail: str = ""
    """The failure in the words of the network, where there was one."""
    skew: float | None = None
    """Seconds by which the server's clock is ahead of this machine's; None when it did not say."""
    gateway: str = ""
    """What stands between, as far as the answers tell: `cloudflare`, `nginx` …"""

    @property
    def ok(self) -> bool:
        """True when calls will go through."""
        return self.state.is_in

    @property
    def matrix(self) -> Matrix:
        """What each group of endpoints answers to each credential."""
        shown = [c for c in Credential if any(check.credential is c for check in self.checks)]
        groups = list(dict.fromkeys(check.group for check in self.checks))
        cells = {(c.group, c.credential): self._cell(c) for c in self.checks}
        rows = tuple((group, *(cells.get((group, c), "") for c in shown)) for group in groups)
        return Matrix(("endpoints", *(c.value for c in shown)), rows, "Who is let in")

    def _cell(self, check: Access) -> str:
        unknown = check.credential in {Credential.NONE, Credential.WRONG}
        alarming = unknown and self.state is AuthState.OPEN and check.outcome is Outcome.ALLOWED
        return f"{LET_IN if alarming else check.outcome.value} ({check.status})"

    @property
    def answers_table(self) -> Table:
        """Each question, the credential that went with it, and the answer."""
        rows = tuple(
            (c.group, c.request, c.credential.value, c.outcome.value, c.evidence)
            for c in self.checks
        )
        return Table(("endpoints", "request", "credential", "outcome", "answer"), rows)

    @property
    def findings_table(self) -> Table:
        """What is dangerous or mistaken, what shows it, and the remedy."""
        rows = tuple((f.severity, f.text, f.evidence, f.remedy) for f in self.findings)
        return Table(("severity", "finding", "evidence", "remedy"), rows)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON; see `schemas/authentication.json`."""
        return {
            "url": self.url,
            "state": self.state.value,
            "ok": self.ok,
            "flavour": self.flavour.value if self.flavour else None,
            "diagnosis": self.diagnosis,
            "next_step": self.next_step,
            "cause": self.cause,
            "detail": self.detail,
            "clock_skew_seconds": None if self.skew is None else round(self.skew),
            "gateway": self.gateway,
            "checks": [check.as_dict() for check in self.checks],
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def to_html(self) -> str:
        """Return the report as a page of its own, for light and dark screens."""
        return str(_html.page("Authentication", [self._page(whole=True)]))

    def __repr__(self) -> str:
        return f"<AuthReport {self.state.value}: {self.diagnosis}>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        # Only what repeats: neither the address nor what the clocks say.
        findings = [{"code": f.code, "severity": f.severity} for f in self.findings]
        result = {"state": self.state.value, "ok": self.ok, "findings": findings}
        return {"text/plain": repr(self), "text/html": self._page(), MIME: result}

    def _page(self, *, whole: bool = False) -> _html.Html:
        kind: _html.Kind = "ok" if self.ok else "error"
        if self.ok and any(f.severity != "info" for f in self.findings):
            kind = "warning"
        verdict = _html.join([_html.badge(self.state.value, kind), " ", self.diagnosis])
        parts: list[object] = [verdict, _html.note(self.next_step)]
        if whole:
            parts.insert(0, _html.note(self.url))
        if whole and self.checks:
            parts.append(self.matrix._repr_mimebundle_()["text/html"])
        return _html.join([*parts, self._findings_html()])

    def _findings_html(self) -> _html.Html:
        if not self.findings:
            return _html.Html("")
        rows = [
            (
                _html.badge(f.severity, _KINDS[f.severity]),
                _html.join([f.text, " ", _html.note(f.evidence)]),
                f.remedy,
            )
            for f in self.findings
        ]
        return _html.table(("severity", "finding", "remedy"), rows, caption="Findings")
