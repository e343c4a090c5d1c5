"""A survey as an HTML page and as Markdown, to keep and to share."""

import re
from collections.abc import Mapping, Sequence

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb.discovery import snippets
from aitk_nb.discovery.survey import Survey
from aitk_nb.models import OPERATIONS, Endpoint, Flavour, described

TITLE = "What this server offers"

KINDS: Mapping[str, html.Kind] = {
    "present": "ok",
    "changed": "warning",
    "absent": "error",
    "locked": "warning",
}

HOW = (
    "Nothing on the server was changed. To get code for an endpoint or an operation, call "
    "report.snippet(name, language)."
)


def page(report: Survey) -> html.Html:
    """Return the report as a self-contained page."""
    parts: list[object] = [html.definition([("address", report.url), *report.summary])]
    if report.flavour is not None:
        parts += [
            html.section("Operations", _operations(report)),
            html.section("Endpoints", [_endpoints(report)]),
            html.section("Common claims, checked", [report.claims.html()]),
            html.note(HOW),
        ]
    return html.page(TITLE, parts)


def _operations(report: Survey) -> list[html.Html]:
    parts = [html.table(report.operations_table.headers, report.operations_table.rows)]
    languages = ("curl", "python", "javascript")
    if report.flavour is Flavour.GRADIO:
        languages = ("curl", "gradio_client", "javascript")
    for name in OPERATIONS:
        if snippets.has_operation(report, name):
            shown: list[html.Html] = []
            for language in languages:
                code = snippets.snippet(report, name, language, {})
                shown += [html.strong(language), html.code(code)]
            parts.append(html.details(f"{name} in {', '.join(languages)}", shown))
    return parts


def _endpoints(report: Survey) -> html.Html:
    headers = ("endpoint", "parameters", "returns", "auth", "since", "state")
    since = report.flavour is Flavour.WEBUI
    rows = [
        (
            html.join([html.strong(e.name), html.line(f"{e.method} {e.path}"), html.note(e.does)]),
            described(e.parameters),
            e.result,
            e.auth,
            *([e.since] if since else []),
            _state(e),
        )
        for e in report.endpoints
    ]
    return html.table([h for h in headers if since or h != "since"], rows)


def _state(endpoint: Endpoint) -> html.Html:
    sign = html.badge(endpoint.state, KINDS.get(endpoint.state, "info"))
    return html.join([sign, html.note(endpoint.note)]) if endpoint.note else sign


# -- Markdown -------------------------------------------------------------------------------------


def markdown(report: Survey) -> str:
    """Return the report as Markdown, in which a server's text can't format anything."""
    parts = [f"# {TITLE}", _rows(("", ""), [("address", report.url), *report.summary])]
    if report.flavour is not None:
        parts += [
            "## Operations",
            _table(report.operations_table),
            "## Endpoints",
            _table(report.endpoints_table),
            "## Common claims, checked",
            _table(report.claims.table),
            _plain(HOW),
        ]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    return _rows(table.headers, table.rows)


def _rows(headers: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [headers, ["---"] * len(headers), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _plain(text: object) -> str:
    """Return the text escaped, so that Markdown makes no table, link, picture or tag of it."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&$])", r"\\\1", line)
