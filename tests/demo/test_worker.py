"""Queues, processes and their ends, with a stand-in for the trainer."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from aitk_nb.demo.common.store import Store
from aitk_nb.demo.common.tables import Job
from aitk_nb.demo.webui.server import DemoServer
from aitk_nb.demo.webui.worker import Worker

COMMAND = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


class Bench:
    """A store and a quick worker."""

    def __init__(self, data: Path, patience: float = 3.0) -> None:
        """Use `data`; the worker looks ten times a second."""
        self.store = Store(data)
        self.store.open()
        self.worker = Worker(self.store, command=COMMAND, every=0.1, patience=patience).start()

    def add(
        self,
        name: str,
        act: str = "complete",
        gpu: str = "0",
        process: Mapping[str, object] | None = None,
    ) -> Job:
        """Create and queue a job, and switch its queue on."""
        config = {"config": {"name": name, "process": [{"act": act, **(process or {})}]}}
        return self.add_text(name, json.dumps(config), gpu)

    def add_text(self, name: str, config: str, gpu: str = "0") -> Job:
        """Create and queue a job with any text as its config, and switch its queue on."""
        fields = {"name": name, "gpu_ids": gpu, "job_config": config, "status": "queued"}
        job = self.store.db.create_job(fields)
        self.store.db.add_queue(gpu, running=True)
        self.store.db.set_queue(gpu, running=True)
        return job

    def wait(self, job: Job, done: Callable[[Job], bool]) -> Job:
        """Return the job as soon as `done` is true of it."""
        for _ in range(1000):
            found = self.store.db.job(job.id)
            if found is not None and done(found):
                return found
            time.sleep(0.01)
        raise AssertionError(f"still {found}")

    def file(self, name: str, *parts: str) -> Path:
        """Return a path in the folder of a job."""
        return self.store.data.joinpath("output", name, *parts)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A worker that is stopped at the end."""
    bench = Bench(tmp_path.resolve())
    yield bench
    bench.worker.stop()
    bench.store.close()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    run = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return bool(run.stdout.strip()) and not run.stdout.startswith(b"Z")


def wait_gone(pid: int) -> None:
    """Return when the process has ended."""
    for _ in range(500):
        if not is_alive(pid):
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} still lives")


def training(job: Job) -> bool:
    """Return whether the stand-in has come to its work."""
    return job.info == "Training" and job.pid is not None


def test_jobs_of_a_queue_run_one_after_the_other(bench: Bench) -> None:
    """Both complete, in order, and the queue switches itself off."""
    first, second = bench.add("a"), bench.add("b")

    second = bench.wait(second, lambda job: job.status == "completed")

    done = bench.store.db.job(first.id)
    assert done is not None
    assert done.status == "completed"
    assert done.pid is not None
    assert bench.file("a", "pid.txt").read_text() == str(done.pid)
    assert bench.file("a", "log.txt").read_text() == "acting complete\n"
    config = json.loads(bench.file("a", ".job_config.json").read_text())
    assert config["config"]["process"][0]["sqlite_db_path"] == str(bench.store.database_path)
    time.sleep(0.3)
    queue = bench.store.db.queue("0")
    assert queue is not None
    assert not queue.is_running


def test_a_second_run_puts_the_log_away(bench: Bench) -> None:
    """The old log is numbered and the new one begins empty."""
    job = bench.add("a")
    bench.wait(job, lambda job: job.status == "completed")
    bench.file("a", "log.txt").write_text("first")
    bench.store.db.update_job(job.id, {"status": "queued"})
    bench.store.db.set_queue("0", running=True)

    bench.wait(job, lambda job: job.status == "completed")

    assert bench.file("a", "logs", "0_log.txt").read_text() == "first"
    assert bench.file("a", "log.txt").read_text() == "acting complete\n"


def test_stop_interrupts_only_our_own_child(bench: Bench) -> None:
    """The right pid gets SIGINT and the job is stopped; any other pid gets nothing."""
    job = bench.wait(bench.add("a", "wait"), training)
    assert job.pid is not None

    assert not bench.worker.interrupt(job.id, os.getpid())
    assert not bench.worker.interrupt("other", job.pid)
    assert bench.worker.interrupt(job.id, job.pid)

    assert bench.store.db.job(job.id).status == "stopped"  # type: ignore[union-attr]
    bench.wait(job, lambda job: job.pid not in bench.worker.pids)
    assert "terminated" not in bench.file("a", "log.txt").read_text()
    assert not bench.worker.interrupt(job.id, job.pid)


def test_a_killed_process_is_an_error_with_its_signal(bench: Bench) -> None:
    """SIGKILL ends as the error that names it, and the pid is forgotten."""
    job = bench.wait(bench.add("a", "wait"), training)
    assert job.pid is not None
    os.kill(job.pid, signal.SIGKILL)

    job = bench.wait(job, lambda job: job.status == "error")

    assert job.info == "Job process terminated with signal SIGKILL."
    assert job.pid is None
    assert bench.file("a", "log.txt").read_text().endswith(f"\n{job.info}\n")


def test_a_bad_exit_code_is_an_error(bench: Bench) -> None:
    """A trainer that fails without a word gets one from the worker."""
    job = bench.wait(bench.add("a", "fail"), lambda job: job.status == "error")

    assert job.info == "Job process terminated with exit code 3."


def test_a_stopped_queue_takes_its_job_back(bench: Bench) -> None:
    """The job returns to the queue and runs again when the queue goes on."""
    job = bench.wait(bench.add("a", "wait"), training)
    bench.store.db.set_queue("0", running=False)
    queued = bench.wait(job, lambda job: job.status == "queued")
    assert queued.return_to_queue
    bench.store.db.set_queue("0", running=True)

    again = bench.wait(job, lambda new: training(new) and new.pid != job.pid)

    assert not again.return_to_queue
    first_log = bench.file("a", "logs", "0_log.txt").read_text()
    assert first_log.endswith("\nJob process terminated with exit code 1.\n")


@pytest.mark.parametrize("config", ["{}", "null", '"text"', '{"config":{"process":[]}}'])
def test_a_poison_config_blocks_its_own_queue(bench: Bench, config: str) -> None:
    """The job says running for ever; other queues go on, and its own after it is marked."""
    poison = bench.add_text("poison", config)
    behind, other = bench.add("behind"), bench.add("other", gpu="1")

    bench.wait(other, lambda job: job.status == "completed")
    stuck = bench.wait(poison, lambda job: job.status == "running")
    assert (stuck.info, stuck.pid) == ("Starting job...", None)
    assert bench.store.db.job(behind.id).status == "queued"  # type: ignore[union-attr]

    bench.store.db.update_job(poison.id, {"status": "stopped"})
    bench.wait(behind, lambda job: job.status == "completed")


@pytest.mark.parametrize(
    ("process", "word"),
    [
        ({"training_folder": "/tmp"}, "training_folder"),
        ({"training_folder": "../x"}, "training_folder"),
        ({"training_folder": "datasets"}, "training_folder"),
        ({"datasets": [{"folder_path": "/etc"}]}, "folder_path"),
        ({"datasets": [{"folder_path": "output/a"}]}, "folder_path"),
        ({"datasets": ["x"]}, "not an object"),
    ],
)
def test_paths_out_of_the_folder_are_refused(
    bench: Bench, process: dict[str, object], word: str
) -> None:
    """The job becomes an error that names the path, and nothing runs."""
    job = bench.wait(bench.add("a", process=process), lambda job: job.status == "error")

    assert word in job.info
    assert not bench.file("a", "log.txt").exists()


@pytest.mark.parametrize("name", ["../a", "", ".."])
def test_job_names_out_of_the_folder_are_refused(bench: Bench, name: str) -> None:
    """A name that leads elsewhere makes no folder."""
    job = bench.wait(bench.add(name), lambda job: job.status == "error")

    assert "leads out" in job.info
    assert not list((bench.store.data / "output").iterdir())


def test_the_environment_is_scrubbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token of the server's process reaches the trainer."""
    monkeypatch.setenv("AI_TOOLKIT_AUTH", "secret")
    monkeypatch.setenv("HF_TOKEN", "secret")
    bench = Bench(tmp_path.resolve())
    try:
        job = bench.add("a", "environment", gpu="0,1")
        bench.wait(job, lambda job: job.status == "completed")
    finally:
        bench.worker.stop()
        bench.store.close()

    seen = json.loads(bench.file("a", "environment.json").read_text())
    assert "secret" not in seen.values()
    assert seen["AITK_JOB_ID"] == job.id
    assert seen["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert seen["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(("act", "patience"), [("wait", 3.0), ("deaf", 0.3)])
def test_stopping_the_worker_leaves_no_child(tmp_path: Path, act: str, patience: float) -> None:
    """Willing or deaf, the process is gone, and no row says running."""
    bench = Bench(tmp_path.resolve(), patience)
    job = bench.wait(bench.add("a", act), training)
    assert job.pid is not None

    bench.worker.stop()

    assert not is_alive(job.pid)
    assert bench.store.db.job(job.id).status == "stopped"  # type: ignore[union-attr]
    bench.store.close()


def test_a_job_does_not_wait_for_its_own_last_process(bench: Bench) -> None:
    """Started again while its process lives, it gets a second one, as on the real server."""
    job = bench.wait(bench.add("a", "deaf"), training)
    bench.store.db.update_job(job.id, {"status": "queued"})
    bench.wait(job, lambda now: now.pid != job.pid)

    assert len(bench.worker.pids) == 2


def test_without_exit_handlers_a_crash_is_not_noted(bench: Bench) -> None:
    """The job runs for ever, and a stop finds nothing to signal."""
    job = bench.wait(bench.add("a", "wait"), training)
    assert job.pid is not None
    bench.worker.lose_exit_handlers()
    os.kill(job.pid, signal.SIGKILL)
    while bench.worker.pids:
        time.sleep(0.01)

    assert not bench.worker.interrupt(job.id, job.pid)
    assert bench.store.db.job(job.id) == job


def test_over_http_from_start_to_stop(tmp_path: Path) -> None:
    """Start, queue start, stop and delete do what they say, once a second."""
    with DemoServer(tmp_path, command=COMMAND).start() as server:
        http = httpx.Client(base_url=server.url, timeout=10)
        config = {"config": {"name": "a", "process": [{"act": "wait"}]}}
        body = {"name": "a", "gpu_ids": "0", "job_config": config}
        job = http.post("/api/jobs", json=body).json()
        assert http.get(f"/api/jobs/{job['id']}/start").json()["status"] == "stopped"
        assert http.get("/api/queue/0/start").json()["is_running"] is False
        while (now := http.get("/api/jobs", params={"id": job["id"]}).json())["info"] != "Training":
            time.sleep(0.02)
        while now["pid"] is None:
            now = http.get("/api/jobs", params={"id": job["id"]}).json()

        http.get(f"/api/jobs/{job['id']}/stop")

        now = http.get("/api/jobs", params={"id": job["id"]}).json()
        assert (now["status"], now["stop"]) == ("stopped", True)
        wait_gone(now["pid"])
        http.get(f"/api/jobs/{job['id']}/delete")
        assert http.get("/api/jobs").json() == {"jobs": []}
        assert not (tmp_path / "output" / "a").exists()
        http.close()


SCRIPT = """
import sys, time
from aitk_nb.demo.webui.server import DemoServer
server = DemoServer(sys.argv[1], command=sys.argv[2:]).start()
print(server.url, flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_no_trainer(tmp_path: Path) -> None:
    """When the server's process is killed, the trainer's stdin ends and so does the trainer.

    The row stays running, as with the real server, and the folder is free again.
    """
    arguments = [sys.executable, "-c", SCRIPT, str(tmp_path), *COMMAND]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with httpx.Client(base_url=process.stdout.readline().strip()) as http:
            config = {"config": {"name": "a", "process": [{"act": "wait"}]}}
            body = {"name": "a", "gpu_ids": "0", "job_config": config}
            job = http.post("/api/jobs", json=body).json()
            http.get(f"/api/jobs/{job['id']}/start")
            http.get("/api/queue/0/start")
            while (now := http.get("/api/jobs", params={"id": job["id"]}).json())["pid"] is None:
                time.sleep(0.02)
            time.sleep(0.2)
        process.kill()
    wait_gone(now["pid"])

    with DemoServer(tmp_path, command=COMMAND).start() as server:
        row = httpx.get(f"{server.url}/api/jobs", params={"id": job["id"]}).json()
    assert row["status"] == "running"
