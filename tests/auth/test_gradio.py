"""`check_auth` on the Gradio flavour; `tests/gradio` has the same for its older generations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aitk_nb import check_auth
from aitk_nb.models.access import AuthState
from tests.backends.canned import Asked, Reply, canned
from tests.gradio_servers import LOGIN
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import GradioServer

ALLOWED = {
    ("GET", "/api/auth"),
    ("GET", "/config"),
    ("GET", "/"),
    ("GET", "/gradio_api/info"),
    ("GET", "/gradio_api/login_check"),
    ("GET", "/gradio_api/queue/status"),
    ("GET", "/gradio_api/file=x"),
}
"""All that may be asked of an app without a login."""


def test_an_open_app(gradio_server: GradioServer) -> None:
    """Nothing but reading, and no login, which it would not understand."""
    with FaultProxy(gradio_server.url) as proxy:
        report = check_auth(proxy.url, credentials=LOGIN)

    assert AuthState.OPEN is report.state
    assert {(entry.method, entry.path.split("?")[0]) for entry in proxy.log} <= ALLOWED


@pytest.mark.parametrize(
    ("credentials", "state"),
    [
        (LOGIN, AuthState.ACCEPTED),
        ((LOGIN[0], "wrong"), AuthState.REJECTED),
        (None, AuthState.MISSING),
    ],
)
def test_a_closed_app(
    gradio_login_server: GradioServer, credentials: tuple[str, str] | None, state: AuthState
) -> None:
    """Logging in is all that is sent besides."""
    with FaultProxy(gradio_login_server.url) as proxy:
        report = check_auth(proxy.url, credentials=credentials)

    asked = {(entry.method, entry.path.split("?")[0]) for entry in proxy.log}
    assert state is report.state
    assert asked <= ALLOWED | {("POST", "/login")}


def gradio(config: Reply, login: Reply) -> object:
    """Return answers of a Gradio app with this description and this way to take a login."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/login":
            return login
        if "cookie" in asked.headers or asked.path == "/config":
            return config
        return Reply(401, {"detail": {"error": "Not authenticated", "auth_message": None}})

    return answer


LOCKED = Reply(401, {"detail": {"error": "Not authenticated", "auth_message": None}})


def test_an_app_that_takes_any_password_is_open() -> None:
    """The made-up one was let in like the given one."""
    login = Reply(200, {"success": True}, {"Set-Cookie": "access-token-unsecure-x=1; Path=/"})
    with canned(gradio(LOCKED, login)) as site:  # type: ignore[arg-type]
        report = check_auth(site.url, credentials=LOGIN)

    assert AuthState.OPEN is report.state
    assert "any-password" in {finding.name for finding in report.findings}


def test_an_app_behind_a_login_that_does_not_train() -> None:
    """That is seen only once the login was accepted."""
    config = {"version": "5.50.0", "components": [], "dependencies": [{"api_name": "text2img"}]}

    def answer(asked: Asked) -> Reply:
        if asked.path == "/login":
            right = b"username=somebody" in asked.body and b"of+the+tests" in asked.body
            cookie = {"Set-Cookie": "access-token-unsecure-x=1; Path=/"}
            return Reply(200, {"success": True}, cookie) if right else Reply(400, {"detail": "no"})
        if asked.path == "/config" and "cookie" in asked.headers:
            return Reply(200, config)
        return LOCKED

    with canned(answer) as site:
        assert AuthState.MISSING is check_auth(site.url).state
        report = check_auth(site.url, credentials=LOGIN)

    assert (AuthState.NOT_AITK, "Gradio app") == (report.state, report.cause)


def test_a_server_that_dies_while_it_is_asked() -> None:
    """What was found first does not count any more."""

    def answer(asked: Asked) -> Reply:
        return LOCKED if asked.path in {"/api/auth", "/config"} else Reply(close=True)

    with canned(answer) as site:
        assert AuthState.UNREACHABLE is check_auth(site.url, credentials=LOGIN).state
