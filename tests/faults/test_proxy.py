"""The fault proxy passes everything on unharmed, and does each kind of harm when asked."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Echo(BaseHTTPRequestHandler):
    """Answers what it was sent, or as many bytes as the path says."""

    protocol_version = "HTTP/1.1"

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self) -> None:
        body = self._body()
        if self.path.startswith("/bytes/"):
            body = b"x" * int(self.path.removeprefix("/bytes/"))
        if self.path.startswith("/sleep/"):
            time.sleep(float(self.path.removeprefix("/sleep/")))
        self.send_response(204 if self.path == "/nothing" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"".join(b"%x\r\n%s\r\n" % (1, bytes([byte])) for byte in body) + b"0\r\n\r\n"
        elif self.path == "/until-close":
            self.send_header("Connection", "close")
            self.close_connection = True
        elif self.path != "/nothing":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):  # the proxy may have cut
                self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_PUT = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """A server that echoes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy in front of it, without faults."""
    with FaultProxy(upstream) as proxy:
        yield proxy


def _connect(proxy: FaultProxy) -> http.client.HTTPConnection:
    parts = urlsplit(proxy.url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)


def _ask(
    proxy: FaultProxy, path: str = "/", body: bytes | None = None, method: str = "POST"
) -> tuple[int, bytes]:
    connection = _connect(proxy)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_passes_everything_on_and_keeps_a_log(proxy: FaultProxy) -> None:
    """Bytes, method, path with query and headers arrive, and are written down."""
    body = bytes(range(256)) * 1000
    connection = _connect(proxy)
    connection.request("POST", "/a%20b//c?d=1", body, {"X-Test": "yes"})
    assert connection.getresponse().read() == body
    connection.close()
    (seen,) = proxy.log
    assert (seen.method, seen.path, seen.headers["x-test"]) == ("POST", "/a%20b//c?d=1", "yes")
    assert (seen.status, seen.bytes_in, seen.bytes_out) == (200, len(body), len(body))
    assert seen.fault == ""


def test_it_keeps_a_connection_for_several_requests(proxy: FaultProxy) -> None:
    """HEAD, 204, bodies and chunks follow each other on one socket."""
    connection = _connect(proxy)
    connection.connect()
    port = connection.sock.getsockname()
    for method, path, body, want in [
        ("GET", "/bytes/5", None, b"xxxxx"),
        ("HEAD", "/bytes/5", None, b""),
        ("GET", "/nothing", None, b""),
        ("POST", "/chunked", b"abc", b"abc"),
        ("POST", "/", b"", b""),
        ("PUT", "/", b"end", b"end"),
    ]:
        connection.request(method, path, body)
        assert connection.getresponse().read() == want
        assert connection.sock.getsockname() == port
    connection.close()
    assert len(proxy.log) == 6


def test_it_passes_chunked_requests_and_endless_answers(proxy: FaultProxy) -> None:
    """A body of unknown length survives in both directions."""
    connection = _connect(proxy)
    connection.request("POST", "/until-close", iter([b"one ", b"two"]), encode_chunked=True)
    assert connection.getresponse().read() == b"one two"
    connection.close()


def test_it_answers_expect_continue_itself(proxy: FaultProxy) -> None:
    """A client that waits for 100 gets it, and the final answer after."""
    parts = urlsplit(proxy.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"hi")
        answer = b""
        while data := sock.recv(1000):
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"hi")


def test_latency_is_added_each_way(proxy: FaultProxy) -> None:
    """A round trip takes at least twice the latency."""
    proxy.latency = 0.1
    start = time.monotonic()
    assert _ask(proxy, body=b"x") == (200, b"x")
    assert time.monotonic() - start >= 0.2


def test_bandwidth_limits_both_ways(proxy: FaultProxy) -> None:
    """20 kB up and 20 kB down at 100 kB/s take 0.4 s."""
    proxy.bandwidth = 100_000
    start = time.monotonic()
    assert _ask(proxy, body=b"x" * 20_000) == (200, b"x" * 20_000)
    assert time.monotonic() - start >= 0.4


@pytest.mark.parametrize("size", [1, 1000, 70_000])
def test_cut_after_ends_inside_the_body(proxy: FaultProxy, size: int) -> None:
    """The client gets exactly so many bytes, and notices."""
    proxy.cut_after = size
    with pytest.raises(http.client.IncompleteRead) as caught:
        _ask(proxy, "/bytes/100000", method="GET")
    assert len(caught.value.partial) == size
    assert (proxy.log[0].fault, proxy.log[0].bytes_out) == ("cut_after", size)


def test_cut_seconds_closes_or_answers(proxy: FaultProxy) -> None:
    """A slow request ends without an answer, or with the status that was asked for."""
    proxy.cut_seconds = 0.2
    with pytest.raises(http.client.RemoteDisconnected):
        _ask(proxy, "/sleep/1", method="GET")
    proxy.cut_status = 524
    status, body = _ask(proxy, "/sleep/1", method="GET")
    assert (status, b"524" in body) == (524, True)
    assert [seen.fault for seen in proxy.log] == ["cut_seconds", "cut_seconds"]
    assert _ask(proxy, "/bytes/3", method="GET") == (200, b"xxx")


def test_cut_seconds_ends_a_slow_upload_and_a_slow_download(proxy: FaultProxy) -> None:
    """The time counts from the request to the last byte of its answer."""
    proxy.bandwidth, proxy.cut_seconds, proxy.cut_status = 20_000, 0.2, 524
    assert _ask(proxy, body=b"x" * 20_000)[0] == 524
    with pytest.raises(http.client.IncompleteRead):
        _ask(proxy, "/bytes/20000", method="GET")


def test_reset_next_resets_so_many_connections(proxy: FaultProxy) -> None:
    """Two connections are reset, the third works, and the log has only that."""
    proxy.reset_next(2)
    for _ in range(2):
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected, BrokenPipeError)):
            _ask(proxy, body=b"x")
    assert _ask(proxy, body=b"x") == (200, b"x")
    assert len(proxy.log) == 1


def test_max_body_answers_413(proxy: FaultProxy) -> None:
    """A body over the limit never reaches the upstream; one at the limit does."""
    proxy.max_body = 1000
    assert _ask(proxy, body=b"x" * 1000)[0] == 200
    assert _ask(proxy, body=b"x" * 1001)[0] == 413
    assert _ask(proxy, body=b"x" * 300_000)[0] == 413
    assert [seen.fault for seen in proxy.log] == ["", "max_body", "max_body"]


def test_max_body_counts_chunks(proxy: FaultProxy) -> None:
    """A body without a length is refused once it is too large."""
    proxy.max_body = 1000
    connection = _connect(proxy)
    connection.request("POST", "/", iter([b"x" * 600] * 3), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_canned_answers_come_before_the_upstream(proxy: FaultProxy) -> None:
    """Rules match method and path whole, run out, and leave other requests alone."""
    proxy.answer("GET|POST", r"/api/.*", 503, {"Retry-After": "1"}, b"busy", times=1)
    proxy.answer("GET", r"/api/x\?a=1", 429)
    connection = _connect(proxy)
    connection.request("POST", "/api/x?a=1", b"abc")
    response = connection.getresponse()
    assert (response.status, response.getheader("Retry-After")) == (503, "1")
    assert response.read() == b"busy"
    connection.close()
    assert _ask(proxy, "/api/x?a=1", method="GET") == (429, b"")
    assert _ask(proxy, "/api/x?a=1", method="GET") == (429, b"")
    assert _ask(proxy, "/api/x?a=1", b"abc") == (200, b"abc")
    assert proxy.log[0].bytes_in == 3


def test_clear_forgets_the_faults(proxy: FaultProxy) -> None:
    """After it, the proxy is harmless again."""
    proxy.answer(".*", ".*", 500)
    proxy.reset_next(5)
    proxy.cut_after = proxy.max_body = 0
    proxy.clear()
    assert _ask(proxy, body=b"x") == (200, b"x")


def test_no_upstream_is_502() -> None:
    """Where nothing listens, the proxy says so as proxies do."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with FaultProxy(address) as proxy:
        assert _ask(proxy, body=b"x")[0] == 502


def test_leaving_it_ends_its_threads(upstream: str) -> None:
    """Open connections and slow requests do not keep it alive."""
    with FaultProxy(upstream) as proxy:
        idle = _connect(proxy)
        idle.connect()
        slow = _connect(proxy)
        slow.request("GET", "/sleep/1")
        time.sleep(0.1)
    with pytest.raises((OSError, http.client.HTTPException)):
        slow.getresponse()
    idle.close()
    slow.close()
    assert not any(thread.is_alive() for thread in proxy._threads)
