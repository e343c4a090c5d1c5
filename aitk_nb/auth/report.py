"""`AuthReport`: whether the server lets us in, why or why not, and what to do next."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import computed_field

from aitk_nb._display import html
from aitk_nb._display.table import Table, aligned
from aitk_nb.models.access import Access, AuthState, Credential, Outcome
from aitk_nb.models.checklist import Check, Checklist
from aitk_nb.models.report import JsonReport
from aitk_nb.models.server import Flavour

LET_IN = "let in"
"""The word for an open server that answers requests with no credentials or invalid ones."""

_BADGES: dict[str, html.Kind] = {
    Outcome.ALLOWED.value: "ok",
    Outcome.REFUSED.value: "error",
    Outcome.PUBLIC.value: "warning",
    Outcome.ABSENT.value: "info",
    Outcome.UNKNOWN.value: "info",
    LET_IN: "warning",
}

_LEGEND = {
    "(405)": "405: reached; the endpoint lacks that method",
    "(403)": "403 with a word other than refused: reached; the server refuses that path",
}


@dataclass(frozen=True, slots=True, repr=False)
class Matrix(Table):
    """Endpoint groups by credentials, with a badge for each outcome in HTML."""

    @property
    def legend(self) -> str:
        """The meaning of statuses that look like rejections; empty if there are none."""
        cells = [str(cell) for row in self.rows for cell in row[1:]]
        reached = [cell for cell in cells if not cell.startswith(Outcome.REFUSED.value)]
        told = [text for status, text in _LEGEND.items() if any(status in cell for cell in reached)]
        return f"{'; '.join(told)}." if told else ""

    def __repr__(self) -> str:
        return "\n".join(filter(None, (aligned(self.headers, self.rows), self.legend)))

    def _repr_html_(self) -> html.Html:
        rows = [(row[0], *(_badge(row[0], str(cell)) for cell in row[1:])) for row in self.rows]
        page = html.table(self.headers, rows, caption=self.caption)
        parts = [page, html.note(self.legend)] if self.legend else [page]
        return html.join(parts)


def _badge(group: object, cell: str) -> object:
    word = cell.rpartition(" ")[0]
    # A login page has to be public.
    harmless = (group, word) == ("page", Outcome.PUBLIC.value)
    return html.badge(cell, "info" if harmless else _BADGES[word]) if word else cell


@dataclass(frozen=True, slots=True)
class AuthReport(JsonReport):
    """The result of `check_auth`: whether the credentials are accepted, and what to do next.

    Example:
        >>> report = aitk_nb.check_auth(client.url)
        >>> report.ok, report.diagnosis
        (True, 'The server is open: no token is required.')
    """

    url: str
    """The address that was asked."""
    state: AuthState
    """Whether the credentials are accepted."""
    diagnosis: str
    """What was found, in one sentence."""
    next_step: str
    """What to do, in one sentence."""
    flavour: Flavour | None = None
    """The kind of server; None if no AI Toolkit answers."""
    product: str = ""
    """What answers, as far as can be told, such as "AI Toolkit's web UI"."""
    findings: Checklist[Check] = field(default=Checklist())
    """Security findings, worst first."""
    checks: tuple[Access, ...] = ()
    """What the server answered to each request with each credential."""
    cause: str = ""
    """Why nothing answers (`dns`, `refused`, `tls`, `timeout` …), or what answers instead."""
    detail: str = ""
    """The failure as the network reports it, if there was one."""
    skew: float | None = None
    """Seconds by which the server's clock is ahead of this machine's; None if unknown."""
    gateway: str = ""
    """The gateway or proxy in front, if the responses show one: `cloudflare`, `nginx` …"""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """True if calls will go through: the server is open, or accepts the credentials."""
        return self.state.is_in

    @property
    def matrix(self) -> Matrix:
        """The response of each group of endpoints to each credential, as a table."""
        shown = [c for c in Credential if any(check.credential is c for check in self.checks)]
        groups = list(dict.fromkeys(check.group for check in self.checks))
        cells = {(c.group, c.credential): self._cell(c) for c in self.checks}
        rows = tuple((group, *(cells.get((group, c), "") for c in shown)) for group in groups)
        return Matrix(("endpoints", *(c.value for c in shown)), rows, "Who is let in")

    def _cell(self, check: Access) -> str:
        unknown = check.credential in {Credential.NONE, Credential.WRONG}
        alarming = unknown and self.state is AuthState.OPEN and check.outcome is Outcome.ALLOWED
        return f"{LET_IN if alarming else check.outcome.value} ({check.status})"

    def to_html(self) -> str:
        """Return the report as a complete page for light and dark screens."""
        return str(html.page("Authentication", [self.html(whole=True)]))

    def html(self, *, whole: bool = False) -> html.Html:
        """Return the report as HTML; `whole` adds the address and the matrix, and folds nothing."""
        kind: html.Kind = "ok" if self.ok else "error"
        # A server that is open to others than this machine is nothing to be read in passing.
        is_alarming = self.state is AuthState.OPEN and bool(self.findings.problems)
        if is_alarming:
            kind = "warning"
        verdict = html.join([html.badge(self.state.value, kind), " ", self.diagnosis])
        parts: list[object] = [verdict, html.note(self.next_step)]
        if whole:
            parts.insert(0, html.note(self.url))
        if whole and self.checks:
            parts.append(self.matrix._repr_html_())
        if self.findings:
            title = "Security findings"
            unfolded = whole or is_alarming
            shown = self.findings.html(title if unfolded else "")
            parts.append(shown if unfolded else html.details(title, [shown]))
        return html.join(parts)

    def __repr__(self) -> str:
        return f"<AuthReport {self.state.value}: {self.diagnosis}>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        # Only what repeats: neither the address nor the clocks.
        findings = {finding.name: finding.status.value for finding in self.findings}
        result = {"state": self.state.value, "ok": self.ok, "findings": findings}
        return html.bundle(repr(self), self.html(), auth=result)
