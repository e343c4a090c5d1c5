"""`check_auth` tells each state from the others, over real sockets, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aitk_nb import check_auth
from aitk_nb.models.access import AuthState
from aitk_nb.models.server import Flavour
from tests.auth import foreign_sites as sites
from tests.backends.canned import Answer, Asked, Reply, canned, nobody
from tests.backends.certificate import server_context
from tests.conftest import TOKEN
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer

ALLOWED = {
    ("GET", "/api/auth"),
    ("GET", "/api/img/x"),
    ("GET", "/api/files/x"),
    ("GET", "/api/settings"),
    ("GET", "/config"),
    ("GET", "/"),
    ("PUT", "/api/jobs"),
    ("PUT", "/api/datasets/list"),
    ("PUT", "/api/settings"),
    ("PUT", "/api/aitk-nb-has-no-such-endpoint"),
}
"""All that may be asked of a web UI: these read, or do nothing at all."""


def one_sentence(text: str) -> bool:
    """Return whether a text is one sentence."""
    return text.endswith(".") and ". " not in text and text[0].isupper()


# -- a web UI -------------------------------------------------------------------------------------


def test_a_server_without_a_token_is_open(demo_server: DemoServer) -> None:
    """It is open also to somebody who sends a token, which proves nothing there."""
    for token in (None, "anything", ("user", "anything")):
        report = check_auth(demo_server.url, credentials=token)

        assert (AuthState.OPEN, Flavour.WEBUI) == (report.state, report.flavour)
        assert report.ok
        assert "no-password" == report.findings[0].name


@pytest.mark.parametrize(
    ("token", "state"),
    [
        (TOKEN, AuthState.ACCEPTED),
        ("other", AuthState.REJECTED),
        (f"{TOKEN}x", AuthState.REJECTED),
        ("tökén", AuthState.REJECTED),
        (None, AuthState.MISSING),
        (("user", "other"), AuthState.MISSING),
    ],
)
def test_a_server_with_a_token_is_told_by_three_answers(
    token_server: DemoServer, token: str | None, state: AuthState
) -> None:
    """The right token, a wrong one and none give three states."""
    report = check_auth(token_server.url, credentials=token)

    assert (state, Flavour.WEBUI) == (report.state, report.flavour)
    assert (AuthState.ACCEPTED is state) is report.ok
    assert one_sentence(report.diagnosis)
    assert one_sentence(report.next_step)


def test_a_server_that_takes_any_token_is_open() -> None:
    """That it wants one proves nothing where a made-up one is accepted too."""

    def any_token(asked: Asked) -> Reply:
        if asked.path == "/api/auth" and "authorization" in asked.headers:
            return Reply(200, {"isAuthenticated": True})
        return Reply(401, {"error": "Unauthorized"})

    with canned(any_token) as site:
        report = check_auth(site.url, token="mine")

    assert AuthState.OPEN is report.state
    assert "any-password" in {finding.name for finding in report.findings}


def test_it_asks_only_what_changes_nothing(token_server: DemoServer) -> None:
    """The requests are from a short list; whoever has no right token sends a few more of them."""
    for token in (TOKEN, "wrong", f" {TOKEN}", ("user", TOKEN), None):
        with FaultProxy(token_server.url) as proxy:
            check_auth(proxy.url, credentials=token)

        assert {(entry.method, entry.path.split("?")[0]) for entry in proxy.log} <= ALLOWED


def test_before_the_flavour_is_known_no_secret_is_sent() -> None:
    """Neither the token nor the login goes to somebody else's program."""
    with canned(sites.other_api) as site:
        check_auth(site.url, token="secret-token", headers={"X-Gateway": "for-the-gateway"})
        check_auth(site.url, credentials=("user", "secret-password"))

    said = str([(asked.path, asked.query, asked.headers, asked.body) for asked in site.asked])
    assert "secret" not in said
    assert "for-the-gateway" in said


# -- somebody else --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state", "cause", "words"),
    [
        (sites.BAD_GATEWAY, AuthState.BOOTING, "booting", "status 502"),
        (Reply(503, "no"), AuthState.BOOTING, "booting", "status 503"),
        (Reply(524, {"error": "timeout"}), AuthState.BOOTING, "booting", "status 524"),
        (sites.jupyter_open, AuthState.NOT_AITK, "Jupyter", "Jupyter's"),
        (sites.jupyter_closed, AuthState.NOT_AITK, "Jupyter", "Jupyter's"),
        (sites.file_server, AuthState.NOT_AITK, "file server", "list of files"),
        (sites.LOGIN_PAGE, AuthState.MISSING, "login page", "a login page"),
        (sites.login_wall, AuthState.MISSING, "login page", "a login page"),
        (
            Reply(302, headers={"Location": "https://sso.example/authorize?x=1"}),
            AuthState.MISSING,
            "login page",
            "a redirect to https://sso.example/authorize",
        ),
        (sites.other_gradio, AuthState.NOT_AITK, "Gradio app", "without functions for training"),
        (sites.other_api, AuthState.NOT_AITK, "other", "application/json"),
        (sites.POD_404, AuthState.NOT_AITK, "web page", "titled '404'"),
        (Reply(200, "hello"), AuthState.NOT_AITK, "other", "text/plain"),
        (Reply(500), AuthState.NOT_AITK, "other", "status 500"),
        (sites.BASIC, AuthState.MISSING, "gateway", "can't be seen without a login"),
    ],
)
def test_something_else_is_named(
    answer: Answer | Reply, state: AuthState, cause: str, words: str
) -> None:
    """Each is told from the others, from a wrong token, and from nobody being there."""
    with canned(answer) as site:
        report = check_auth(site.url, token="secret-token")

    assert (state, cause) == (report.state, report.cause)
    assert words in report.diagnosis
    assert not report.ok
    assert one_sentence(report.diagnosis)
    assert report.next_step
    assert "secret-token" not in str(site.asked)


@pytest.mark.parametrize(
    ("answer", "state", "cause"),
    [
        (sites.POD_404, AuthState.BOOTING, "booting"),
        (Reply(200, "<html>Starting …</html>", sites.HTML), AuthState.BOOTING, "booting"),
        (sites.BAD_GATEWAY, AuthState.BOOTING, "booting"),
        (sites.jupyter_closed, AuthState.NOT_AITK, "Jupyter"),
        (sites.LOGIN_PAGE, AuthState.MISSING, "login page"),
        (sites.file_server, AuthState.NOT_AITK, "file server"),
        (Reply(200, {"isAuthenticated": True}), AuthState.OPEN, ""),
        (Reply(401, {"error": "Unauthorized"}), AuthState.REJECTED, ""),
    ],
)
def test_behind_a_pods_proxy_a_page_is_a_pod_that_boots(
    answer: Answer | Reply, state: AuthState, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RunPod's proxy says 404 or shows a page for a pod that is not up; other marks still count."""
    with canned(answer) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        report = check_auth("http://abc123-8675.proxy.runpod.net", token="a-token")

    assert (state, cause) == (report.state, report.cause)
    assert "abc123-8675.proxy.runpod.net" == proxy.asked[0].headers["host"]


def test_a_hostile_title_is_text() -> None:
    """What another program says is shown shortened and escaped."""
    page = f"<title>&lt;img src=x onerror=alert(1)&gt;\x00\u202e{'x' * 500}</title>"
    with canned(Reply(200, page, sites.HTML)) as site:
        report = check_auth(site.url)

    assert "<img" not in report._repr_mimebundle_()["text/html"] + report.to_html()
    assert len(report.diagnosis) < 200
    assert "\u202e" not in report.diagnosis


# -- nobody ---------------------------------------------------------------------------------------


def unreachable(url: str, cause: str, **given: object) -> str:
    """Check that the server at `url` is unreachable for this cause, and return the detail."""
    report = check_auth(url, token="a-token", **given)  # type: ignore[arg-type]
    assert (AuthState.UNREACHABLE, cause) == (report.state, report.cause)
    assert one_sentence(report.diagnosis)
    assert one_sentence(report.next_step)
    return report.detail


def test_a_closed_port_refuses() -> None:
    """Neither a wrong token nor a booting pod."""
    assert "refused" in unreachable(nobody(), "refused")


def test_a_name_that_nobody_knows() -> None:
    """The name service says so at once."""
    assert "no-such-pod.invalid" in unreachable("http://no-such-pod.invalid:8675", "dns")


@pytest.mark.parametrize("server", [sites.hanging, sites.dripping])
def test_a_server_that_says_nothing_is_given_up(server: Callable[[], Iterator[str]]) -> None:
    """No answer, or one that never ends, is no answer."""
    with server() as url:  # type: ignore[attr-defined]
        assert "in time" in unreachable(url, "timeout", timeout=0.3)


def test_a_server_that_hangs_up() -> None:
    """The port is open, and nobody speaks HTTP there."""
    with sites.hanging_up() as url:
        unreachable(url, "broken")


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """It is the line, not the token; with the CA, or without checking, the server is found."""
    context, ca = server_context(tmp_path)
    with canned(Reply(200, {"isAuthenticated": True}), context) as site:
        assert "verify=" in unreachable(site.url, "tls")
        assert "another name" in unreachable(
            site.url.replace("127.0.0.1", "localhost"), "tls", verify=ca
        )
        assert AuthState.OPEN is check_auth(site.url, verify=ca).state
        trusting = check_auth(site.url, verify=False)

    assert AuthState.OPEN is trusting.state
    assert "unverified-tls" in {finding.name for finding in trusting.findings}


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    """The clock may be what is wrong."""
    context, ca = server_context(tmp_path, days=(-9, -2))
    with canned(Reply(200), context) as site:
        report = check_auth(site.url, verify=ca)

    assert "tls" == report.cause
    assert "expired" in report.detail
    assert "clock" in report.detail
    assert "tls" in {finding.name for finding in report.findings}


def test_tls_on_a_plain_port_and_the_other_way_round(tmp_path: Path) -> None:
    """The scheme in the address is wrong."""
    with canned(Reply(200)) as site:
        assert "http://" in unreachable(site.url.replace("http:", "https:"), "tls")
    context, _ = server_context(tmp_path)
    with canned(Reply(200), context) as site:
        unreachable(site.url.replace("https:", "http:"), "broken")


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, without the password that the variable may hold."""
    monkeypatch.setenv("HTTP_PROXY", nobody().replace("://", "://me:hunter2@"))
    detail = unreachable("http://pod.example:8675", "proxy")

    assert "127.0.0.1" in detail
    assert "hunter2" not in detail


def test_a_proxy_that_wants_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its 407 is no answer of the server."""
    with canned(Reply(407, "no")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert "password" in unreachable("http://pod.example:8675", "proxy")
