"""Uploads through a line that fails in every way: all files equal, or a clear list and a re-run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.backends.base import Upload
from aitk_nb.backends.http import Http
from aitk_nb.backends.webui import WebUI
from aitk_nb.errors import TransferFailed
from aitk_nb.settings import Connection
from tests.backends.progress import Heard, quiet, uploads
from tests.proxy import FaultProxy
from tests.proxy_chance import Chance


@pytest.fixture
def proxy(demo_server: demo.DemoServer) -> Iterator[FaultProxy]:
    """A line to the embedded server that can go bad."""
    with FaultProxy(demo_server.url) as proxy:
        yield proxy


@pytest.fixture
def line(proxy: FaultProxy) -> Iterator[WebUI]:
    """A backend behind that line."""
    backend = WebUI(Http(Connection(proxy.url)))
    yield backend
    backend.close()


def many(folder: Path, count: int, size: int) -> tuple[Upload, ...]:
    """Write so many files with different sizes around `size`."""
    files: list[Upload] = []
    for number in range(count):
        files += uploads(folder, f"{number:03}.png", size=size * (number % 5 + 3) // 5)
    return tuple(files)


def unequal(server: demo.DemoServer, dataset: str, files: Sequence[Upload]) -> set[str]:
    """Return the names of the files that the server lacks, or has with other bytes."""
    folder = server.data / "datasets" / dataset
    return {
        file.name
        for file in files
        if not (folder / file.name).is_file()
        or (folder / file.name).read_bytes() != file.source.read_bytes()
    }


def send_until_it_is_there(
    line: WebUI, proxy: FaultProxy, server: demo.DemoServer, name: str, files: Sequence[Upload]
) -> int:
    """Upload, through the fault and if need be once more without it; return how many failed."""
    heard = Heard()
    try:
        line.upload(name, files, heard)
        failures: set[str] = set()
    except TransferFailed as exc:
        failures = set(exc.failures)
    # What is called missing may have arrived without its answer; nothing else may be missing.
    assert unequal(server, name, files) <= failures
    proxy.clear()
    if failures:
        absent, differing = line.missing(name, files)
        line.upload(name, (*absent, *differing), quiet)
    else:
        assert sum(file.size for file in files) == heard.done[-1]
    assert set() == unequal(server, name, files)
    assert ((), ()) == line.missing(name, files)
    return len(failures)


def test_a_limit_of_1_mb_is_learnt(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Small files go in smaller requests; the two large ones are named, one of them unsent."""
    small = many(tmp_path / "f", 40, 150_000)
    large = uploads(tmp_path / "f", "huge1.png", "huge2.png", size=1_500_000)
    proxy.max_body = 1_000_000

    with pytest.raises(TransferFailed) as caught:
        line.upload("limit_of_1_mb", (*large, *small), quiet)

    assert {"huge1.png", "huge2.png"} == caught.value.failures.keys()
    assert "too large" in caught.value.failures["huge2.png"]
    refused = [int(e.headers["content-length"]) for e in proxy.log if e.fault == "max_body"]
    assert 1 <= sum(size > 1_400_000 for size in refused) <= 2
    assert large[0].name in unequal(demo_server, "limit_of_1_mb", large)
    assert set() == unequal(demo_server, "limit_of_1_mb", small)
    proxy.clear()
    line.upload("limit_of_1_mb", large, quiet)
    assert ((), ()) == line.missing("limit_of_1_mb", (*large, *small))


def test_a_cut_with_524_makes_requests_shorter(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Of a line of 200 kB/s that is cut after 0.8 s, a request takes less than was tried first."""
    files = many(tmp_path / "f", 60, 50_000)
    proxy.bandwidth, proxy.cut_seconds, proxy.cut_status = 200_000, 0.8, 524

    failed = send_until_it_is_there(line, proxy, demo_server, "cut_with_524", files)

    assert 0 == failed
    assert any(exchange.fault == "cut_seconds" for exchange in proxy.log)


def test_a_file_that_is_too_long_for_the_line_is_named(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """What cannot be done in the time fails by itself; without the cut it goes through."""
    files = (*uploads(tmp_path / "f", "long.png", size=400_000), *many(tmp_path / "f", 8, 10_000))
    proxy.bandwidth, proxy.cut_seconds, proxy.cut_status = 300_000, 0.6, 524

    failed = send_until_it_is_there(line, proxy, demo_server, "too_long", files)

    assert 1 == failed


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_resets_at_any_byte(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path, seed: int
) -> None:
    """A fifth of the connections break somewhere in the body, or before the answer."""
    files = many(tmp_path / "f", 60, 30_000)
    proxy.chance = chance = Chance(seed, reset=0.2)

    send_until_it_is_there(line, proxy, demo_server, f"resets_{seed}", files)

    assert chance.met


def test_a_tenth_of_the_requests_dropped(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Nobody ever answers them."""
    files = many(tmp_path / "f", 300, 3_000)
    proxy.chance = chance = Chance(7, drop=0.1)
    line._datasets.pace.budget = 20_000  # so that there are many requests to drop

    send_until_it_is_there(line, proxy, demo_server, "dropped", files)

    assert chance.met


@pytest.mark.parametrize("round_trip", [0.05, 0.3])
def test_a_long_way(
    line: WebUI,
    proxy: FaultProxy,
    demo_server: demo.DemoServer,
    tmp_path: Path,
    round_trip: float,
) -> None:
    """Small files share requests, so that a long way is not gone once for each."""
    files = many(tmp_path / "f", 200, 2_000)
    proxy.latency = round_trip / 2
    name = f"way_{int(1000 * round_trip)}"

    assert 0 == send_until_it_is_there(line, proxy, demo_server, name, files)

    assert sum(exchange.path == "/api/datasets/upload" for exchange in proxy.log) < 40


def test_the_server_restarts_in_the_middle(tmp_path: Path) -> None:
    """Whatever it had not confirmed is sent again to the one that comes back."""
    files = many(tmp_path / "f", 80, 30_000)
    data = tmp_path / "server"
    server = demo.DemoServer(data).start()
    port = int(server.url.rpartition(":")[2])
    half = threading.Event()
    total = sum(file.size for file in files)

    def restart() -> demo.DemoServer:
        assert half.wait(30)
        server.stop()
        return demo.DemoServer(data, port=port).start()

    def heard(done: int, _total: int) -> None:
        if done > total / 3:
            half.set()

    with FaultProxy(server.url) as proxy:
        proxy.bandwidth = 500_000
        line = WebUI(Http(Connection(proxy.url)))
        again: list[demo.DemoServer] = []
        thread = threading.Thread(target=lambda: again.append(restart()))
        thread.start()
        try:
            line.upload("restarted", files, heard)
            thread.join()
            assert set() == unequal(again[0], "restarted", files)
            assert ((), ()) == line.missing("restarted", files)
        finally:
            half.set()
            thread.join()
            for other in again:
                other.stop()
            line.close()
