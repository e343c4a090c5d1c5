"""Downloads while the server is away: they wait, go on where they were, and keep what came."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.download import TAIL, fetch
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import ConnectionFailed, NotFound, Unauthorized
from tests.backends.progress import quiet
from tests.proxy import FaultProxy

CONTENT = random.Random(3).randbytes(400_000)


class Clock:
    """A clock that only a pause moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert 0 <= seconds <= 2
        self.now += seconds


class Source:
    """A file of a server that breaks off at some bytes, and is then away for a time."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.clock = Clock()
        self.breaks = [200_000]
        self.down = 30.0
        self.back = 0.0
        self.asked: list[tuple[int, int]] = []

    @contextmanager
    def open(self, start: int, end: int) -> Iterator[Iterator[bytes]]:
        """Open a range."""
        if self.clock.now < self.back:
            raise ConnectionFailed("http://server", cause="refused")
        yield self._chunks(start, end)

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        for place in range(start, end, 50_000):
            if place in self.breaks:
                self.breaks.remove(place)
                self.back = self.clock.now + self.down
                raise ConnectionFailed("http://server", cause="broken")
            stop = min(place + 50_000, end)
            self.asked.append((place, stop))
            yield self.content[place:stop]

    @property
    def sent(self) -> int:
        """Bytes that were sent."""
        return sum(end - start for start, end in self.asked)

    def fetch(self, target: Path, outage: float = 120.0, version: str = "v1") -> int:
        """Download it."""
        return fetch(
            self.open,
            len(self.content),
            target,
            quiet,
            version=version,
            outage=outage,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def begin(self, target: Path, version: str = "v1") -> None:
        """Leave half of the file, as a call does that waits for nothing."""
        with pytest.raises(ConnectionFailed):
            self.fetch(target, 0.0, version)
        self.asked.clear()
        self.back = 0.0


@pytest.fixture
def source() -> Source:
    """A file of 400 kB."""
    return Source()


@pytest.mark.parametrize("down", [0.0, 3.0, 30.0, 117.0])
def test_a_server_that_is_away_for_two_minutes(source: Source, tmp_path: Path, down: float) -> None:
    """In the middle of the file: it is complete, and no byte is asked for twice."""
    source.down = down

    source.fetch(tmp_path / "lora")

    assert (CONTENT, len(CONTENT)) == ((tmp_path / "lora").read_bytes(), source.sent)
    assert down <= source.clock.now <= down + 2


@pytest.mark.parametrize("outage", [0.0, 60.0, 120.0, 5_000.0])
def test_a_server_that_stays_away(source: Source, tmp_path: Path, outage: float) -> None:
    """It is given up after the time that was chosen, and what came is where a later call begins."""
    source.down = 1e9
    with pytest.raises(ConnectionFailed):
        source.fetch(tmp_path / "lora", outage)
    assert outage <= source.clock.now <= outage + 2
    (partial,) = tmp_path.iterdir()
    assert (".part", CONTENT[:200_000]) == (partial.suffix, partial.read_bytes())

    source.back = 0.0
    source.fetch(tmp_path / "lora")

    assert (CONTENT, len(CONTENT)) == ((tmp_path / "lora").read_bytes(), source.sent)
    assert ["lora"] == [path.name for path in tmp_path.iterdir()]


def test_each_byte_begins_the_wait_anew(source: Source, tmp_path: Path) -> None:
    """A line that breaks 7 times, each time for almost as long as is borne."""
    source.breaks, source.down = list(range(50_000, 400_000, 50_000)), 55.0

    source.fetch(tmp_path / "lora", outage=60.0)

    assert (CONTENT, len(CONTENT)) == ((tmp_path / "lora").read_bytes(), source.sent)
    assert source.clock.now > 7 * 55


def test_another_version_begins_anew(source: Source, tmp_path: Path) -> None:
    """Same name and size, trained again: nothing of the older one gets into the file."""
    target = tmp_path / "lora"
    source.begin(target)
    source.content = bytes(reversed(CONTENT))

    source.fetch(target, version="v2")

    assert source.content == target.read_bytes()
    assert 0 == source.asked[0][0]


@pytest.mark.parametrize("changed", [False, True])
def test_without_a_version_the_end_of_what_is_there_is_compared(
    source: Source, tmp_path: Path, changed: bool
) -> None:
    """Servers of other ages tell none: 64 kB decide."""
    target = tmp_path / "lora"
    source.begin(target, "")
    if changed:
        source.content = bytes(reversed(CONTENT))

    source.fetch(target, version="")

    assert source.content == target.read_bytes()
    assert (200_000 - TAIL) == source.asked[0][0]
    assert (len(CONTENT) if changed else 200_000) + TAIL == source.sent


def test_all_of_it_was_there_but_for_its_name(source: Source, tmp_path: Path) -> None:
    """As when the process was killed at that moment: nothing is fetched."""
    target = tmp_path / "lora"
    source.begin(target)
    (partial,) = tmp_path.iterdir()
    partial.write_bytes(CONTENT)

    source.fetch(target)

    assert CONTENT == target.read_bytes()
    assert [] == source.asked


@pytest.mark.parametrize(
    ("failure", "kept"),
    [(Unauthorized("http://server", sent=True), True), (NotFound("file", "lora"), False)],
)
def test_what_ends_it_decides_whether_a_part_stays(
    source: Source, tmp_path: Path, failure: Exception, kept: bool
) -> None:
    """A login that has run out can be renewed; a file that is gone will not come back."""

    @contextmanager
    def refused(start: int, end: int) -> Iterator[Iterator[bytes]]:
        if start:
            raise failure
        with source.open(start, end) as chunks:
            yield chunks

    with pytest.raises(type(failure)):
        fetch(refused, len(CONTENT), tmp_path / "x", quiet)

    assert kept == bool(list(tmp_path.iterdir()))


def test_two_at_once_to_the_same_name(source: Source, tmp_path: Path) -> None:
    """Two kernels fetch the same file: it is whole in the end."""
    target = tmp_path / "lora"
    source.begin(target)
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(source.fetch(target))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done
    assert CONTENT == target.read_bytes()


# -- with a server -----------------------------------------------------------------------------


@pytest.fixture
def large(demo_server: demo.DemoServer) -> Iterator[Path]:
    """A file of 3 MB in a job's folder on the server."""
    folder = demo_server.data / "output" / "outages"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "large.safetensors"
    path.write_bytes(random.Random(2).randbytes(3_000_000))
    yield path
    path.unlink()


def fetched(proxy: FaultProxy) -> int:
    """Return the bytes of files that went through the proxy."""
    return sum(exchange.bytes_out for exchange in proxy.log if exchange.method == "GET")


@pytest.mark.parametrize(
    ("status", "headers"),
    [(502, {}), (404, {"Content-Type": "text/html"}), (200, {"Content-Type": "text/html"})],
)
def test_what_a_gateway_says_meanwhile_is_an_outage(
    line: WebUI,
    proxy: FaultProxy,
    large: Path,
    tmp_path: Path,
    status: int,
    headers: dict[str, str],
) -> None:
    """RunPod's proxy shows a page with status 404 while a pod starts; the download waits."""
    proxy.cut_after = 1_000_000
    proxy.answer("GET", "/api/files/.*", status, headers, b"<html>soon</html>", times=2, after=1)

    line.download(str(large), tmp_path / "lora", quiet)

    assert large.read_bytes() == (tmp_path / "lora").read_bytes()
    assert 3_000_000 + 2 * len(b"<html>soon</html>") >= fetched(proxy)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_next_call_fetches_only_what_is_missing(
    demo_server: demo.DemoServer, proxy: FaultProxy, large: Path, tmp_path: Path, restarted: bool
) -> None:
    """Not one byte twice, also by another process, and another file begins anew."""
    target = tmp_path / "lora.safetensors"
    brief = WebUI(Http(Connection(proxy.url, outage=0.0)))
    proxy.cut_after = 1_000_000
    proxy.answer("GET", "/api/files/.*", 502, after=1)
    with pytest.raises(ConnectionFailed):
        brief.download(str(large), target, quiet)
    (partial,) = tmp_path.iterdir()
    assert 1_000_000 == partial.stat().st_size
    proxy.clear()
    if restarted:  # a copy with the same bytes and another inode
        copy = large.with_name("copy")
        copy.write_bytes(large.read_bytes())
        stat = large.stat()
        copy.replace(large)
        os.utime(large, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    brief.download(str(large), target, quiet)

    assert large.read_bytes() == target.read_bytes()
    assert 3_000_000 == fetched(proxy)
    assert [target] == list(tmp_path.iterdir())
    brief.close()


def test_a_file_that_was_written_anew_is_fetched_anew(
    proxy: FaultProxy, large: Path, tmp_path: Path
) -> None:
    """Same size, other weights: by the server's time of change; what is left of the older goes."""
    brief = WebUI(Http(Connection(proxy.url, outage=0.0)))
    proxy.cut_after = 1_000_000
    proxy.answer("GET", "/api/files/.*", 502, after=1)
    with pytest.raises(ConnectionFailed):
        brief.download(str(large), tmp_path / "lora", quiet)
    proxy.clear()
    large.write_bytes(random.Random(9).randbytes(3_000_000))

    brief.download(str(large), tmp_path / "lora", quiet)

    assert large.read_bytes() == (tmp_path / "lora").read_bytes()
    assert ["lora"] == [path.name for path in tmp_path.iterdir()]
    brief.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.connection.connection import Connection

url, source, target = sys.argv[1:]
def kill(done, total):
    if done > 1_000_000:
        os.kill(os.getpid(), signal.SIGKILL)
WebUI(Http(Connection(url))).download(source, Path(target), kill)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_a_killed_kernel_leaves_its_part(
    demo_server: demo.DemoServer, line: WebUI, proxy: FaultProxy, large: Path, tmp_path: Path
) -> None:
    """As the restart of a notebook's kernel does."""
    target = tmp_path / "lora"
    arguments = [demo_server.url, str(large), str(target)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert -signal.SIGKILL == done.returncode
    (partial,) = tmp_path.iterdir()
    kept = partial.stat().st_size

    line.download(str(large), target, quiet)

    assert kept > 900_000
    assert large.read_bytes() == target.read_bytes()
    assert 3_000_000 - kept == fetched(proxy)


@pytest.mark.slow
def test_a_large_file_with_the_server_away_for_half_a_minute(tmp_path: Path) -> None:
    """1.5 GB: complete, the right hash, and no byte is sent twice."""
    size, piece = 1_500_000_000, random.Random(5).randbytes(1_000_000)
    digest = hashlib.sha256()
    with demo.start(tmp_path / "data") as server:
        path = tmp_path / "data" / "output" / "large" / "large.safetensors"
        path.parent.mkdir()
        with path.open("wb") as file:
            for _ in range(size // len(piece)):
                file.write(piece)
                digest.update(piece)
        with FaultProxy(server.url) as proxy:
            client = WebUI(Http(Connection(proxy.url)))
            away = _away_at(proxy, size // 2, 30.0)
            client.download(str(path), tmp_path / "lora", away)
            client.close()
            # What was on its way when the line was cut is counted as neither.
            assert size - 2**17 < fetched(proxy) <= size
            assert any(exchange.status == 503 for exchange in proxy.log)
        with (tmp_path / "lora").open("rb") as file:
            assert digest.hexdigest() == hashlib.file_digest(file, "sha256").hexdigest()


def _away_at(proxy: FaultProxy, place: int, seconds: float) -> Callable[[int, int], None]:
    """Return a progress that takes the server away at some byte."""
    begun: list[float] = []

    def back() -> None:
        time.sleep(seconds)
        proxy.clear()

    def progress(done: int, _total: int) -> None:
        if done >= place and not begun:
            begun.append(time.monotonic())
            proxy.answer("(GET|HEAD)", ".*", 503)
            proxy.cut()
            threading.Thread(target=back).start()

    return progress
