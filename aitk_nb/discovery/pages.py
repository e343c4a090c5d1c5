"""A discovery report as a page and as Markdown, to keep and to hand on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aitk_nb import _html
from aitk_nb.discovery.snippets import has_operation
from aitk_nb.models.endpoint import OPERATIONS, Endpoint, described
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb._table import Table
    from aitk_nb.discovery.survey import DiscoveryReport

__all__ = ["markdown", "page"]

TITLE = "What this AI Toolkit server offers"

KINDS: Mapping[str, _html.Kind] = {
    "present": "ok",
    "true": "ok",
    "changed": "warning",
    "absent": "error",
    "false": "error",
    "locked": "warning",
}

HOW = (
    "Found without changing anything on the server. Code for each endpoint and operation: "
    "report.snippet(name, language)."
)


def page(report: DiscoveryReport) -> _html.Html:
    """Return the report as a page that needs nothing else."""
    parts: list[object] = [_html.definition([("address", report.url), *report.summary])]
    if report.flavour is not None:
        parts += [
            _html.section("What you want to do", _operations(report)),
            _html.section("Endpoints", [_endpoints(report)]),
            _html.section("What you may have been told", [_claims(report)]),
            _html.note(HOW),
        ]
    return _html.page(TITLE, parts)


def _operations(report: DiscoveryReport) -> list[_html.Html]:
    parts = [_html.table(report.operations_table.headers, report.operations_table.rows)]
    languages = ("curl", "python", "javascript")
    if report.flavour is Flavour.GRADIO:
        languages = ("curl", "gradio_client", "javascript")
    for name in OPERATIONS:
        if has_operation(report, name):
            code = [(language, report.snippet(name, language)) for language in languages]
            shown = [part for language, text in code for part in _titled(language, text)]
            parts.append(_html.details(f"{name} in {', '.join(languages)}", shown))
    return parts


def _titled(language: str, text: str) -> tuple[_html.Html, _html.Html]:
    return _html.strong(language), _html.code(text)


def _endpoints(report: DiscoveryReport) -> _html.Html:
    headers = ("endpoint", "parameters", "returns", "auth", "since", "state")
    since = report.flavour is Flavour.WEBUI
    rows = [
        (
            _html.join(
                [_html.strong(e.name), _html.line(f"{e.method} {e.path}"), _html.note(e.does)]
            ),
            described(e.parameters),
            e.returns + (", bit by bit" if e.generator else ""),
            e.auth,
            *([e.since] if since else []),
            _state(e),
        )
        for e in report.endpoints
    ]
    return _html.table([h for h in headers if since or h != "since"], rows)


def _state(endpoint: Endpoint) -> _html.Html:
    sign = _html.badge(endpoint.state, KINDS.get(endpoint.state, "info"))
    return _html.join([sign, _html.note(endpoint.note)]) if endpoint.note else sign


def _claims(report: DiscoveryReport) -> _html.Html:
    rows = [
        (c.claim, _html.badge(c.verdict, KINDS.get(c.verdict, "info")), c.evidence, c.instead)
        for c in report.claims
    ]
    return _html.table(report.claims_table.headers, rows)


# -- Markdown -------------------------------------------------------------------------------------


def markdown(report: DiscoveryReport) -> str:
    """Return the report as Markdown, in which a server's words are words only."""
    parts = [f"# {TITLE}", _rows(("", ""), [("address", report.url), *report.summary])]
    if report.flavour is not None:
        parts += [
            "## What you want to do",
            _table(report.operations_table),
            "## Endpoints",
            _table(report.endpoints_table),
            "## What you may have been told",
            _table(report.claims_table),
            _plain(HOW),
        ]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    return _rows(table.headers, table.rows)


def _rows(headers: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [headers, ["---"] * len(headers), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _plain(text: object) -> str:
    """Return a text that Markdown shows as it is: no table, link, picture or tag comes of it."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&$])", r"\\\1", line)
