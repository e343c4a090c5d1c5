"""Ctrl-C, SIGTERM and SIGKILL in the middle of a training leave no process and no half file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from jupyter_client.manager import KernelManager

import aitk_nb
from aitk_nb import demo
from tests.cli.command import environment, run_process, served, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of a POSIX system")

PATIENCE = 120.0
"""Seconds that something may take on a busy machine."""

LONG = {"steps": 1_000_000, "rank": 2, "resolution": 64, "save_every": 1_000_000}
SIGNALS = pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
    ids=lambda n: n.name,
)


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files by which all processes of a test are known."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    yield folder
    for process in marked(folder):
        process.kill()


def marked(folder: Path) -> list[psutil.Process]:
    """Return the processes whose temporary files go to `folder`; it is inherited by all."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it has ended, or belongs to somebody else
    return found


def trainers(folder: Path) -> list[psutil.Process]:
    """Return the trainers among them."""
    return [process for process in marked(folder) if "aitk_nb.demo.trainer" in _words(process)]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def until(done: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until `done` is true."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def halves(folder: Path) -> list[str]:
    """Return files and folders that have a temporary name."""
    parts = (".writing-", ".upload-")
    return [
        path.name
        for path in folder.rglob("*")
        if path.name.startswith(parts) or path.suffix in {".part", ".tmp"}
    ]


@contextlib.contextmanager
def training(url: str, photos: Path) -> Iterator[aitk_nb.Job]:
    """Yield a job that trains and has done some steps."""
    with aitk_nb.connect(url) as client:
        dataset = client.datasets.upload(photos, "photos").name
        params = aitk_nb.TrainingParams(name="long", dataset=dataset, **LONG)
        job = client.jobs.start(params, if_exists="resume")
        before = job.state.step
        until(lambda: job.refresh().step > before)
        yield job


def interrupted(process: subprocess.Popen[str], number: int) -> str:
    """Send a signal to the process group, as a terminal does, and return what stderr says."""
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=PATIENCE)
    assert 130 == process.returncode, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("aitk-nb: interrupted")
    return err


@SIGNALS
def test_serve(number: int, photos: Path, tmp_path: Path, mark: Path) -> None:
    """The trainer ends with the server, and the job is told as stopped."""
    data = tmp_path / "data"
    with served(data, env={"TMPDIR": str(mark)}) as (url, process), training(url, photos):
        assert 1 == len(trainers(mark))
        interrupted(process, number)

    assert [] == marked(mark)
    assert [] == halves(data) + list(mark.iterdir())
    with demo.start(data) as again, aitk_nb.connect(again.url) as client:
        assert "stopped" == client.jobs.get("long").state.status.value


@SIGNALS
def test_watch(number: int, photos: Path, tmp_path: Path, mark: Path) -> None:
    """Only the watching ends: the job goes on."""
    with demo.start(tmp_path / "data") as server, training(server.url, photos) as job:
        with start("watch", "long", "--url", server.url, env={"TMPDIR": str(mark)}) as process:
            assert process.stderr is not None
            process.stderr.readline()
            interrupted(process, number)

        assert [] == marked(mark) + list(mark.iterdir())
        before = job.refresh().step
        until(lambda: job.refresh().step > before)


@SIGNALS
def test_demo(number: int, tmp_path: Path, mark: Path) -> None:
    """Kernel and trainer end, and nothing half-written lies among the results."""
    out = tmp_path / "runs"
    with start("demo", "00_quickstart", "--out", out, env={"TMPDIR": str(mark)}) as process:
        until(lambda: trainers(mark))
        assert 3 == len(marked(mark))
        err = interrupted(process, number)

    assert "[1/" in err
    assert [] == marked(mark)
    assert [] == halves(tmp_path) + list(mark.iterdir())
    # The corrected copy of the photos is whole.
    assert {out / "quickstart"} >= {*out.iterdir()}


def test_an_interrupt_in_the_middle_of_an_import_ends_as_any_other(tmp_path: Path) -> None:
    """Where Python makes a class from text, as dataclasses do; below `python -m`."""
    program = """
import typer
from aitk_nb.cli.app import _explained
try:
    with _explained():
        exec("raise KeyboardInterrupt")
except typer.Exit as exc:
    raise SystemExit(exc.exit_code)
"""
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "program"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (130, "aitk-nb: interrupted\n") == (ended.returncode, ended.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.05, 0.3, 0.6])
def test_demo_while_a_kernel_starts(delay: float, tmp_path: Path, mark: Path) -> None:
    """It is ended as well, although nobody speaks to it yet."""
    with start(
        "demo", "00_quickstart", "--out", tmp_path / "runs", env={"TMPDIR": str(mark)}
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Embedded server at")
        time.sleep(delay)
        interrupted(process, signal.SIGINT)

    assert [] == marked(mark)
    assert [] == halves(tmp_path) + list(mark.iterdir())


@pytest.mark.slow
def test_an_impatient_second_interrupt(photos: Path, tmp_path: Path, mark: Path) -> None:
    """It does not cut the cleaning up short."""
    data = tmp_path / "data"
    with served(data, env={"TMPDIR": str(mark)}) as (url, process), training(url, photos):
        os.killpg(process.pid, signal.SIGINT)
        interrupted(process, signal.SIGINT)

    assert [] == marked(mark)


@pytest.mark.slow
def test_a_killed_kernel(photos: Path, mark: Path) -> None:
    """The server that a notebook started ends with its kernel, and so does the trainer."""
    kernel = KernelManager(kernel_name="python3")
    kernel.start_kernel(
        env=environment({"TMPDIR": str(mark)}),
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        client.execute(
            "import aitk_nb\n"
            "client = aitk_nb.connect('demo:')\n"
            f"client.datasets.upload({str(photos)!r}, 'photos')\n"
            f"params = aitk_nb.TrainingParams(name='long', dataset='photos', **{LONG!r})\n"
            "client.jobs.start(params)\n"
        )
        until(lambda: trainers(mark))
        (pid,) = {p.pid for p in marked(mark)} - {p.pid for p in trainers(mark)}
        os.kill(pid, signal.SIGKILL)
        until(lambda: not trainers(mark))
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
        kernel.cleanup_resources()

    _a_later_server_removes_what_is_left(mark)


def _a_later_server_removes_what_is_left(mark: Path) -> None:
    (left,) = mark.glob("aitk-nb-demo-*")
    lock = left / ".server.lock"
    os.utime(lock, (lock.stat().st_atime, lock.stat().st_mtime - 3600))

    run_process("jobs", "--url", "demo:", env={"TMPDIR": str(mark)})

    assert [] == list(mark.iterdir())


@pytest.mark.slow
def test_a_killed_server(photos: Path, tmp_path: Path, mark: Path) -> None:
    """The trainer ends; another server takes the folder over, and the job can be resumed."""
    data = tmp_path / "data"
    with served(data, env={"TMPDIR": str(mark)}) as (url, process):
        with training(url, photos) as job:
            job.save_now()
            # Until then the file is half written, as on the real server.
            until(lambda: "Saved optimizer" in job.log())
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not marked(mark))

    assert [] == halves(data)
    with served(data, env={"TMPDIR": str(mark)}) as (url, _):
        # As on the real server, nobody was there to note that the job had ended.
        (row,) = httpx.get(f"{url}/api/jobs").json()["jobs"]
        assert "running" == row["status"]
        httpx.get(f"{url}/api/jobs/{row['id']}/mark_stopped").raise_for_status()
        with training(url, photos) as again:
            assert 1 == len(trainers(mark))
            assert "starting from step" in again.log()
