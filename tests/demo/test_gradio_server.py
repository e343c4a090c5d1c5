"""The embedded Gradio server as a process: its start, its end, its death and its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from aitk_nb import demo
from tests import gradio_servers
from tests.demo.gradio_jobs import FRAME, PER_FLUSH, form, rows, size, until
from tests.gradio_servers import Caller, Form

PATIENCE = 30.0


@pytest.mark.slow
def test_a_killed_server_comes_back_with_its_files(
    major: str, tmp_path: Path, photos: Path
) -> None:
    """Another application id, the same upload root, and the log of the run that was cut.

    What GRADIO_ALLOWED_PATHS names is served too; a model that cannot be had is an error.
    """
    images = {path.name: path.read_bytes() for path in sorted(photos.glob("photo_0[0-1].*"))}
    with gradio_servers.server(major, tmp_path, flush_seconds=0) as first:
        with Caller(first.url) as caller:
            caller.create_dataset(images)
            root = caller.root()
            caller.run("start_training", Form("shipped", steps=4).data())
            shipped = caller.file("output/shipped/shipped.safetensors").status_code
            gradio_servers.hold(first, 50)
            caller.join("start_training", form(root, "cut", 5000).data())
            log = f"{root}/jobs/cut/loss_log.db-wal"
            until(lambda: size(caller, log) > 49 * PER_FLUSH * FRAME)
            before = caller.http.get(f"{caller.prefix}/app_id").json()
        first.process.kill()
        until(lambda: not first.alive)
    port = int(first.url.rpartition(":")[2])
    with (
        gradio_servers.server(
            major, tmp_path, port=port, captioner=False, allow=["output"]
        ) as second,
        Caller(second.url) as caller,
    ):
        after = caller.http.get(f"{caller.prefix}/app_id").json()
        still_there = caller.file(log, "HEAD").status_code
        folder = tmp_path / "output/shipped/shipped.safetensors"
        allowed = [
            caller.file(str(path)).status_code
            for path in (folder.relative_to(tmp_path), folder, "datasets", "terminal.log")
        ]
        paths = caller.upload(images)
        files = [gradio_servers.file_data(path) for path in paths]
        captions = caller.finish("run_captioning", [files, "", *[""] * 150])

    assert first.url == second.url
    assert before != after
    assert (403, 200, [200, 200, 403, 403]) == (shipped, still_there, allowed)
    assert captions["output"]["error"].startswith("We couldn't connect to 'https://huggingface.co'")
    assert list(range(1, 50)) == rows(tmp_path / "gradio/jobs/cut/loss_log.db")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Nothing goes on after a kernel was killed, not even a training."""
    code = "from aitk_nb import demo; print(demo.shared('demo:gradio').process.pid, flush=True)"
    kernel = subprocess.Popen(
        [sys.executable, "-c", f"{code}; input()"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with kernel:
        assert kernel.stdout is not None
        app = psutil.Process(int(kernel.stdout.readline()))
        os.kill(kernel.pid, signal.SIGKILL)
        app.wait(PATIENCE)

    assert not app.is_running()


def test_it_sees_nothing_secret_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tokens nor proxies of the process that starts it; telemetry is off.

    When it has stopped, process and temporary folder are gone; stopping again does nothing.
    """
    for name in ("HF_TOKEN", "AITK_TOKEN", "AI_TOOLKIT_AUTH", "RUNPOD_API_KEY", "https_proxy"):
        monkeypatch.setenv(name, "http://secret.invalid")
    server = demo.start_gradio()
    seen = psutil.Process(server.process.pid).environ()
    with Caller(server.url) as caller:
        telemetry = caller.config["analytics_enabled"]
    folder = server.data
    assert folder.is_dir()
    server.stop()
    server.stop()

    assert "http://secret.invalid" not in seen.values()
    assert telemetry is False
    assert (False, False) == (server.alive, folder.exists())


def test_one_server_for_one_folder(gradio_server: demo.GradioServer) -> None:
    """Another one on the same folder says who has it, and starts nothing."""
    with pytest.raises(demo.FolderInUse, match=str(gradio_server.process.pid)):
        demo.start_gradio(gradio_server.data)


def test_a_port_that_is_taken(gradio_server: demo.GradioServer, tmp_path: Path) -> None:
    """It is told before anything starts."""
    port = int(gradio_server.url.rpartition(":")[2])
    with pytest.raises(OSError, match=f"Cannot listen on 127.0.0.1:{port}"):
        demo.start_gradio(tmp_path, port=port)


def test_without_gradio_it_says_what_to_install(tmp_path: Path) -> None:
    """One sentence with the command, from the address as from the command line."""
    (tmp_path / "gradio").mkdir()
    code = (
        "import importlib.util as u, aitk_nb; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'gradio' else find(name, *more)\n"
        "try:\n"
        "    aitk_nb.connect('demo:gradio')\n"
        "except aitk_nb.errors.MissingExtra as exc:\n"
        "    print(exc)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    ).stdout

    assert "pip install 'aitk-nb[gradio]'" in said
    assert 1 == len(said.splitlines())
