"""Commands that find out whether and how a server can be used, and change nothing on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from aitk_nb.cli.app import AsJson, Where, at_address, command, say, show_json
from aitk_nb.models.access import AuthState

if TYPE_CHECKING:
    from aitk_nb.auth.report import AuthReport

__all__ = ["auth", "doctor"]


@command("auth")
@at_address
def auth(where: Where, as_json: AsJson = False) -> None:
    """Tell whether the server lets you in, and what is unsafe.

    It is asked without credentials, with wrong ones and with yours.
    """
    from aitk_nb.auth.api import check_auth

    report = check_auth(where.url, where.credentials, where.headers, where.verify)
    if as_json:
        show_json(report.as_dict())
    else:
        typer.echo(_in_words(report))
    _exit(report.state)


@command("doctor")
@at_address
def doctor(where: Where, as_json: AsJson = False) -> None:
    """Examine the server from the line to its GPU, as a checklist.

    Ends with another exit code than 0 when something stands in the way of a training.
    """
    from aitk_nb.doctor import examine

    examination = examine(
        where.url,
        where.credentials,
        where.headers,
        where.verify,
        # With --json the checklist is for whoever watches, on stderr.
        report=(lambda step: say(str(step))) if as_json else (lambda step: typer.echo(str(step))),
    )
    if as_json:
        show_json(examination.as_dict())
    _exit(examination.auth.state)
    if not examination.ok:
        raise typer.Exit(1)


def _in_words(report: AuthReport) -> str:
    """Return the report for a terminal."""
    parts = [f"{report.state.value}: {report.diagnosis}", f"next: {report.next_step}"]
    if report.detail:
        parts.append(f"seen: {report.detail}")
    if report.checks:
        parts.append(f"\n{report.matrix}")
    for finding in report.findings:
        parts.append(f"\n{finding.severity}: {finding.text}")
        parts += [f"  evidence: {finding.evidence}", f"  remedy: {finding.remedy}"]
    return "\n".join(parts)


def _exit(state: AuthState) -> None:
    """End with the exit code that other commands have for this state."""
    if state in {AuthState.REJECTED, AuthState.MISSING}:
        raise typer.Exit(4)
    if not state.is_in:
        raise typer.Exit(3)
