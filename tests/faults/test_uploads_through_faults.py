"""Uploads through a line that fails in every way: all files equal, or a clear list and a re-run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.backends.base import Upload
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import TransferFailed
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


@pytest.mark.slow
def test_a_cut_with_524_makes_requests_shorter(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Of a line of 200 kB/s that is cut after 0.8 s, a request takes less than was tried first."""
    files = many(tmp_path / "f", 60, 50_000)
    proxy.bandwidth, proxy.cut_seconds, proxy.cut_status = 200_000, 0.8, 524

    failed = send_until_it_is_there(line, proxy, demo_server, "cut_with_524", files)

    assert 0 == failed
    assert any(exchange.fault == "cut_seconds" for exchange in proxy.log)


@pytest.mark.slow
def test_a_file_that_is_too_long_for_the_line_is_named(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """What cannot be done in the time fails by itself; without the cut it goes through."""
    files = (*uploads(tmp_path / "f", "long.png", size=400_000), *many(tmp_path / "f", 8, 10_000))
    proxy.bandwidth, proxy.cut_seconds, proxy.cut_status = 300_000, 0.6, 524

    failed = send_until_it_is_there(line, proxy, demo_server, "too_long", files)

    assert 1 == failed


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
def test_resets_at_any_byte(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path, seed: int
) -> None:
    """A fifth of the connections break somewhere in the body, or before the answer."""
    files = many(tmp_path / "f", 60, 30_000)
    proxy.chance = chance = Chance(seed, reset=0.2)

    send_until_it_is_there(line, proxy, demo_server, f"resets_{seed}", files)

    assert chance.met


@pytest.mark.slow
def test_a_tenth_of_the_requests_dropped(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Nobody ever answers them."""
    files = many(tmp_path / "f", 300, 3_000)
    proxy.chance = chance = Chance(7, drop=0.1)
    line._datasets.rate.budget = 20_000  # so that there are many requests to drop

    send_until_it_is_there(line, proxy, demo_server, "dropped", files)

    assert chance.met


@pytest.mark.parametrize("round_trip", [0.05, pytest.param(0.3, marks=pytest.mark.slow)])
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


@pytest.mark.slow
def test_the_server_restarts_in_the_middle(tmp_path: Path) -> None:
    """Whatever it had not confirmed is sent again to the one that comes back."""
    files = many(tmp_path / "f", 80, 30_000)
    data = tmp_path / "server"
    server = demo.DemoServer(data).start()
    port = int(server.url.rpartition(":")[2])
    half = threading.Event()
    total = sum(file.size for file in files)

    def restart() -> demo.DemoServer:
        assert half.wait(120)
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


def test_an_interrupt_ends_requests_and_keeps_what_arrived(
    proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """Ctrl-C in a process of its own: no half file, no wait for slow requests, and a re-run."""
    files = many(tmp_path / "f", 40, 60_000)
    proxy.bandwidth = 60_000
    code = (
        "import pathlib, sys, threading, _thread\n"
        "from aitk_nb.backends.base import Upload\n"
        "from aitk_nb.backends.wire.http import Http\n"
        "from aitk_nb.backends.webui.backend import WebUI\n"
        "from aitk_nb.connection.connection import Connection\n"
        "paths = sorted(pathlib.Path(sys.argv[2]).iterdir())\n"
        "files = [Upload(path, path.name, path.stat().st_size) for path in paths]\n"
        "def heard(done, total):\n"
        "    if done > 150_000:\n"
        "        print('far enough', flush=True)\n"
        "WebUI(Http(Connection(sys.argv[1]))).upload('interrupted', files, heard)\n"
    )
    command = [sys.executable, "-c", code, proxy.url, str(tmp_path / "f")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment()
    )
    assert process.stdout is not None
    assert "far enough" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=120)[1]

    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    folder = demo_server.data / "datasets" / "interrupted"
    arrived = [file for file in files if (folder / file.name).exists()]
    assert set() == unequal(demo_server, "interrupted", arrived)
    assert len(arrived) < len(files)
    proxy.clear()
    line = WebUI(Http(Connection(proxy.url)))
    absent, differing = line.missing("interrupted", files)
    # What the server had taken in by then may have arrived before it was asked, or since.
    before = {file.name for file in files if file not in arrived}
    after = {file.name for file in files if not (folder / file.name).exists()}
    assert after <= {file.name for file in absent} <= before
    assert after
    line.upload("interrupted", (*absent, *differing), quiet)
    line.close()
    assert set() == unequal(demo_server, "interrupted", files)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_a_file_that_changes_while_it_is_sent_fails_alone(
    line: WebUI, proxy: FaultProxy, demo_server: demo.DemoServer, tmp_path: Path
) -> None:
    """The others of its request arrive; it is named, and sent when it is at rest."""
    files = many(tmp_path / "f", 10, 20_000)
    victim = files[4]
    touched = threading.Event()

    def heard(done: int, _total: int) -> None:
        # After its first bytes were read, and before its last.
        if done > 0 and not touched.is_set():
            touched.set()
            victim.source.write_bytes(b"another content")

    with pytest.raises(TransferFailed, match="changed") as caught:
        line.upload("changing", files, heard)

    assert {victim.name} == caught.value.failures.keys()
    others = [file for file in files if file is not victim]
    assert set() == unequal(demo_server, "changing", others)
    assert not (demo_server.data / "datasets" / "changing" / victim.name).exists()


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(line: WebUI, tmp_path: Path) -> None:
    """It is named at once."""
    files = many(tmp_path / "f", 3, 1000)
    files[1].source.unlink()
    os.mkfifo(files[1].source)

    with pytest.raises(TransferFailed, match="no longer a regular file"):
        line.upload("pipe", files, quiet)
