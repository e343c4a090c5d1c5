"""What is said of a job's health, by a scripted server and a scripted clock."""

from __future__ import annotations

import math
from typing import Any

import pytest

from aitk_nb.errors import AitkError, BadInput, Rejected, ServerNotReady, UnexpectedReply
from aitk_nb.jobs.failure_reasons import explain
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobStatus
from aitk_nb.models.loss import LossPoint
from aitk_nb.training.params import TrainingParams
from tests.scripted import Clock, ScriptedBackend, there

RUNNING = JobStatus.RUNNING


def sick(**state: Any) -> tuple[ScriptedBackend, Clock, Job]:
    """Return a job that runs, with its server and its clock."""
    backend, clock = ScriptedBackend(), Clock()
    fields = {"status": RUNNING, "info": "Training", "pid": 7, "step": 5, "tells_pid": True}
    fields |= state
    job = Job(backend, there(backend, **fields), sleep=clock.sleep, clock=clock)
    return backend, clock, job


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, HealthState.TRAINING),
        ({"info": "Loading transformer"}, HealthState.LOADING),
        ({"info": "Generating images - 1/4"}, HealthState.SAMPLING),
        ({"info": "Saving model"}, HealthState.SAVING),
        ({"status": JobStatus.COMPLETED}, HealthState.FINISHED),
        ({"status": JobStatus.STOPPED}, HealthState.STOPPED),
        ({"status": JobStatus.STOPPING}, HealthState.STOPPING),
        ({"status": JobStatus.ERROR, "info": "no such file"}, HealthState.FAILED),
        ({"status": JobStatus.UNKNOWN, "raw_status": "dreaming"}, HealthState.UNKNOWN),
    ],
)
def test_what_the_server_says_is_told(state: dict[str, Any], expected: HealthState) -> None:
    """Each state has a sentence, in text and in HTML."""
    health = sick(**state)[2].health()
    assert health.state is expected
    assert expected.value in health._repr_html_()
    assert health.text in str(health)


def test_a_type_that_tells_the_web_ui_nothing_is_named() -> None:
    """It says *Starting job* for ever, also when it has long ended."""
    backend, clock = ScriptedBackend(), Clock()
    params = TrainingParams(name="cat", dataset="cats", extra="type: sd_trainer")
    state = there(backend, params, status=RUNNING, info="Starting job...", pid=7, tells_pid=True)
    health = Job(backend, state, sleep=clock.sleep, clock=clock).health()
    assert health.state is HealthState.UNKNOWN
    assert "Jobs of type sd_trainer tell the web UI neither their steps nor their end" in str(
        health
    )


def test_a_job_that_stands_still_is_stalled_after_a_time_learned_from_its_speed() -> None:
    """Twenty steps of 4 s; until then it trains, and anything that moves starts the time anew."""
    backend, clock, job = sick(step=0)
    for step in (1, 2):
        backend.script.append({"step": step})
        job.health()
        clock.sleep(4.0)
    states = []
    for _ in range(22):
        states.append(job.health().state)
        clock.sleep(4.0)
    stalled_at = states.index(HealthState.STALLED)
    assert set(states[:stalled_at]) == {HealthState.TRAINING}
    assert 4.0 * stalled_at == pytest.approx(80, abs=8)
    assert "the server can't tell" in job.health().text
    backend.log = "a new line"
    assert job.health().state is HealthState.TRAINING


def test_loading_may_take_long() -> None:
    """Ten minutes without a word."""
    _, clock, job = sick(info="Loading model", step=0)
    job.health()
    clock.sleep(500.0)
    assert job.health().state is HealthState.LOADING
    clock.sleep(200.0)
    assert job.health().state is HealthState.LOADING  # the log may have moved before we looked
    clock.sleep(101.0)
    health = job.health()
    assert health.state is HealthState.STALLED
    assert "for 801 s" in health.text
    assert "for 301 s" in health.text


def test_a_running_job_without_a_process_is_dead_after_half_a_minute() -> None:
    """And can be marked as stopped, once that is confirmed."""
    backend, clock, job = sick(pid=None, info="Starting job...")
    assert job.health().state is HealthState.LOADING
    clock.sleep(31.0)
    health = job.health()
    assert health.state is HealthState.DEAD
    assert "31 s" in health.text
    with pytest.raises(BadInput, match="confirmed=True"):
        job.repair()
    assert backend.calls == []
    assert job.repair(confirmed=True).status is JobStatus.STOPPED
    assert job.repair().status is JobStatus.STOPPED
    assert backend.calls == ["mark_stopped cat"]


def test_a_server_that_tells_no_process_ids_proves_nothing_by_telling_none() -> None:
    """An older web UI, or a Gradio app: the job is only called dead where that is known."""
    _, clock, job = sick(pid=None, tells_pid=False, info="Loading model")
    job.health()
    clock.sleep(300.0)
    assert job.health().state is HealthState.LOADING


def test_a_job_that_never_stops_is_stalled_and_can_be_repaired() -> None:
    """The zombie of older servers: asked to stop, called running, and nothing moves."""
    _, clock, job = sick(status=JobStatus.STOPPING, info="Stopping job...")
    assert job.health().state is HealthState.STOPPING
    clock.sleep(40.0)
    assert job.health().state is HealthState.STOPPING
    clock.sleep(40.0)
    health = job.health()
    assert health.state is HealthState.STALLED
    assert health.can_be_repaired
    assert "can't tell which" in health.text


@pytest.mark.parametrize(
    "error",
    [
        ServerNotReady("http://x", "status 502"),
        UnexpectedReply("show the job", "status 404 with a web page: no such endpoint"),
        Rejected("show the job", "", 500),
    ],
)
def test_a_server_that_is_starting_again_is_not_reached(error: AitkError) -> None:
    """Whatever its proxy or itself answers meanwhile; what is said of the job is nothing."""
    backend, _, job = sick()
    backend.failures.append(error)
    health = job.health()
    assert health.state is HealthState.UNREACHABLE
    assert "may still be running" in health.text
    assert job.health().state is HealthState.TRAINING


def test_a_job_that_finished_without_a_number_is_no_success() -> None:
    """The server calls it completed; its LoRA is of no use."""
    backend, _, job = sick(status=JobStatus.COMPLETED, step=100)
    backend.losses["loss/loss"] = tuple(LossPoint(step, 0.0, math.nan) for step in range(90, 100))
    health = job.health()
    assert health.state is HealthState.DIVERGED
    assert "Finished" in health.text


def test_losses_that_are_given_are_not_asked_for() -> None:
    """A watcher has just read them."""
    backend, _, job = sick(step=100)
    backend.losses["loss/loss"] = (LossPoint(99, 0.0, 1.0),)
    exploded = [LossPoint(step, 0.0, 1.0 if step < 90 else 99.0) for step in range(100)]
    assert job.health(LossHistory({"loss/loss": exploded})).state is HealthState.DIVERGED
    assert job.health().state is HealthState.TRAINING


def test_a_waiting_job_knows_its_place_and_whether_anything_moves() -> None:
    """A stopped queue is said, with what to do."""
    backend, _, job = sick(status=JobStatus.QUEUED)
    assert "Waiting as number 1" in job.health().text
    backend.queue_is_running = False
    assert "the queue is stopped" in job.health().text
    other = TrainingParams(name="dog", dataset="cats", steps=9)
    there(backend, other, status=RUNNING)
    assert "where 'dog' is running" in job.health().text


@pytest.mark.parametrize("tail", [[math.nan] * 3, [90.0] * 3])
def test_a_loss_that_is_lost_is_told(tail: list[float]) -> None:
    """No number three times, or ten times what it was; once is not enough."""
    backend, _, job = sick(step=100)
    calm = [LossPoint(step, 0.0, 1.0) for step in range(80)]
    odd = [LossPoint(80 + n, 0.0, value) for n, value in enumerate(tail)]
    backend.losses["loss/loss"] = (*calm, odd[0])
    assert job.health().state is HealthState.TRAINING
    backend.losses["loss/loss"] = (*calm, *odd)
    health = job.health()
    assert health.state is HealthState.DIVERGED
    assert "step 80" in health.text


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "GPU ran out of"),
        ("OSError: [Errno 28] No space left on device: 'x.safetensors'", "disk is full"),
        ("PIL.UnidentifiedImageError: cannot identify image file '/d/cats/a b.png'", ": a b.png"),
        ("Cannot access gated repo for url https://huggingface.co/x", "gated"),
        ("RuntimeError: CUDA error: device-side assert triggered", "driver failed"),
        ("Job process terminated with signal SIGKILL.", "killed from outside"),
        ("OOM during training step 3 times in a row, aborting training", "GPU ran out of"),
    ],
)
def test_known_failures_have_plain_words(words: str, reason: str) -> None:
    """From the server's words or from the end of the log, with a remedy."""
    for found in (explain(words, ""), explain("boom", f"Traceback\n{words}\n")):
        assert found is not None
        assert reason in found.text
        assert found.remedy
    assert explain("boom", "all is well") is None


@pytest.mark.parametrize("status", [RUNNING, JobStatus.COMPLETED, JobStatus.STOPPED])
@pytest.mark.parametrize("info", ["Training", "Generating images - 1/4", "Saving model"])
def test_zeros_are_the_trainers_nan_and_the_first_is_named(status: JobStatus, info: str) -> None:
    """However long ago it was, and whatever the job does now; resuming is no remedy."""
    backend, _, job = sick(step=500, status=status, info=info)
    values = [0.4] * 60 + [0.0] * 440
    backend.losses["loss/loss"] = tuple(LossPoint(n, 0.0, x) for n, x in enumerate(values))
    health = job.health()
    assert health.state is HealthState.DIVERGED
    assert "NaN or infinite at step 60." in health.text
    assert "resume" not in health.remedy


def test_an_explosion_is_seen_after_the_end() -> None:
    """By whoever did not watch: the end is compared with the beginning."""
    backend, _, job = sick(step=500, status=JobStatus.COMPLETED)
    values = [0.4] * 200 + [9.0] * 300
    backend.losses["loss/loss"] = tuple(LossPoint(n, 0.0, x) for n, x in enumerate(values))
    assert "exploded at step 200" in job.health().text


@pytest.mark.parametrize("keys", [(), ("learning_rate",)])
def test_a_job_without_losses_may_tell_them_in_its_log(keys: tuple[str, ...]) -> None:
    """A job file without `logging` has no loss database."""
    backend, _, job = sick(step=9)
    backend.losses = {key: (LossPoint(n, 0.0, 1e-4) for n in range(9)) for key in keys}  # type: ignore[misc]
    bar = "\rcat:  18%|#  | {}/60 [00:01<00:06,  8.01it/s, lr: 1.0e-04 loss: {}]"
    backend.log = "".join(bar.format(n, "2.000e-01") for n in range(1, 6))
    assert job.health().state is HealthState.TRAINING
    backend.log += "".join("loss is nan\n" + bar.format(n, "0.000e+00") for n in range(6, 10))
    health = job.health()
    assert health.state is HealthState.DIVERGED
    assert "NaN or infinite at step 5." in health.text
