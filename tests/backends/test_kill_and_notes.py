"""What came with 0.13: a job that is killed, notes on it, samples that are texts, captioners."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.datasets.captioning import CaptionOptions, start_captioning
from aitk_nb.errors import AitkError, BadInput, NotFound, NotSupported
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.job import Job
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobDraft, JobState, JobStatus
from tests.backends.canned import Asked, Reply, canned
from tests.cli.command import run
from tests.loops import for_each
from tests.scripted import PARAMS, ScriptedBackend


@pytest.fixture
def client(stand_in_server: demo.DemoServer) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client of a server whose jobs are gone afterwards."""
    httpx.post(f"{stand_in_server.url}/api/datasets/create", json={"name": "cats"})
    with aitk_nb.connect(stand_in_server.url) as client:
        yield client
        for job in client.jobs.list():
            job.delete()


def started(client: aitk_nb.AIToolkitClient, name: str, act: str) -> Job:
    """Return a job that runs."""
    params = aitk_nb.TrainingParams(name=name, dataset="cats", steps=5, extra=f"act: {act}")
    job = client.jobs.start(params)
    until = time.monotonic() + 20
    while job.refresh().step < 2 and time.monotonic() < until:
        time.sleep(0.05)
    return job


def lives(pid: int) -> bool:
    """Return whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_job_that_hears_nothing_is_killed(client: aitk_nb.AIToolkitClient) -> None:
    """The failed stop says how, and after the kill the process is gone."""
    job = started(client, "deaf", "deaf")
    pid = job.state.pid
    assert pid is not None

    with pytest.raises(AitkError, match=r"job\.kill\(\)"):
        job.stop(timeout=1)
    assert lives(pid)
    state = job.kill()

    assert (JobStatus.STOPPED, None, "Job force stopped") == (state.status, state.pid, state.info)
    until = time.monotonic() + 5
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(pid)
    with pytest.raises(BadInput, match="It was not killed"):
        job.kill()


def test_a_running_job_is_killed_from_anywhere(client: aitk_nb.AIToolkitClient) -> None:
    """Also by a handle that has just found it."""
    started(client, "found", "wait")

    assert "Job force stopped" == client.jobs.get("found").kill().info


class WithKill(ScriptedBackend):
    """A scripted server of 0.13."""

    killed = True

    def kill_job(self, state: JobState) -> bool:
        """Note it."""
        self.calls.append(f"kill {state.pid}")
        return self.killed

    def read_notes(self, _state: JobState) -> str:
        """Return none."""
        return ""

    def write_notes(self, _state: JobState, text: str) -> None:
        """Note it."""
        self.calls.append(text)


@for_each("status", list(JobStatus))
def test_only_what_runs_is_killed(status: JobStatus) -> None:
    """A process id of anything else may be somebody else's by now."""
    backend = WithKill({"status": status, "pid": 77}, {"status": status, "pid": 77})
    job = aitk_nb.AIToolkitClient(backend).jobs.start(PARAMS)
    backend.calls.clear()
    runs = status in (JobStatus.RUNNING, JobStatus.STOPPING)
    try:
        job.kill()
    except BadInput:
        assert not runs
    assert (["kill 77"] if runs else []) == backend.calls


def test_a_kill_that_met_nobody_says_so() -> None:
    """The server found no such process."""
    backend = WithKill(*[{"status": JobStatus.RUNNING, "pid": 77}] * 5)
    backend.killed = False
    job = aitk_nb.AIToolkitClient(backend).jobs.start(PARAMS)

    with pytest.raises(AitkError, match=r"no process of cat; job.repair\(\)"):
        job.kill()


def test_the_command_kills_what_does_not_stop(
    client: aitk_nb.AIToolkitClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says why, and does not do so together with what would need a process that lives."""
    started(client, "deaf", "deaf")
    monkeypatch.setattr(Job.stop, "__kwdefaults__", {**Job.stop.__kwdefaults__, "timeout": 1.0})
    ran = run("stop", "deaf", "--kill", "--url", client.url)
    assert "did not end within 1 s" in ran.err
    assert "deaf" in ran.out
    assert "Job force stopped" == client.jobs.get("deaf").state.info
    for more in ("--save", "--force"):
        ran = run("stop", "x", "--kill", more, "--url", client.url, code=2)
        assert "use --kill without --save and --force" in ran.err


def test_notes_are_kept_with_the_job(client: aitk_nb.AIToolkitClient) -> None:
    """Written, read, replaced; our own facts stay in the config."""
    job = started(client, "noted", "")
    before = job.refresh().config

    assert "" == job.notes()
    job.write_notes("# Größe\nthe best so far 🐈")
    assert "# Größe\nthe best so far 🐈" == client.jobs.get("noted").notes()
    job.write_notes("")
    assert "" == job.notes()
    assert before == job.refresh().config
    assert "attached" == client.jobs.start(job.params()).start_result


def test_notes_of_a_job_that_is_gone() -> None:
    """It is not found, as for everything else."""
    with demo.start() as server, aitk_nb.connect(server.url) as client:
        ghost = Job(client._backend, JobState("ghost", JobStatus.STOPPED, id="nothing"))
        with pytest.raises(NotFound):
            ghost.notes()


def old(asked: Asked) -> Reply:
    """Answer as a server of 0.12.26 does."""
    row = {"id": "1", "name": "cat", "status": "running", "pid": 77, "job_config": "{}"}
    if asked.path == "/api/jobs" and asked.method == "GET":
        return Reply(body=row if "id=" in asked.query else {"jobs": [row]})
    return Reply(404, "<html>404</html>", {"content-type": "text/html"})


@for_each("act", [Job.kill, Job.notes, lambda job: job.write_notes("x")], str)
def test_older_servers_have_neither(act: Callable[[Job], Any]) -> None:
    """Nothing that acts is sent to find that out."""
    with canned(old) as server, closing(WebUI(Http(Connection(server.url)))) as backend:
        job = Jobs(backend).get("cat")
        with pytest.raises(NotSupported, match="dated web UI"):
            act(job)
        assert not [
            one for one in server.asked if one.path.endswith("/kill") and one.method != "PUT"
        ]
        assert not [one for one in server.asked if one.method == "POST"]


def test_gradio_has_neither() -> None:
    """It says what to do instead."""
    job = aitk_nb.AIToolkitClient(ScriptedBackend(JobStatus.RUNNING)).jobs.start(PARAMS)
    with pytest.raises(NotSupported):
        job.notes()


def test_samples_that_are_texts(client: aitk_nb.AIToolkitClient, tmp_path: Path) -> None:
    """Listed, read and downloaded; a text that belongs to an image is not a sample."""
    job = started(client, "texts", "")
    folder = Path(job.files()[0].path).parent / "samples" if job.wait() else Path()
    folder.mkdir(exist_ok=True)
    (folder / "1__000000002_0.txt").write_text("A cat purrs twice, äh.", "utf-8")
    (folder / "1__000000002_1.mp3").write_bytes(b"x")
    (folder / "1__000000002_1.txt").write_text("its prompt", "utf-8")

    first, second = job.samples()

    assert ("1__000000002_0.txt", 2, 0) == (first.name, first.step, first.index)
    assert "1__000000002_1.mp3" == second.name
    assert "A cat purrs twice, äh." == job.sample_text(first)
    assert "A cat purrs twice, äh." == Path(job.download(tmp_path, first).path).read_text("utf-8")


class Tools(ScriptedBackend):
    """A scripted server that keeps the captioning jobs that it is given."""

    dataset_tools = property(lambda self: self)

    def list_captionings(self) -> tuple[JobState, ...]:
        """Have none."""
        return ()

    def create_captioning(self, _dataset: str, draft: JobDraft) -> JobState:
        """Keep it."""
        self.jobs[draft.name] = JobState(draft.name, JobStatus.RUNNING, config=draft.config)
        return self.jobs[draft.name]


@for_each(
    "case",
    [
        (CaptionOptions(captioner="MossMusicCaptioner"), "OpenMOSS-Team/", "mp3", False, "float8"),
        (CaptionOptions(captioner="Qwen25OmniCaptioner"), "ai-toolkit/", "wav", True, "convrot8"),
        (CaptionOptions(captioner="Brand9Captioner", model="me/x"), "me/x", "jpg", True, "float8"),
    ],
)
def test_new_captioners(case: tuple[CaptionOptions, str, str, bool, str]) -> None:
    """Known ones have their defaults, others a model of the user's."""
    options, model, extension, prompts, qtype = case
    backend = Tools()
    job = start_captioning(
        backend, DatasetInfo("cats", images=("a.jpg", "b.mp3", "c.wav")), options
    )  # type: ignore[arg-type]
    process = job.state.config["config"]["process"][0]

    assert options.captioner == process["type"]
    assert process["caption"]["model_name_or_path"].startswith(model)
    assert extension in process["caption"]["extensions"]
    assert prompts == ("caption_prompt" in process["caption"])
    assert qtype == process["caption"]["qtype"]
    assert json.dumps(process)
