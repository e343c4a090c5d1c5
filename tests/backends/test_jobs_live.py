"""Jobs on a real server with real processes: once however often, stopped, resumed and deleted."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import nbformat
import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.errors import AitkError, JobConflict, NotFound, NotSupported
from aitk_nb.models.job import JobStatus
from aitk_nb.notebooks import run
from tests.proxy import FaultProxy
from tests.proxy_answers import Exchange


@pytest.fixture
def proxy(stand_in_server: demo.DemoServer) -> Iterator[FaultProxy]:
    """A line to the server that keeps a log; jobs are gone afterwards."""
    with FaultProxy(stand_in_server.url) as proxy:
        yield proxy
    with aitk_nb.connect(stand_in_server.url) as client:
        for job in client.jobs.list():
            job.delete()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[aitk_nb.AIToolkitClient]:
    """A client behind that line."""
    with aitk_nb.connect(proxy.url) as client:
        yield client


def acts(log: list[Exchange]) -> list[str]:
    """Return the requests that changed something, without ids."""
    words = ("start", "stop", "mark_stopped", "delete", "save_now", "sample_now")
    found = []
    for exchange in log:
        path = exchange.path.partition("?")[0]
        if exchange.method == "POST" and path in {"/api/jobs", "/api/datasets/upload"}:
            found.append(f"POST {path}")
        elif (
            exchange.method != "PUT"  # it does nothing
            and path.startswith("/api/jobs/")
            and path.rpartition("/")[2] in words
        ):
            found.append(path.rpartition("/")[2])
    return found


def params(name: str, act: str = "", **fields: object) -> aitk_nb.TrainingParams:
    """Return the parameters of a job on `cats`; `act` is for the stand-in trainer."""
    given = {"name": name, "dataset": "cats", "steps": 5, "extra": f"act: {act}" if act else ""}
    return aitk_nb.TrainingParams.model_validate(given | fields)


def cell(url: str, photos: Path, name: str) -> aitk_nb.Job:
    """Do what a notebook does."""
    with aitk_nb.connect(url) as client:
        dataset = client.datasets.upload(photos, "Cats")
        job = client.jobs.start(params(name).model_copy(update={"dataset": dataset.name}))
        for _ in job.watch(every=0.05, timeout=30):
            pass
        return job


def test_a_job_that_waits_in_a_stopped_queue_is_let_run(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy, photos: Path
) -> None:
    """Whoever queued it died before the queue was started; the same cell again brings it on."""
    client.datasets.upload(photos, "cats")
    proxy.answer("GET", r"/api/queue/.*/start", 500, times=1)
    with pytest.raises(AitkError):
        client.jobs.start(params("waiting"))
    time.sleep(1.5)
    assert JobStatus.QUEUED is client.jobs.get("waiting").state.status

    job = client.jobs.start(params("waiting"))
    *_, last = job.watch(every=0.05, timeout=30)

    assert JobStatus.COMPLETED is last.status
    assert 1 == acts(proxy.log).count("start")


def test_a_cell_that_runs_twice_does_it_once(proxy: FaultProxy, photos: Path) -> None:
    """One job, one start, and nothing is uploaded a second time."""
    first = cell(proxy.url, photos, "twice 🐈")
    before = len(proxy.log)
    second = cell(proxy.url, photos, "twice 🐈")

    assert ["POST /api/jobs", "start"] == [
        act for act in acts(proxy.log[:before]) if "datasets" not in act
    ]
    assert [] == acts(proxy.log[before:])
    assert JobStatus.COMPLETED is second.state.status
    assert first.state == second.state


def trainings(server: demo.DemoServer, name: str) -> int:
    """Return how often the trainer ran: each run puts the log of the one before away."""
    folder = server.data / "output" / name
    return (folder / "log.txt").exists() + len(list(folder.glob("logs/*")))


def test_two_threads_start_one_training(
    proxy: FaultProxy, stand_in_server: demo.DemoServer, photos: Path
) -> None:
    """At the same moment, with a client each."""
    with aitk_nb.connect(proxy.url) as client:
        client.datasets.upload(photos, "cats")
    gate, jobs = threading.Barrier(2), []

    def start() -> None:
        with aitk_nb.connect(proxy.url) as client:
            gate.wait()
            job = client.jobs.start(params("threads"))
            for _ in job.watch(every=0.05, timeout=30):
                pass
            jobs.append(job.state)

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [JobStatus.COMPLETED] * 2 == [state.status for state in jobs]
    assert jobs[0].id == jobs[1].id
    assert 1 == acts(proxy.log).count("start")
    assert 1 == trainings(stand_in_server, "threads")


STARTER = """
import sys
import aitk_nb
client = aitk_nb.connect(sys.argv[1])
sys.stdout.write("ready\\n")
sys.stdout.flush()
for line in sys.stdin:
    params = aitk_nb.TrainingParams(name=line.strip(), dataset="cats", steps=5)
    job = client.jobs.start(params)
    sys.stdout.write(f"{job.state.id}\\n")
    sys.stdout.flush()
"""
"""A kernel that starts the training of each name that it is told."""


@pytest.mark.slow
def test_two_processes_start_one_training(
    proxy: FaultProxy, stand_in_server: demo.DemoServer, photos: Path
) -> None:
    """Two kernels of two people, told at the same moment, again and again."""
    with aitk_nb.connect(proxy.url) as client:
        client.datasets.upload(photos, "cats")
    pipe = subprocess.PIPE
    kernels = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, proxy.url], stdin=pipe, stdout=pipe, text=True
        )
        for _ in range(2)
    ]
    names = [f"race {number}" for number in range(4)]

    def tell(line: str) -> list[str]:
        for kernel in kernels:
            assert kernel.stdin is not None
            kernel.stdin.write(line)
            kernel.stdin.flush()
        return [kernel.stdout.readline().strip() for kernel in kernels if kernel.stdout]

    assert ["ready", "ready"] == tell("")
    ids = [tell(f"{name}\n") for name in names]
    for kernel in kernels:
        kernel.communicate(timeout=30)

    assert [0, 0] == [kernel.returncode for kernel in kernels]
    assert all(one and one == other for one, other in ids)
    assert len(names) == len({one for one, _ in ids})
    assert len(names) == acts(proxy.log).count("start")
    with aitk_nb.connect(proxy.url) as client:
        for name in names:
            for _ in client.jobs.get(name).watch(every=0.05, timeout=30):
                pass
            assert 1 == trainings(stand_in_server, name)


CRASHING = """
import os, signal
import aitk_nb
client = aitk_nb.connect(url)
dies = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if crash == "created":
    client.jobs._backend.start_job = dies
params = aitk_nb.TrainingParams(name=name, dataset="cats", steps=5)
job = client.jobs.start(params)
if crash:
    dies()
for _ in job.watch(every=0.05, timeout=30):
    pass
job.summary()
"""


@pytest.mark.slow
@pytest.mark.parametrize("crash", ["created", "started"])
def test_a_notebook_that_runs_again_after_its_kernel_died_does_it_once(
    crash: str, proxy: FaultProxy, stand_in_server: demo.DemoServer, photos: Path, tmp_path: Path
) -> None:
    """By papermill; also where nobody was left to start the job that had been created."""
    with aitk_nb.connect(proxy.url) as client:
        client.datasets.upload(photos, "cats")
    given = f'url: str = ""  #\nname: str = "crash {crash}"  #\ncrash: str = ""  #'
    cells = [nbformat.v4.new_code_cell(text) for text in (given, CRASHING)]
    cells[0].metadata.tags = ["parameters"]
    book = tmp_path / "crash.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), book)

    died = run.run(book, tmp_path / "out.ipynb", {"url": proxy.url, "crash": crash})
    again = run.run(book, tmp_path / "out.ipynb", {"url": proxy.url})

    assert died.error
    assert ("", "completed") == (again.error, again.result["status"])
    assert 1 == trainings(stand_in_server, f"crash {crash}")
    assert ["POST /api/jobs", "start"] == [act for act in acts(proxy.log) if "datasets" not in act]


@pytest.mark.slow
def test_a_job_is_stopped_resumed_and_deleted(
    client: aitk_nb.AIToolkitClient,
    proxy: FaultProxy,
    stand_in_server: demo.DemoServer,
    photos: Path,
) -> None:
    """With a checkpoint before the stop, from which it goes on."""
    client.datasets.upload(photos, "cats")
    meant = params("whole life", act="linger")
    job = client.jobs.start(meant)
    for state in job.watch(every=0.05, timeout=30):
        if state.step > 3:
            break

    before = time.monotonic()
    stopped = job.stop(save=True)

    assert JobStatus.STOPPED is stopped.status
    assert time.monotonic() - before > 0.9, "the process takes a second to end"
    assert "Job stopped" in job.log()
    (checkpoint,) = job.files()
    assert f"whole life_{stopped.step:09d}.safetensors" == checkpoint.name
    assert stopped == client.jobs.start(meant).state, "attaching does not start it"

    again = client.jobs.start(meant, if_exists="resume")
    for state in again.watch(every=0.05, timeout=30):
        if state.status is JobStatus.RUNNING and state.step > stopped.step:
            break
    with pytest.raises(JobConflict, match=r"train\.steps is 5, not 9"):
        client.jobs.start(params("whole life", act="linger", steps=9), if_exists="resume")
    client.jobs.delete("whole life")

    assert not (stand_in_server.data / "output" / "whole life").exists()
    with pytest.raises(NotFound):
        again.refresh()
    assert 2 == acts(proxy.log).count("start")
    assert 2 == acts(proxy.log).count("stop")


def test_what_somebody_just_stopped_is_resumed_when_it_has_ended(
    client: aitk_nb.AIToolkitClient, stand_in_server: demo.DemoServer, photos: Path
) -> None:
    """The web UI says stopped at once, while the old trainer still writes its files."""
    client.datasets.upload(photos, "cats")
    meant = params("resumed at once", act="linger")
    job = client.jobs.start(meant)
    for state in job.watch(every=0.05, timeout=30):
        if state.step > 1:
            break
    job._backend.stop_job(state)
    log = stand_in_server.data / "output" / "resumed at once" / "log.txt"
    assert "Job stopped" not in log.read_text(encoding="utf-8")

    client.jobs.start(meant, if_exists="resume")

    kept = [*log.parent.glob("logs/*"), log]
    assert "Job stopped" in kept[0].read_text(encoding="utf-8")


def test_another_config_is_refused_until_it_is_told_what_to_do(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """An error, a new name, or the same job going on with more steps."""
    client.datasets.upload(photos, "cats")
    for _ in client.jobs.start(params("grows")).watch(every=0.05, timeout=30):
        pass
    more = params("grows", steps=8)
    with pytest.raises(JobConflict, match=r"train\.steps is 5, not 8.*Choose another name"):
        client.jobs.start(more)

    fresh = client.jobs.start(more, if_exists="new")
    job = client.jobs.start(more, if_exists="resume")
    for _ in job.watch(every=0.05, timeout=30):
        pass

    assert ("grows_2", "grows") == (fresh.name, job.name)
    assert (JobStatus.COMPLETED, 8) == (job.state.status, job.state.step)
    assert ["grows_2", "grows"] == [found.name for found in client.jobs.list()]
    assert job.state.id is not None
    assert "grows" == client.jobs.get(job.state.id).name


def test_watching_survives_a_line_that_breaks_now_and_then(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy, photos: Path
) -> None:
    """Reads are asked again."""
    client.datasets.upload(photos, "cats")
    job = client.jobs.start(params("on a bad line"))
    proxy.answer("GET", r"/api/jobs\?id=.*", 502, times=2)
    proxy.reset_next(2)

    assert JobStatus.COMPLETED is list(job.watch(every=0.05, timeout=30))[-1].status


def test_a_missing_dataset_starts_nothing(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy
) -> None:
    """It is said which there are."""
    with pytest.raises(NotFound, match="no dataset named 'dragons'"):
        client.jobs.start(params("x", dataset="dragons"))

    assert [] == acts(proxy.log)


def test_giving_up_on_watching_leaves_the_job(
    client: aitk_nb.AIToolkitClient, photos: Path
) -> None:
    """It goes on."""
    client.datasets.upload(photos, "cats")
    job = client.jobs.start(params("goes on", act="wait"))
    with pytest.raises(AitkError, match="keeps running"):
        list(job.watch(every=0.05, timeout=0.3))

    assert job.refresh().status.is_active


def test_the_real_trainer_leaves_losses_samples_and_a_lora(
    demo_server: demo.DemoServer, photos: Path, tmp_path: Path
) -> None:
    """The whole path of the library on the embedded server as users have it."""
    with aitk_nb.connect(demo_server.url) as client:
        dataset = client.datasets.upload(photos, "Live Photographs")
        job = client.jobs.start(
            aitk_nb.TrainingParams(
                name="live",
                dataset=dataset.name,
                steps=60,
                rank=4,
                learning_rate=1e-3,
                resolution=(64,),
                save_every=20,
                sample_every=30,
                prompts=("an officer",),
            )
        )
        *_, state = job.watch(every=0.2, timeout=60)
        assert (JobStatus.COMPLETED, 60) == (state.status, state.step), job.log()[-2000:]
        history = job.losses()
        report = job.download(tmp_path)
        lora = aitk_nb.inspect_lora(report.path)
        samples = job.samples()
        client.jobs.delete("live")

    assert list(range(1, 60)) == history.columns("loss/loss")[0].tolist()
    assert lora.finite
    assert samples


def test_a_renamed_job_is_followed_and_jobs_of_all_types_are_found(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy, photos: Path
) -> None:
    """By id, and whatever it does; the list shows only those that train."""
    client.datasets.upload(photos, "cats")
    job = client.jobs.start(params("before", "wait"))
    rename = {"id": job.state.id, "name": "after it"}
    assert httpx.post(f"{proxy.url}/api/jobs", json=rename).status_code == 200

    assert "after it" == job.refresh().name == job.name
    while job.refresh().status is not JobStatus.RUNNING:
        time.sleep(0.05)
    with pytest.raises(AitkError, match="was 'before' when it started"):
        job.stop(save=True)
    with pytest.raises(NotFound, match="It has: after it"):
        client.jobs.get("before")
    row = {"name": "engine", "gpu_ids": "5", "job_type": "inference", "job_config": {}}
    engine = httpx.post(f"{proxy.url}/api/jobs", json={"id": None, **row}).json()
    assert ["after it"] == [one.name for one in client.jobs.list()]
    for name in ("engine", engine["id"]):
        assert "inference" == client.jobs.get(name).state.job_type
    client.jobs.delete("engine")
    assert JobStatus.STOPPED is job.stop().status


def test_a_server_without_save_now_says_so_before_anything_is_stopped(
    client: aitk_nb.AIToolkitClient, proxy: FaultProxy, photos: Path
) -> None:
    """Servers from before May 2026 answer a web page."""
    client.datasets.upload(photos, "cats")
    job = client.jobs.start(params("unsaved", "wait"))
    while job.refresh().status is not JobStatus.RUNNING:
        time.sleep(0.05)
    proxy.answer("GET|PUT", ".*/save_now", 404, {"Content-Type": "text/html"}, b"<html>404</html>")
    with pytest.raises(NotSupported, match=r"cannot save unsaved now\. Update AI Toolkit"):
        job.stop(save=True)

    assert JobStatus.RUNNING is job.refresh().status
    assert "stop" not in acts(proxy.log)
