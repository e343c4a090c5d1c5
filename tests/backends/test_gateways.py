"""Gateways in front of a server, each over real sockets: what goes through, and to whom."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

import aitk_nb
from aitk_nb import check_auth, demo
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import AitkError, ServerNotReady, Unauthorized
from aitk_nb.models.access import AuthState
from tests.backends.canned import Asked, Reply, canned
from tests.backends.certificate import server_context
from tests.conftest import TOKEN

PASSWORD = "of-the-gateway"
BASIC = "Basic bWU6b2YtdGhlLWdhdGV3YXk="  # me:of-the-gateway
WANTED = Reply(401, "<html>401</html>", {"WWW-Authenticate": 'Basic realm="x"'})
GATEWAY_TOKEN = "token-of-the-gateway"


def web_ui(asked: Asked, *, prefix: str = "", token: str = "") -> Reply:
    """Answer as a web UI with one job-less list, below a prefix and behind a token."""
    path = asked.path.removeprefix(prefix)
    if not asked.path.startswith(prefix):
        return Reply(404, "<html></html>", {"Content-Type": "text/html"})
    if token and asked.headers.get("authorization") != f"Bearer {token}":
        return Reply(401, {"error": "Unauthorized"})
    known = {"/api/auth": {"isAuthenticated": True}, "/api/jobs": {"jobs": []}}
    return Reply(200, known[path]) if path in known else Reply(404, "<html></html>")


def test_extra_headers_go_beside_the_bearer() -> None:
    """Without its header the gateway is seen, and with it the server behind."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("x-gateway") != GATEWAY_TOKEN:
            return Reply(403, "<html><title>Access denied</title></html>")
        return web_ui(asked, token=TOKEN)

    with canned(answer) as site:
        refused = check_auth(site.url, token=TOKEN)
        report = check_auth(site.url, token=TOKEN, headers={"X-Gateway": GATEWAY_TOKEN})
        with aitk_nb.connect(site.url, token=TOKEN, headers={"X-Gateway": GATEWAY_TOKEN}) as client:
            assert () == client.jobs.list()

    assert AuthState.MISSING is refused.state
    assert "titled 'Access denied' (status 403)" in refused.diagnosis
    assert AuthState.ACCEPTED is report.state


def behind_basic(asked: Asked) -> Reply:
    """Answer as a web UI without a token behind a gateway that wants Basic credentials."""
    return web_ui(asked) if asked.headers.get("authorization") == BASIC else WANTED


@pytest.mark.parametrize(
    "given",
    [{"credentials": ("me", PASSWORD)}, {"headers": {"Authorization": BASIC}}],
    ids=["login", "header"],
)
def test_basic_credentials_of_a_gateway(given: dict[str, object]) -> None:
    """Given as a header, or as user name and password, which go there only where it asks."""
    with canned(behind_basic) as site:
        report = check_auth(site.url, **given)  # type: ignore[arg-type]
        with aitk_nb.connect(site.url, **given) as client:  # type: ignore[arg-type]
            assert () == client.jobs.list()

    assert AuthState.OPEN is report.state


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, AuthState.MISSING),
        ({"credentials": "a-token"}, AuthState.MISSING),
        ({"credentials": ("me", "wrong")}, AuthState.REJECTED),
        ({"headers": {"Authorization": "Basic d3Jvbmc6"}}, AuthState.REJECTED),
    ],
)
def test_a_gateway_that_does_not_let_us_through(given: dict[str, object], state: AuthState) -> None:
    """It is the gateway that is named, not the server's token, and no pod that boots."""
    with canned(behind_basic) as site:
        report = check_auth(site.url, **given)  # type: ignore[arg-type]
        with pytest.raises(Unauthorized, match="gateway") as caught:
            aitk_nb.connect(site.url, **given)  # type: ignore[arg-type]

    assert (state, "gateway") == (report.state, report.cause)
    assert "gateway" in report.next_step
    assert "with a request for Basic credentials (status 401)" == caught.value.gateway
    assert "booting" not in str(caught.value)
    assert "a-token" not in str(site.asked)


def test_a_login_goes_to_nobody_who_does_not_ask() -> None:
    """Neither to an open web UI nor to one that wants a token."""
    with (
        canned(lambda asked: web_ui(asked, token=TOKEN)) as site,
        aitk_nb.connect(site.url, credentials=("me", PASSWORD)) as client,
        pytest.raises(AitkError),
    ):
        client.jobs.list()

    assert {None} == {asked.headers.get("authorization") for asked in site.asked}


def test_a_private_ca_and_a_base_path_together(tmp_path: Path) -> None:
    """As behind a company's gateway: all of it below a path, by TLS of its own."""
    context, ca = server_context(tmp_path)
    prefix = "/user/me/proxy/8675"
    with canned(lambda asked: web_ui(asked, prefix=prefix, token=TOKEN), context) as site:
        report = check_auth(f"{site.url}{prefix}/", token=TOKEN, verify=ca)
        with aitk_nb.connect(site.url + prefix, token=TOKEN, verify=ca) as client:
            assert () == client.jobs.list()
        assert "tls" == check_auth(site.url + prefix, token=TOKEN).cause

    assert AuthState.ACCEPTED is report.state
    assert all(asked.path.startswith(prefix) for asked in site.asked)


def test_an_http_proxy_is_used_and_loopback_is_not(
    token_server: demo.DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy stands for the server elsewhere; the one on this machine is asked past it."""
    with canned(lambda asked: web_ui(asked, token=TOKEN)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        report = check_auth("http://pod.example:8675", token=TOKEN)
        with aitk_nb.connect("http://pod.example:8675", token=TOKEN) as client:
            assert () == client.jobs.list()
        through = len(proxy.asked)
        direct = check_auth(token_server.url, token=TOKEN)

    assert AuthState.ACCEPTED is report.state is direct.state
    assert {"pod.example:8675"} == {asked.headers["host"] for asked in proxy.asked}
    assert through == len(proxy.asked)
    assert "plain-http" in {finding.name for finding in report.findings}


def said(call: Callable[[str], object], url: str) -> str:
    """Return what a check says in its diagnosis, or `connect` in its error."""
    try:
        report = call(url)
    except ServerNotReady as exc:
        return str(exc)
    assert AuthState.NOT_AITK is report.state  # type: ignore[attr-defined]
    return str(report.diagnosis)  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "call",
    [
        lambda url: check_auth(url, token=TOKEN, headers={"X-Gateway": GATEWAY_TOKEN}),
        lambda url: check_auth(url, credentials=("me", PASSWORD), headers={"Authorization": BASIC}),
        lambda url: aitk_nb.connect(url, token=TOKEN, headers={"X-Gateway": GATEWAY_TOKEN}),
    ],
    ids=["token", "login", "connect"],
)
def test_a_redirect_to_another_host_gets_nothing(
    status: int, call: Callable[[str], object]
) -> None:
    """Nobody goes there, with or without credentials; where it leads is said."""
    with canned(web_ui) as elsewhere:
        there = elsewhere.url.replace("127.0.0.1", "localhost")

        def move(asked: Asked) -> Reply:
            return Reply(status, headers={"Location": there + asked.path})

        with canned(move) as site:
            assert there in said(call, site.url)

    assert [] == elsewhere.asked


def test_a_redirect_after_connecting_takes_no_token_along() -> None:
    """Also a server that was sound when it was found may send us elsewhere."""
    with canned(web_ui) as elsewhere:

        def move(asked: Asked) -> Reply:
            if asked.path == "/api/auth":
                return Reply(200, {"isAuthenticated": True})
            return Reply(307, headers={"Location": f"{elsewhere.url}{asked.path}"})

        with (
            canned(move) as site,
            aitk_nb.connect(site.url, token=TOKEN) as client,
            pytest.raises(AitkError, match="redirect"),
        ):
            client.jobs.list()

    assert [] == elsewhere.asked


def test_a_gateway_that_sends_everybody_to_https(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same host, same path: the secure address is taken, and only there the token is sent."""
    context, ca = server_context(tmp_path)
    with canned(lambda asked: web_ui(asked, token=TOKEN), context) as secure:

        def upgrade(asked: Asked) -> Reply:
            return Reply(308, headers={"Location": secure.url + asked.path})

        with canned(upgrade) as plain:
            report = check_auth(plain.url, token=TOKEN, verify=ca)
            with aitk_nb.connect(plain.url, token=TOKEN, verify=ca) as client:
                assert () == client.jobs.list()
                assert secure.url == client.url

    assert (AuthState.ACCEPTED, secure.url) == (report.state, report.url)
    assert TOKEN not in str(plain.asked)


# -- what the HTTP library logs -------------------------------------------------------------------


def echo(asked: Asked) -> Reply:
    """Say in the headers what was sent, and set a cookie that opens everything."""
    sent = asked.headers.get("authorization", "nothing")
    word = sent.split(" ")[-1]
    more = {
        "X-Echo": sent,
        "X-Word": word,
        "X-Gateway": asked.headers.get("x-gateway", "-"),
        "Set-Cookie": "access-token-abc=cookie-that-opens; HttpOnly; Path=/",
    }
    if asked.path == "/login":
        more["X-Form"] = asked.body.decode().split("password=")[-1]
    if asked.path == "/config":
        return Reply(401, {"detail": {"error": "Not authenticated"}}, more)
    if asked.path == "/api/auth":
        return Reply(404, {"detail": "Not Found"}, more)
    return Reply(200, {"success": True}, more)


def test_no_echo_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG the library logs each header of an answer; what is ours is blotted out."""
    caplog.set_level(logging.DEBUG)
    with canned(echo) as site:
        check_auth(site.url, credentials=("me", PASSWORD), headers={"X-Gateway": GATEWAY_TOKEN})

        def web(asked: Asked) -> Reply:
            reply = echo(asked)
            body = {"isAuthenticated": True, "jobs": []}
            return Reply(200, body, reply.headers)

        site.answer = web
        check_auth(site.url, token=TOKEN, headers={"X-Gateway": GATEWAY_TOKEN})
        with aitk_nb.connect(site.url, token=TOKEN) as client:
            client.jobs.list()
        with aitk_nb.connect(site.url, headers={"Authorization": BASIC}) as client:
            client.jobs.list()

    sent = str([asked.headers for asked in site.asked]) + str([a.body for a in site.asked])
    assert "x-echo" in caplog.text.lower()
    assert "set-cookie" in caplog.text.lower()
    for secret in (TOKEN, PASSWORD, GATEWAY_TOKEN, BASIC.split()[1]):
        assert secret in sent, "it was sent, and so it was echoed"
        assert secret not in caplog.text
    assert "cookie-that-opens" not in caplog.text


def test_the_logs_of_others_are_left_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    """Lines of the library that hold no secret keep their arguments."""
    caplog.set_level(logging.DEBUG)
    with canned(web_ui) as site, aitk_nb.connect(Connection(site.url, token=Secret(TOKEN))) as c:
        c.jobs.list()

    record = next(record for record in caplog.records if record.name == "httpx")
    assert record.args
    assert "/api/auth" in record.getMessage()
