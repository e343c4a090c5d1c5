"""`aitk-nb discover`: what a server offers, in words, as files, and as code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aitk_nb._files import replacing
from aitk_nb.cli.common import AsJson, Where, at_address, command, counter, say, show_json
from aitk_nb.errors import BadInput

if TYPE_CHECKING:
    from aitk_nb.discovery_report import DiscoveryReport

__all__ = ["discover"]


@command("discover")
@at_address
def discover(
    where: Where,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown on stdout.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file.")] = None,
    openapi: Annotated[
        Path | None, typer.Option(help="Write an OpenAPI 3.1 document of a web UI to this file.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the operations to this YAML file, to correct them.")
    ] = None,
    typescript: Annotated[
        Path | None, typer.Option(help="Write a TypeScript client to this file.")
    ] = None,
    snippet: Annotated[
        str, typer.Option(help="Code on stdout that calls this endpoint, or does this operation.")
    ] = "",
    language: Annotated[
        str,
        typer.Option(help="Of the code: curl, python, gradio_client, javascript or typescript."),
    ] = "curl",
) -> None:
    """Find out what the server offers, and how to call it.

    Nothing on the server changes.
    """
    # Imported late: the other commands start quicker without it.
    from aitk_nb.discovery import discover as find_out

    if sum((as_json, markdown, bool(snippet))) > 1:
        raise BadInput("--json, --markdown and --snippet all write to stdout; choose one.")
    with counter("asking") as progress:
        report = find_out(
            where.url, where.credentials, where.headers, where.verify, progress=progress
        )
    if not report.failure:
        _write(report, html, openapi, save, typescript)
    if as_json:
        show_json(report.as_dict())
    if report.failure:
        say(f"aitk-nb: {report.failure}")
        raise typer.Exit(3)
    if snippet:
        typer.echo(report.snippet(snippet, language), nl=False)
    elif markdown:
        typer.echo(report.to_markdown(), nl=False)
    elif not as_json:
        typer.echo(_in_words(report))


def _write(
    report: DiscoveryReport,
    html: Path | None,
    openapi: Path | None,
    save: Path | None,
    typescript: Path | None,
) -> None:
    if html:
        report.to_html(html)
    if openapi:
        with replacing(openapi) as draft:
            draft.write_text(json.dumps(report.openapi(), indent=2) + "\n", encoding="utf-8")
    if save:
        report.save(save)
    if typescript:
        text = report.typescript_client()
        with replacing(typescript) as draft:
            draft.write_text(text, encoding="utf-8")
    for path in filter(None, (html, openapi, save, typescript)):
        say(f"written to {path}")


def _in_words(report: DiscoveryReport) -> str:
    """Return the report for a terminal, without what a table cannot hold."""
    lines = [f"{name}: {value}" for name, value in report.summary]
    lines.append("\nendpoints")
    width = max((len(e.name) for e in report.endpoints), default=0)
    for e in report.endpoints:
        note = f" ({e.note})" if e.note else ""
        lines.append(f"  {e.name.ljust(width)}  {e.method} {e.path}  {e.state}{note}")
    lines.append("\noperations")
    for operation in report.operations.values():
        calls = " → ".join(operation.calls) or "not on this server"
        lines.append(f"  {operation.name}: {calls} ({operation.confidence:.0%})")
    lines.append("\nclaims")
    for claim in report.claims:
        lines.append(f"  {claim.verdict}: {claim.claim}")
        lines.append(f"    {claim.evidence}")
        lines += [f"    instead: {claim.instead}"] if claim.instead else []
    lines.append("\nmore: --json, --markdown, --html FILE; --snippet NAME --language python")
    return "\n".join(lines)
