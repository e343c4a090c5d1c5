"""Which flavour answers: told without a token, whatever stands at the address."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.detection.identify import detect
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import ConnectionFailed, NotSupported, ServerNotReady, Unauthorized
from aitk_nb.models.server import Ability, Flavour
from tests.backends.canned import Asked, Reply, canned, nobody

HTML = {"Content-Type": "text/html; charset=utf-8"}
NO_PAGE = Reply(404, "<html>404</html>", HTML)
GRADIO_CONFIG: dict[str, object] = {
    "version": "5.50.0",
    "api_prefix": "/gradio_api",
    "protocol": "sse_v3",
    "components": [],
    "dependencies": [],
}


def test_the_web_ui_is_recognized(demo_server: demo.DemoServer) -> None:
    """Open, and with the address as it was given."""
    flavour, connection = detect(Connection(demo_server.url))

    assert Flavour.WEBUI is flavour
    assert demo_server.url == connection.url


@pytest.mark.parametrize("token", [None, Secret("wrong")])
def test_the_web_ui_is_recognized_behind_its_token(
    token_server: demo.DemoServer, token: Secret | None
) -> None:
    """A 401 shows the flavour; whether the token is right is not asked."""
    flavour, connection = detect(Connection(token_server.url, token=token))

    assert Flavour.WEBUI is flavour
    assert connection.token is token


def test_no_token_and_nothing_that_acts_is_sent() -> None:
    """Detection asks one harmless GET, with the gateway's header and without the token."""
    connection_headers = {"X-Gateway": Secret("for-the-gateway")}
    with canned(Reply(body={"isAuthenticated": True})) as site:
        detect(Connection(site.url, token=Secret("the-token"), headers=connection_headers))

        assert [("GET", "/api/auth")] == [(asked.method, asked.path) for asked in site.asked]
        assert "authorization" not in site.asked[0].headers
        assert "for-the-gateway" == site.asked[0].headers["x-gateway"]


@pytest.mark.parametrize(
    "config",
    [
        Reply(body=GRADIO_CONFIG),
        Reply(body={**GRADIO_CONFIG, "version": "4.44.1", "api_prefix": None}),
        Reply(401, {"detail": {"error": "Not authenticated", "auth_message": None}}),
        Reply(401, {"detail": "Not authenticated"}),
    ],
)
def test_gradio_is_recognized(config: Reply) -> None:
    """Every generation of it, with and without a login, which is not sent yet."""
    login = ("somebody", "planted-7f3a")
    with canned(_app(config)) as site:
        assert Flavour.GRADIO is detect(Connection(site.url))[0]
        with aitk_nb.connect(site.url, credentials=login) as client:
            assert Flavour.GRADIO is client.flavour
            assert not client.can(Ability.LOG)
        assert {"GET"} == {asked.method for asked in site.asked}
        assert "planted-7f3a" not in repr(site.asked)


@pytest.mark.parametrize("protocol", ["ws", None])
def test_gradio_3_is_declined(protocol: str | None) -> None:
    """The error says what to do instead."""
    config = {**GRADIO_CONFIG, "version": "3.50.2", "protocol": protocol}
    if protocol is None:
        del config["protocol"]
    with (
        canned(_app(Reply(body=config))) as site,
        pytest.raises(NotSupported, match=r"Gradio 3\.50\.2 .*update gradio"),
    ):
        aitk_nb.connect(site.url)


def _app(config: Reply) -> Callable[[Asked], Reply]:
    return lambda asked: config if asked.path == "/config" else Reply(404, {"detail": "Not Found"})


@pytest.mark.parametrize("status", [502, 503, 524])
def test_a_pod_that_boots_is_not_ready(status: int) -> None:
    """Its gateway answers for it."""
    page = Reply(status, "<html>Bad gateway</html>", HTML)
    says = f"status {status}.*wait a minute"
    with canned(page) as site, pytest.raises(ServerNotReady, match=says):
        detect(Connection(site.url))


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (NO_PAGE, "status 404"),
        (Reply(200, "<html>Jupyter Server</html>", HTML), "Jupyter's page"),
        (Reply(200, "<html>Welcome</html>", HTML), "text/html"),
        (Reply(200, "hello"), "text/plain"),
        (Reply(200, {"version": 3}), "application/json"),
        (Reply(200, ["isAuthenticated"]), "application/json"),
        (Reply(500), "status 500"),
    ],
)
def test_something_else_is_no_training_server(reply: Reply, seen: str) -> None:
    """A web page, another API, a login page: named in one short sentence."""
    with canned(reply) as site, pytest.raises(ServerNotReady, match=re.escape(seen)) as caught:
        detect(Connection(site.url))

    assert "not understood" not in str(caught.value)
    assert "next=" not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (Reply(302, headers={"Location": "https://sso.example/?next=x"}), "https://sso.example/"),
        (Reply(303, headers={"Location": "/oauth2/start?rd=x"}), "/oauth2/start"),
        (Reply(200, "<input type=password>", HTML), "with a login page"),
        (Reply(403, "<title>Blocked</title>", HTML), "titled 'Blocked' (status 403)"),
        (Reply(403, {"message": "Forbidden"}), "with a refusal (status 403)"),
        (Reply(401, "", {"WWW-Authenticate": "Digest realm=x"}), "Digest credentials"),
    ],
)
def test_what_hides_behind_a_login_is_not_called_absent(reply: Reply, seen: str) -> None:
    """The gateway refuses; what is behind it cannot be seen, and no port is called wrong."""
    with canned(reply) as site, pytest.raises(Unauthorized, match=re.escape(seen)) as caught:
        detect(Connection(site.url))

    assert "can be seen without a login" in str(caught.value)
    assert "next=" not in str(caught.value)
    assert "rd=" not in str(caught.value)


def test_nobody_is_at_the_address() -> None:
    """Not the same as something else being there."""
    with pytest.raises(ConnectionFailed) as caught:
        detect(Connection(nobody()))

    assert not isinstance(caught.value, ServerNotReady)


@pytest.mark.parametrize("prefix", ["", "/user/me/proxy/8675"])
@pytest.mark.parametrize("page", ["/jobs", "/jobs/5b0e-17", "/dashboard", "/settings", "/datasets"])
def test_an_address_from_the_address_bar_is_taken(prefix: str, page: str) -> None:
    """A page of the web UI leads to its base, below a path too."""

    def answer(asked: Asked) -> Reply:
        if asked.path == f"{prefix}/api/auth":
            return Reply(401, {"error": "Unauthorized"})
        return NO_PAGE

    with canned(answer) as site:
        flavour, connection = detect(Connection(site.url + prefix + page))

        assert Flavour.WEBUI is flavour
        assert site.url + prefix == connection.url


def test_a_path_that_is_called_like_a_page_stays() -> None:
    """A gateway may mount the server below `/jobs`."""

    def answer(asked: Asked) -> Reply:
        found = asked.path == "/jobs/api/auth"
        return Reply(body={"isAuthenticated": True}) if found else NO_PAGE

    with canned(answer) as site:
        assert site.url + "/jobs" == detect(Connection(site.url + "/jobs"))[1].url


def test_connecting_says_nothing_about_credentials(token_server: demo.DemoServer) -> None:
    """A wrong token is found by the first call that needs it."""
    with aitk_nb.connect(token_server.url, token="wrong") as client:
        assert Flavour.WEBUI is client.flavour
        with pytest.raises(aitk_nb.errors.Unauthorized, match="rejects the token"):
            client.jobs.list()
    with aitk_nb.connect(token_server.url) as client:
        assert Flavour.WEBUI is client.flavour
        with pytest.raises(aitk_nb.errors.Unauthorized, match="none was given"):
            client.jobs.list()
