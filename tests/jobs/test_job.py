"""Watching, stopping, deleting and downloading, by a scripted server and a scripted clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aitk_nb.errors import AitkError, JobFailed, NotFound
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobStatus
from aitk_nb.models.loss import LossPoint
from aitk_nb.training.job_config import draft
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

QUEUED, RUNNING = JobStatus.QUEUED, JobStatus.RUNNING
STOPPED, COMPLETED, ERROR = JobStatus.STOPPED, JobStatus.COMPLETED, JobStatus.ERROR


# -- watch ----------------------------------------------------------------------------------------


def watched(backend: ScriptedBackend, clock: Clock) -> Job:
    """Return the handle of a job that was started."""
    return Job(backend, there(backend, status=QUEUED), sleep=clock.sleep, clock=clock)


def test_watch_yields_each_state_once_and_does_not_sleep_after_the_last() -> None:
    """However often it is asked."""
    script: list[Any] = [QUEUED, RUNNING, {"step": 5}, {"step": 5}, {"step": 9}, COMPLETED]
    backend, clock = ScriptedBackend(*script), Clock()
    job = watched(backend, clock)

    states = [(state.status, state.step) for state in job.watch(every=2.0)]

    assert [(QUEUED, 0), (RUNNING, 0), (RUNNING, 5), (RUNNING, 9), (COMPLETED, 9)] == states
    assert [2.0] * 5 == clock.naps
    assert COMPLETED is job.state.status


def test_watching_what_has_ended_yields_it_once() -> None:
    """Without sleeping."""
    backend, clock = ScriptedBackend(), Clock()
    job = Job(backend, there(backend, status=ERROR), sleep=clock.sleep, clock=clock)

    assert [ERROR] == [state.status for state in job.watch()]
    assert [] == clock.naps


def test_watching_ends_in_time() -> None:
    """The error says how the job stands and that it goes on; time is not overslept."""
    backend, clock = ScriptedBackend(RUNNING), Clock()
    job = watched(backend, clock)
    with pytest.raises(AitkError, match=r"did not end within 5 s; it is running at step 0"):
        list(job.watch(every=2.0, timeout=5.0))

    assert 5.0 == clock.now
    assert [] == backend.calls


def test_leaving_the_loop_stops_watching_only() -> None:
    """The job goes on."""
    backend, clock = ScriptedBackend(RUNNING), Clock()
    for _ in watched(backend, clock).watch():
        break

    assert [] == backend.calls
    assert [] == clock.naps


def test_a_job_that_vanishes_while_watched_is_not_found() -> None:
    """It was deleted."""
    backend, clock = ScriptedBackend(RUNNING), Clock()
    job = watched(backend, clock)
    clock.events[2.0] = backend.jobs.clear
    with pytest.raises(NotFound, match="cat"):
        list(job.watch(every=2.0))


def test_waiting_returns_the_completed_state_and_raises_for_any_other_end() -> None:
    """The error says how the job ended."""
    backend, clock = ScriptedBackend(RUNNING, {"step": 9}, COMPLETED), Clock()
    assert (COMPLETED, 9) == ((state := watched(backend, clock).wait()).status, state.step)
    for status in (STOPPED, ERROR):
        backend.script = [{"status": status, "info": "no disk."}]
        with pytest.raises(
            JobFailed, match=f"ended as {status.value} at step 0: no disk.$"
        ) as caught:
            watched(backend, clock).wait()
        assert ("cat", status.value, 0) == (
            caught.value.name,
            caught.value.status,
            caught.value.step,
        )
    backend.script = [{"status": RUNNING}]
    with pytest.raises(AitkError, match="did not end within 5 s"):
        watched(backend, clock).wait(timeout=5.0)


def test_showing_a_job_asks_nothing() -> None:
    """The state as last seen, as text and as HTML; the summary is read on request."""
    backend = ScriptedBackend()
    job = Job(backend, there(backend, status=RUNNING, step=3, info="<b>"))
    backend.losses = {"loss/loss": (LossPoint(1, 1e9, 0.25),)}
    backend.files = {"cat.safetensors": b"x"}
    backend.get_job = backend.list_files = backend.loss_keys = None  # type: ignore[assignment]
    assert "<Job 'cat' running step 3>" == repr(job)
    assert "&lt;b&gt;" in job._repr_html_()
    assert not hasattr(job, "_repr_mimebundle_")
    for name in ("list_files", "loss_keys"):
        delattr(backend, name)
    summary = job.summary()
    assert {
        "name": "cat",
        "flavour": "webui",
        "status": "running",
        "step": 3,
        "loss": 0.25,
        "files": [{"name": "cat.safetensors", "size": 1}],
    } == summary._repr_mimebundle_()["application/vnd.aitk.job+json"]
    assert "<'cat' running at step 3, loss 0.25, 1 file>" == repr(summary)
    assert "cat.safetensors" in summary._repr_html_()


# -- stop and delete ------------------------------------------------------------------------------


def test_a_waiting_job_has_nothing_to_save() -> None:
    """It is taken out of the queue."""
    backend, clock = ScriptedBackend({}, STOPPED), Clock()
    Job(backend, there(backend, status=QUEUED), sleep=clock.sleep, clock=clock).stop(save=True)

    assert ["stop cat"] == backend.calls
    assert [] == clock.naps


@pytest.mark.parametrize("status", [STOPPED, COMPLETED, ERROR])
def test_stopping_what_has_ended_does_nothing(status: JobStatus) -> None:
    """It is asked once how it stands."""
    backend, clock = ScriptedBackend(), Clock()
    job = Job(backend, there(backend, status=status), sleep=clock.sleep, clock=clock)

    assert status is job.stop().status
    assert [] == backend.calls
    assert [] == clock.naps


def test_a_job_that_does_not_stop_is_reported() -> None:
    """With the server's own words."""
    backend, clock = ScriptedBackend(), Clock()
    state = there(backend, status=RUNNING, info="Loading model")
    job = Job(backend, state, sleep=clock.sleep, clock=clock)
    with pytest.raises(AitkError, match="did not end within 3 s; the server says 'Loading model'"):
        job.stop(timeout=3.0)


def test_deleting_stops_and_waits_first() -> None:
    """Else its process would go on without a row."""
    backend, clock = ScriptedBackend({}, {}, STOPPED), Clock()
    Job(backend, there(backend, status=RUNNING), sleep=clock.sleep, clock=clock).delete()

    assert ["stop cat", "delete cat"] == backend.calls
    assert {} == backend.jobs


def test_deleting_waits_for_what_somebody_else_has_just_stopped() -> None:
    """Its process would make the folder again."""
    backend, clock = ScriptedBackend(), Clock()
    there(backend, status=STOPPED, pid=7)
    backend.exits = lambda _state: clock.now >= 1.5
    Jobs(backend, sleep=clock.sleep, clock=clock).delete("cat")

    assert ["delete cat"] == backend.calls
    assert clock.now >= 1.5


def test_what_does_not_stop_is_not_deleted() -> None:
    """It says so instead."""
    backend, clock = ScriptedBackend(), Clock()
    job = Job(backend, there(backend, status=RUNNING), sleep=clock.sleep, clock=clock)
    with pytest.raises(AitkError, match="did not end"):
        job.delete(timeout=2.0)

    assert ["stop cat"] == backend.calls
    assert "cat" in backend.jobs


def test_a_job_that_is_renamed_is_followed_by_its_id() -> None:
    """Whatever it is called meanwhile, also when its old name is another job's."""
    backend, clock = ScriptedBackend({"step": 3}, {"step": 4}, COMPLETED), Clock()
    job = watched(backend, clock)
    backend.jobs = {"a dog": replace(backend.jobs["cat"], name="a dog")}
    backend.put(draft(PARAMS), id="another", status=ERROR)

    states = list(job.watch(every=2.0))

    assert ["a dog"] * 3 == [state.name for state in states]
    assert ("a dog", COMPLETED) == (job.name, job.state.status)


# -- losses and files -----------------------------------------------------------------------------


def test_losses_are_gathered_from_all_pages_and_go_on() -> None:
    """Every key, once; later only what is new."""
    backend = ScriptedBackend()
    points = tuple(LossPoint(step, 1e9, 1 / step) for step in range(1, 6))
    backend.losses = {"loss/loss": points, "learning_rate": points[:3]}
    job = Job(backend, there(backend, status=RUNNING))

    first = job.losses()
    backend.losses["loss/loss"] += (LossPoint(6, 1e9, 0.1),)
    second = job.losses(since=first)

    assert [1, 2, 3, 4, 5] == first.columns("loss/loss")[0].tolist()
    assert [1, 2, 3] == first.columns("learning_rate")[0].tolist()
    assert [1, 2, 3, 4, 5, 6] == second.columns("loss/loss")[0].tolist()
    assert isinstance(first, LossHistory)


def test_the_lora_is_the_final_one_or_the_newest(tmp_path: Any) -> None:
    """The final one has no number; without any, the error says how the job stands."""
    backend = ScriptedBackend()
    job = Job(backend, there(backend, status=RUNNING))
    with pytest.raises(NotFound, match="The job is running"):
        job.download(tmp_path)

    names = ["cat_000000010.safetensors", "cat_000000020.safetensors", "optimizer.pt"]
    backend.files = {name: name.encode() for name in names}
    assert job.download(tmp_path).path.endswith("cat_000000020.safetensors")
    backend.files["cat.safetensors"] = b"final"
    assert job.download(tmp_path).path.endswith("cat.safetensors")
    assert not job.download(tmp_path).fetched
    assert job.download(tmp_path, "optimizer.pt").size == len("optimizer.pt")
    with pytest.raises(NotFound, match=r"optimizer\.pt"):
        job.download(tmp_path, "nothing")


def test_checkpoints_are_told_by_their_steps() -> None:
    """The final one is that of the last step; what is no checkpoint does not count."""
    backend = ScriptedBackend()
    job = Job(backend, there(backend, status=JobStatus.COMPLETED, step=90))
    assert () == job.checkpoints()
    names = ("cat.safetensors", "cat_000000060.safetensors", "cat_000000030.safetensors")
    backend.files = dict.fromkeys((*names, "optimizer.pt", "cat_x.safetensors"), b"")
    assert (30, 60, 90) == job.checkpoints()


def test_checkpoints_of_a_job_that_ended_unwatched() -> None:
    """The final one is that of the step of now, not of the one that was last looked at."""
    backend = ScriptedBackend()
    job = Job(backend, there(backend, status=JobStatus.QUEUED, step=0))
    backend.files = {"cat.safetensors": b""}
    backend.script = [{"status": JobStatus.COMPLETED, "step": 90}]
    assert (90,) == job.checkpoints()


def test_a_file_of_the_server_stays_in_the_folder(tmp_path: Any) -> None:
    """Whatever the server calls it."""
    backend = ScriptedBackend()
    backend.files = {"../../cat.safetensors": b"x"}
    report = Job(backend, there(backend)).download(tmp_path / "loras", "../../cat.safetensors")

    assert str(tmp_path / "loras" / "cat.safetensors") == report.path
