"""`check_auth` tells each state from the others, over real sockets, and changes nothing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from aitk_nb import check_auth
from aitk_nb.models import AuthState
from tests.backends.canned import Reply, canned
from tests.conftest import TOKEN
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer

ALLOWED = {("GET", "/api/auth"), ("GET", "/api/img/x"), ("GET", "/config"), ("GET", "/")}


def test_a_server_without_a_token_is_open(demo_server: DemoServer) -> None:
    """It is open also to somebody who sends a token, which proves nothing there."""
    for token in (None, "anything"):
        report = check_auth(demo_server.url, token)

        assert AuthState.OPEN is report.state
        assert report.ok
        assert "warning" == report.findings[0].severity


@pytest.mark.parametrize(
    ("token", "state"),
    [(TOKEN, AuthState.ACCEPTED), ("other", AuthState.REJECTED), (None, AuthState.MISSING)],
)
def test_a_server_with_a_token_is_told_by_three_answers(
    token_server: DemoServer, token: str | None, state: AuthState
) -> None:
    """The right token, a wrong one and none give three states."""
    report = check_auth(token_server.url, token)

    assert state is report.state
    assert (AuthState.ACCEPTED is state) is report.ok
    assert TOKEN not in repr(report) + report._repr_mimebundle_()["text/html"]


def test_public_files_behind_a_token_are_a_critical_finding(token_server: DemoServer) -> None:
    """What can be read without the token is said, with a remedy."""
    finding = check_auth(token_server.url, TOKEN).findings[0]

    assert "critical" == finding.severity
    assert "without the token" in finding.text
    assert finding.remedy


def test_nobody_there_is_unreachable() -> None:
    """A closed port is neither a wrong token nor a booting pod."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    report = check_auth(f"http://127.0.0.1:{port}")

    assert AuthState.UNREACHABLE is report.state
    assert report.detail


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(502, "<html>Bad gateway</html>", {"Content-Type": "text/html"}), AuthState.BOOTING),
        (Reply(200, "<html>JupyterLab</html>", {"Content-Type": "text/html"}), AuthState.NOT_AITK),
        (Reply(404, "<html>Not found</html>", {"Content-Type": "text/html"}), AuthState.NOT_AITK),
        (Reply(200, {"hello": "world"}), AuthState.NOT_AITK),
    ],
)
def test_something_else_is_told_from_a_training_server(reply: Reply, state: AuthState) -> None:
    """A gateway's error is a booting pod, and any other answer is somebody else's."""
    with canned(lambda _asked: reply) as server:
        report = check_auth(server.url, "secret-token")

    assert state is report.state
    assert not report.ok
    assert "secret-token" not in str(server.asked)


def test_it_asks_only_what_changes_nothing(token_server: DemoServer) -> None:
    """The requests are from a short list, and the token goes to none but the questions about it."""
    with FaultProxy(token_server.url) as proxy:
        check_auth(proxy.url, TOKEN)

    assert {(entry.method, entry.path.split("?")[0]) for entry in proxy.log} <= ALLOWED
