"""The read-only commands `auth`, `doctor` and `discover`: whether and how a server can be used."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import typer

from aitk_nb._display.progress import reporting
from aitk_nb._files import write
from aitk_nb.auth.api import check_auth
from aitk_nb.auth.report import AuthReport
from aitk_nb.cli.app import AsJson, command, say, show, show_json
from aitk_nb.cli.server_options import Where, at_address
from aitk_nb.client import open_backend
from aitk_nb.connection.embedded import locate
from aitk_nb.discovery.api import discover as find_out
from aitk_nb.discovery.report import DiscoveryReport
from aitk_nb.doctor import doctor as examine
from aitk_nb.errors import BadInput
from aitk_nb.models.access import AuthState
from aitk_nb.models.endpoint import described

STDOUT = Path("-")
"""Instead of a file's name."""

DOCUMENTS: dict[str, Callable[[DiscoveryReport], str]] = {
    "html": DiscoveryReport.to_html,
    "openapi": lambda report: json.dumps(report.openapi(), indent=2) + "\n",
    "save": DiscoveryReport.operations_yaml,
    "typescript": DiscoveryReport.typescript_client,
}
"""What each option that takes a file writes to it."""


@command("discover")
@at_address
def discover(
    where: Where,
    as_json: AsJson = False,
    markdown: bool = False,
    html: Path | None = None,
    openapi: Path | None = None,
    save: Path | None = None,
    typescript: Path | None = None,
    snippet: str = "",
    language: str = "curl",
) -> None:
    """List the server's endpoints and how to call them.

    Read-only: nothing on the server changes.

    Args:
        markdown: Print Markdown on stdout.
        html: Write an HTML page to this file; - is stdout.
        openapi: Write a web UI's OpenAPI 3.1 document to this file; - is stdout.
        save: Write the operations to this YAML file, to edit them; - is stdout.
        typescript: Write a TypeScript client to this file; - is stdout.
        snippet: Print code that calls this endpoint or operation.
        language: Language: curl, python, gradio_client, javascript or typescript.
    """
    files = {"html": html, "openapi": openapi, "save": save, "typescript": typescript}
    on_stdout = [name for name, path in files.items() if path == STDOUT]
    if sum((as_json, markdown, bool(snippet), len(on_stdout))) > 1:
        raise BadInput(
            "--json, --markdown, --snippet and a file named - all write to stdout; choose one."
        )
    with reporting("auto", "asking", in_bytes=False) as progress:
        report = find_out(where.url, progress=progress, **where.options)
    for name, path in files.items():
        if path and path != STDOUT and not report.failure:
            say(f"written to {write(path, DOCUMENTS[name](report))}")
    if as_json:
        show_json(report.as_dict())
    if report.failure:
        say(f"aitk-nb: {report.failure}")
        raise typer.Exit(4 if report.is_hidden else 3)
    for name in on_stdout:
        typer.echo(DOCUMENTS[name](report), nl=False)
    if snippet:
        typer.echo(report.snippet(snippet, language), nl=False)
    elif markdown:
        typer.echo(report.to_markdown(), nl=False)
    elif not as_json and not on_stdout:
        typer.echo(_in_words(report))
    if report.is_hidden:
        say(f"aitk-nb: What {report.url} has cannot be seen without a login or a token.")
        raise typer.Exit(4)


def _in_words(report: DiscoveryReport) -> str:
    """Return the report for a terminal, without what a table cannot hold."""
    lines = [f"{name}: {value}" for name, value in report.summary]
    lines.append("\nendpoints")
    width = max((len(e.name) for e in report.endpoints), default=0)
    for e in report.endpoints:
        note = f" ({e.note})" if e.note else ""
        since = f", since {e.since}" if e.since else ""
        lines.append(f"  {e.name.ljust(width)}  {e.method} {e.path}  {e.state}{note}{since}")
        if e.parameters:
            lines.append(f"  {' ' * width}  takes {described(e.parameters)}")
    lines.append("\noperations")
    for operation in report.operations.values():
        calls = " → ".join(operation.calls) or report.absent
        lines.append(f"  {operation.name}: {calls} ({operation.confidence:.0%})")
    lines.append(f"\nclaims\n{report.claims}")
    lines.append("\nmore: --json, --markdown, --html FILE; --snippet NAME --language python")
    return "\n".join(lines)


@command("auth")
@at_address
def auth(where: Where, as_json: AsJson = False) -> None:
    """Check authentication and report security problems.

    Tries no credentials, invalid ones and yours.
    """
    report = check_auth(where.url, **where.options)
    show(report.as_dict, _told(report), as_json=as_json)
    _exit(report.state)


@command("doctor")
@at_address
def doctor(where: Where, as_json: AsJson = False) -> None:
    """Check the server from network to GPU.

    Exits non-zero if anything would block training.
    """
    report = examine(
        locate(where.url, any_token=True, **where.options),
        lambda connection: closing(open_backend(connection)),
        # With --json the checklist is for people who watch, on stderr.
        report=lambda check: (say if as_json else typer.echo)(str(check)),
    )
    if as_json:
        show_json(report.as_dict())
    _exit(report.auth.state)
    if not report.ok:
        raise typer.Exit(1)


def _told(report: AuthReport) -> str:
    """Return the report for a terminal."""
    parts = [f"{report.state.value}: {report.diagnosis}", f"next: {report.next_step}"]
    if report.detail:
        parts.append(f"seen: {report.detail}")
    if report.checks:
        parts.append(f"\n{report.matrix}")
    if report.findings:
        parts.append(f"\n{report.findings}")
    return "\n".join(parts)


def _exit(state: AuthState) -> None:
    """End with the exit code that other commands have for this state."""
    if state in {AuthState.REJECTED, AuthState.MISSING}:
        raise typer.Exit(4)
    if not state.is_in:
        raise typer.Exit(3)
