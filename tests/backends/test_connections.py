"""`Http`: addresses with a path, headers, proxies and certificates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.errors import (
    AitkError,
    BadInput,
    ConnectionFailed,
)
from tests.backends.canned import Canned, canned, nobody
from tests.backends.certificate import server_context
from tests.backends.speaking import FINE, speaking


def test_a_base_address_may_have_a_path() -> None:
    """Behind jupyter-server-proxy everything lies below a prefix."""
    with canned(FINE) as site:
        http = Http(Connection(site.url + "/user/me/proxy/8675"))
        http.get_json("/api/jobs", what="list", params={"id": "a b"})
        http.close()

        assert ["/user/me/proxy/8675/api/jobs"] == site.paths()
        assert "id=a+b" == site.asked[0].query.replace("%20", "+")


def test_the_token_and_extra_headers_are_sent() -> None:
    """A gateway's header goes beside the bearer token."""
    gateway = {"X-Gateway": Secret("for-the-gateway")}
    with canned(FINE) as site:
        with speaking(site, token=Secret("the-token"), headers=gateway) as http:
            http.get_json("/api/x", what="do it")

        assert "Bearer the-token" == site.asked[0].headers["authorization"]
        assert "for-the-gateway" == site.asked[0].headers["x-gateway"]


def test_basic_credentials_for_a_gateway_go_in_the_authorization_header() -> None:
    """Without a token the header is free."""
    basic = {"Authorization": Secret("Basic dXNlcjpwYXNz")}
    with canned(FINE) as site:
        with speaking(site, headers=basic) as http:
            http.get_json("/api/x", what="do it")

        assert "Basic dXNlcjpwYXNz" == site.asked[0].headers["authorization"]


def test_two_authorizations_are_refused_before_anything_is_sent() -> None:
    """One request carries one; the user has to choose."""
    headers = {"authorization": Secret("Basic dXNlcjpwYXNz")}
    with pytest.raises(BadInput, match="Authorization"):
        Http(Connection("http://127.0.0.1:1", token=Secret("t"), headers=headers))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Gateway", "two\nlines"),
        ("X-Gateway", "ünïcode"),
        ("X-Gateway", " padded"),
        ("X Gateway", "value"),
        ("X-Gatewäy", "value"),
        ("", "value"),
    ],
)
def test_a_header_that_cannot_be_sent_is_bad_input(name: str, value: str) -> None:
    """Said at once and without its value."""
    with pytest.raises(BadInput, match="header") as caught:
        Http(Connection("http://127.0.0.1:1", headers={name: Secret(value)}))

    assert value.strip() not in str(caught.value) or value == "value"
    assert "value" not in str(caught.value) or value != "value"


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ünïcode"])
def test_a_token_that_cannot_be_sent_is_bad_input(token: str) -> None:
    """Also when the connection was made by hand."""
    with pytest.raises(BadInput, match="token") as caught:
        Http(Connection("http://127.0.0.1:1", token=Secret(token)))

    assert token not in str(caught.value)


@pytest.mark.parametrize("url", ["http://ex..ample:80", "http://[::1", "http://h:99999999", "x"])
def test_an_address_that_no_request_can_have_is_explained(url: str) -> None:
    """A host that is no host, a port that is no port."""
    http = Http(Connection(url), attempts=1)
    with pytest.raises(AitkError):
        http.get_json("/api/x", what="do it")
    http.close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_server_on_this_machine_is_never_asked_through_a_proxy(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy variables of the network do not reach loopback."""
    monkeypatch.setenv(variable, nobody())
    with canned(FINE) as site, speaking(site, attempts=1) as http:
        assert http.get_json("/api/x", what="do it") == {"fine": True}
    with canned(FINE) as site:
        url = site.url.replace("127.0.0.1", "localhost")
        http = Http(Connection(url), attempts=2)
        assert http.get_json("/api/x", what="do it") == {"fine": True}
        http.close()


def test_other_servers_are_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual variables count; the proxy here answers for everybody."""
    with canned(FINE) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        http = Http(Connection("http://a-server.invalid:8675"), attempts=1)
        assert http.get_json("/api/x", what="do it") == {"fine": True}
        http.close()

        assert "a-server.invalid:8675" == proxy.asked[0].headers["host"]


@pytest.fixture(scope="module")
def https_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Canned, Path]]:
    """A server with a certificate that only its own CA knows, and that CA."""
    context, ca = server_context(tmp_path_factory.mktemp("tls"))
    with canned(FINE, context) as site:
        yield site, ca


def test_a_private_ca_is_trusted_when_given(https_site: tuple[Canned, Path]) -> None:
    """By `verify`, as a file."""
    site, ca = https_site
    with speaking(site, attempts=1, verify=ca) as http:
        assert http.get_json("/api/x", what="do it") == {"fine": True}


def test_any_certificate_is_taken_when_so_told(https_site: tuple[Canned, Path]) -> None:
    """By `verify=False`."""
    site, _ = https_site
    with speaking(site, attempts=1, verify=False) as http:
        assert http.get_json("/api/x", what="do it") == {"fine": True}


def test_an_unknown_certificate_is_refused_and_explained(https_site: tuple[Canned, Path]) -> None:
    """The message says how to give the CA."""
    site, _ = https_site
    with speaking(site, attempts=1) as http, pytest.raises(ConnectionFailed, match="verify="):
        http.get_json("/api/x", what="do it")


def test_a_ca_file_that_holds_none_is_bad_input(tmp_path: Path) -> None:
    """Named, before anything is sent."""
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing")
    http = Http(Connection("https://127.0.0.1:1", verify=ca), attempts=1)
    with pytest.raises(BadInput, match=re.escape(str(ca))):
        http.get_json("/api/x", what="do it")


def test_making_one_sends_nothing() -> None:
    """The constructor stores; closing without use is harmless, and twice too."""
    with canned(FINE) as site, speaking(site) as http:
        http.close()
        assert repr(http) == f"<Http {site.url}>"
        assert not site.asked


def test_threads_share_one_pool() -> None:
    """Also when all of them are the first."""
    http = Http(Connection("http://127.0.0.1:1"))
    pools = each(lambda _number: http.client, range(32), workers=32)
    http.close()

    assert 1 == len(set(map(id, pools)))
