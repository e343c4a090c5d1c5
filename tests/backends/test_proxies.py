"""Proxy variables: one that cannot be used is named, and only where it would be needed."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpcore  # which looks for socksio once, when it is imported
import pytest

import aitk_nb
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.proxies import named_proxy, proxy_for
from aitk_nb.backends.wire.web_images import fetch_all
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import ConnectionFailed
from tests.backends.canned import canned, nobody
from tests.backends.speaking import FINE, speaking

VARIABLES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
UNUSABLE = {
    "ALL_PROXY": "socks://me:hunter2@127.0.0.1:7890/",
    "all_proxy": "socks5://me:hunter2@127.0.0.1:7890",
    "HTTP_PROXY": "http://me:hunter2@[::1",
    "http_proxy": "ftp://me:hunter2@proxy.example",
    "Http_Proxy": "http://me:hunter2@proxy.example:port",
    "ALL_proxy": "://me:hunter2@",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy is named, and `socksio` is not installed."""
    assert httpcore.SOCKSProxy
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setitem(sys.modules, "socksio", None)


@pytest.mark.parametrize(("variable", "proxy"), UNUSABLE.items())
def test_an_unusable_proxy_is_one_sentence(
    variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the variable and no password, and is not tried again."""
    monkeypatch.setenv(variable, proxy)
    http = Http(Connection("http://a-server.invalid:8675"), attempts=4)
    before = time.monotonic()
    with pytest.raises(ConnectionFailed, match=rf"{variable} names .*\)\.\Z") as caught:
        http.get_json("/api/x", what="do it")
    assert time.monotonic() - before < 0.4
    assert caught.value.cause == "proxy"
    assert "hunter2" not in str(caught.value) + str(caught.value.__cause__)
    assert "hunter2" not in proxy_for("http://a-server.invalid:8675")
    http.close()


@pytest.mark.parametrize(("variable", "proxy"), UNUSABLE.items())
def test_it_does_not_matter_where_it_is_not_needed(
    variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this machine, and for a server in NO_PROXY."""
    monkeypatch.setenv(variable, proxy)
    with canned(FINE) as site, speaking(site, attempts=1) as http:
        assert http.get_json("/api/x", what="do it") == {"fine": True}
    monkeypatch.setenv("NO_PROXY", ".invalid, other.example:8675")
    for url in ("http://a-server.invalid:8675", "https://other.example:8675", "http://[::1]:1"):
        assert named_proxy(url) == ("", "")
    assert named_proxy("http://other.example:1") != ("", "")


def test_the_variable_of_the_scheme_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unusable one for all is not looked at beside it."""
    with canned(FINE) as proxy:
        monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:7890/")
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        http = Http(Connection("http://a-server.invalid:8675"), attempts=1)
        assert http.get_json("/api/x", what="do it") == {"fine": True}
        http.close()


def test_a_proxy_that_does_not_answer_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not with those that are not set."""
    monkeypatch.setenv("ALL_PROXY", nobody())
    http = Http(Connection("http://a-server.invalid:8675"), attempts=1)
    with pytest.raises(ConnectionFailed, match=r"the proxy 127.0.0.1:\d+ of ALL_PROXY"):
        http.get_json("/api/x", what="do it")
    http.close()


def test_the_embedded_server_does_not_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does anything else on this machine."""
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:7890/")
    with aitk_nb.connect(f"demo:{tmp_path}") as client:
        assert list(client.jobs.list()) == []


def test_images_from_the_web_say_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address that would need it; the others are fetched."""
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:7890/")
    with canned(FINE) as site:
        found = fetch_all([site.url + "/a.png", "https://photos.invalid/b.png"], tmp_path)
        assert ["/a.png"] == site.paths()
    assert "ALL_PROXY names no proxy that can be used" in str(found["https://photos.invalid/b.png"])


@contextmanager
def served(handle: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield the address of a SOCKS proxy that handles one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            inner, _ = listener.accept()
            with inner:
                handle(inner)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"socks5://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def test_socks_works_where_its_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the usual variables too."""
    monkeypatch.delitem(sys.modules, "socksio")
    pytest.importorskip("socksio")
    with canned(FINE) as site:

        def passed_on(inner: socket.socket) -> None:
            inner.recv(inner.recv(2)[1])  # the ways to log in
            inner.sendall(b"\x05\x00")
            inner.recv(inner.recv(5)[4] + 2)  # the name and the port
            inner.sendall(b"\x05\x00\x00\x01" + b"\0" * 6)
            host, _, port = site.url.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port))) as outer:
                outer.sendall(inner.recv(65536))
                answer = b""
                while not answer.endswith(b"}"):
                    answer += outer.recv(65536)
                inner.sendall(answer)

        with served(passed_on) as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy)
            http = Http(Connection("http://a-server.invalid:8675"), attempts=1)
            assert http.get_json("/api/x", what="do it") == {"fine": True}
            http.close()
        assert "a-server.invalid:8675" == site.asked[0].headers["host"]


# The HTTP library forgets the connection then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05\xff", b"\x05"])
def test_something_else_behind_a_socks_variable(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web server, for example, is one sentence."""
    monkeypatch.delitem(sys.modules, "socksio")
    pytest.importorskip("socksio")
    with served(lambda inner: inner.recv(9) and inner.sendall(answer)) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)
        http = Http(Connection("http://a-server.invalid:8675"), attempts=1)
        with pytest.raises(ConnectionFailed, match="of ALL_PROXY did not let it through"):
            http.get_json("/api/x", what="do it")
        http.close()
