"""`check_auth` under each generation of Gradio."""

from __future__ import annotations

import pytest

from aitk_nb import check_auth, demo
from aitk_nb.models.access import AuthState, Credential, Outcome
from aitk_nb.models.server import Flavour
from tests.gradio_servers import LOGIN

USER, PASSWORD = LOGIN


def codes(report: object) -> set[str]:
    """Return the codes of a report's findings."""
    return {finding.name for finding in report.findings}  # type: ignore[attr-defined]


def test_an_app_without_a_login_is_open(any_server: demo.GradioServer, major: str) -> None:
    """Also to somebody who brings a login, which is never sent to it."""
    for credentials in (None, "a-token", LOGIN):
        report = check_auth(any_server.url, credentials=credentials)

        assert (AuthState.OPEN, Flavour.GRADIO) == (report.state, report.flavour)
        assert "no-password" in codes(report)
        assert ("old-gradio" in codes(report)) is (major == "4")
        assert ("needless-login" in codes(report)) is (credentials is LOGIN)


@pytest.mark.parametrize(
    ("credentials", "state", "words"),
    [
        (LOGIN, AuthState.ACCEPTED, "yours is accepted"),
        (f"{USER}:{PASSWORD}".replace(" ", "%20"), AuthState.REJECTED, "is rejected"),
        ((USER, "another"), AuthState.REJECTED, "is rejected"),
        ((PASSWORD, USER), AuthState.REJECTED, "is rejected"),
        (None, AuthState.MISSING, "none were given"),
        ("a-token", AuthState.MISSING, "a token was given"),
    ],
)
def test_an_app_with_a_login(
    any_login_server: demo.GradioServer, credentials: object, state: AuthState, words: str
) -> None:
    """The right login, wrong ones, none, and a token, which no Gradio app knows."""
    report = check_auth(any_login_server.url, credentials=credentials)  # type: ignore[arg-type]

    assert (state, Flavour.GRADIO) == (report.state, report.flavour)
    assert words in report.diagnosis
    assert PASSWORD not in repr(report) + report.to_html() + str(report.as_dict())


def test_the_password_protects_the_functions_too(any_login_server: demo.GradioServer) -> None:
    """The cookie opens everything, Basic opens nothing, and the page is everybody's."""
    cells = {
        (check.group, check.credential): check.outcome
        for check in check_auth(any_login_server.url, credentials=LOGIN).checks
    }
    groups = {group for group, _ in cells} - {"page"}

    assert {"login", "functions", "queue", "files"} == groups
    for group in groups:
        assert Outcome.ALLOWED is cells[group, Credential.COOKIE]
        for credential in (Credential.NONE, Credential.WRONG, Credential.BASIC):
            assert Outcome.REFUSED is cells[group, credential]
    assert Outcome.PUBLIC is cells["page", Credential.NONE]
