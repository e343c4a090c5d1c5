"""The read-only commands `auth` and `doctor`: whether and how a server can be used."""

from contextlib import closing

import typer

from aitk_nb.auth.api import check_auth
from aitk_nb.auth.report import AuthReport
from aitk_nb.cli.app import AsJson, command, say, show, show_json
from aitk_nb.cli.server_options import Where, at_address
from aitk_nb.client import open_backend
from aitk_nb.connection.embedded import locate
from aitk_nb.doctor import doctor as examine
from aitk_nb.models.access import AuthState


@command("auth")
@at_address
def auth(where: Where, as_json: AsJson = False) -> None:
    """Check authentication and report security problems.

    Tries no credentials, invalid ones and yours.
    """
    report = check_auth(where.url, **where.options)
    show(report.as_dict, _in_words(report), as_json=as_json)
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


def _in_words(report: AuthReport) -> str:
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
