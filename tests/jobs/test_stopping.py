"""Stopping: when the checkpoint is complete, the process is gone and the GPU is free."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aitk_nb.errors import AitkError, NotSupported
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.job import Job
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.server import Gpu
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

QUEUED, RUNNING, STOPPING = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING
STOPPED, COMPLETED, ERROR = JobStatus.STOPPED, JobStatus.COMPLETED, JobStatus.ERROR
SAVED = "Saved checkpoint to /out/cat/cat_000000012.safetensors\nSaved optimizer to /out/o.pt\n"


class Stoppable(ScriptedBackend):
    """A server whose job stops when it is asked to."""

    def stop_job(self, state: JobState) -> None:
        """Stop it."""
        super().stop_job(state)
        self._change(state, status=STOPPED, info="Job stopped")


class Bench:
    """A running job at step 12, and what comes of a wish to save it."""

    def __init__(self, backend: ScriptedBackend | None = None, **state: Any) -> None:
        self.backend, self.clock = backend or Stoppable(), Clock()
        fields: dict[str, Any] = {"status": RUNNING, "step": 12, "info": "Training", "pid": 7}
        self.backend.jobs["cat"] = replace(there(self.backend), **fields | state)
        self.backend.log = "Saving at step 10\n" + SAVED
        self.job = Job(
            self.backend, self.backend.jobs["cat"], sleep=self.clock.sleep, clock=self.clock
        )

    def log(self, when: float, text: str) -> None:
        """Let the log grow at a time."""
        self.clock.events[when] = lambda: setattr(self.backend, "log", self.backend.log + text)

    def file(self, when: float, size: int, name: str = "cat_000000012.safetensors") -> None:
        """Let a file have a size from a time on."""
        self.clock.events[when] = lambda: self.backend.files.update({name: b"x" * size})

    def state(self, when: float, **changes: Any) -> None:
        """Let the job become something at a time."""
        cat = self.backend.jobs
        self.clock.events[when] = lambda: cat.update(cat=replace(cat["cat"], **changes))


# -- the checkpoint -------------------------------------------------------------------------------


def test_the_job_is_stopped_once_the_checkpoint_and_the_optimizer_are_complete() -> None:
    """The flag falls when the save begins; the file grows, and the log says when it is done."""
    bench = Bench()
    bench.state(1.0, save_requested=True)
    bench.state(2.0, save_requested=False)
    bench.log(2.5, "Saving at step 12\n")
    bench.file(3.0, 10)
    bench.file(5.0, 20)
    bench.log(8.0, SAVED)
    stops: list[float] = []
    bench.backend.exits = lambda _state: not stops.append(bench.clock.now)  # type: ignore[func-returns-value]

    assert STOPPED is bench.job.stop(save=True).status

    assert ["save_now cat", "stop cat"] == bench.backend.calls
    assert 8.5 == stops[0]
    assert ("cat_000000012.safetensors",) == bench.job.saved


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "Saving at step 12\n",
        "Saving at step 12\nSaved checkpoint to /out/cat/cat_000000012.safetensors\n",
        "Saving at step 11\n" + SAVED,
        "Saving at step 12\n" + SAVED + "Saving at step 13\n",
    ],
)
def test_a_save_that_is_not_complete_does_not_count(lines: str) -> None:
    """Nor one that began before it was asked for; the job is not stopped, and that is said."""
    bench = Bench()
    bench.log(0.5, lines)
    bench.file(1.0, 10)
    with pytest.raises(AitkError, match="cat was not stopped: no checkpoint of step 12 or later"):
        bench.job.stop(save=True, timeout=30.0)

    assert ["save_now cat"] == bench.backend.calls
    assert () == bench.job.saved


def test_a_file_that_grows_or_is_missing_does_not_count() -> None:
    """Whatever the log says."""
    bench = Bench()
    bench.log(0.5, "Saving at step 12\n" + SAVED)
    for when in range(1, 40):
        bench.file(when / 2 + 0.1, when)
    with pytest.raises(AitkError, match="was not stopped"):
        bench.job.stop(save=True, timeout=15.0)
    bench = Bench()
    bench.log(0.5, "Saving at step 12\n" + SAVED)
    with pytest.raises(AitkError, match="was not stopped"):
        bench.job.stop(save=True, timeout=15.0)


def test_a_wish_that_stands_is_waited_for() -> None:
    """The checkpoint of the schedule is complete, that of the wish begins yet."""
    bench = Bench(save_requested=True)
    bench.log(0.5, "Saving at step 12\n" + SAVED)
    bench.file(1.0, 10)
    bench.state(9.0, save_requested=False)

    bench.job.stop(save=True, timeout=30.0)

    assert ["save_now cat", "stop cat"] == bench.backend.calls
    assert bench.clock.now > 9.0


def test_a_model_that_is_saved_as_a_folder_is_told_by_the_log() -> None:
    """The server lists no folders."""
    bench = Bench()
    folder = SAVED.replace("cat_000000012.safetensors", "cat_000000012")
    bench.log(0.5, "Saving at step 12\n" + folder)

    bench.job.stop(save=True)

    assert ("cat_000000012",) == bench.job.saved


@pytest.mark.parametrize("optimizer", ["Saved optimizer to C:\\o.pt", "Could not save optimizer"])
def test_a_server_without_offsets_and_windows_paths(optimizer: str) -> None:
    """The whole log is answered each time; two files of one step are both named."""
    bench = Bench()
    read = bench.backend.read_log
    bench.backend.read_log = (  # type: ignore[method-assign]
        lambda state, offset: replace(read(state, offset), offset=0)
    )
    path = "C:\\out\\cat_000000012_high.safetensors"
    bench.log(0.5, f"Saving at step 12\nSaved checkpoint to {path}\n{optimizer}\n")
    bench.file(0.6, 10, "cat_000000012_high.safetensors")
    bench.file(0.7, 10, "cat_000000012_low.safetensors")

    bench.job.stop(save=True)

    assert 2 == len(bench.job.saved)


def test_a_job_that_completes_while_it_saves_has_its_final_file() -> None:
    """It is not stopped: the signal would go to a process that is gone."""
    bench = Bench()
    bench.file(1.0, 10, "cat.safetensors")
    bench.state(2.0, status=COMPLETED)

    assert COMPLETED is bench.job.stop(save=True).status

    assert ["save_now cat"] == bench.backend.calls
    assert ("cat.safetensors",) == bench.job.saved


@pytest.mark.parametrize("status", [ERROR, STOPPED, QUEUED])
def test_a_job_that_ends_before_it_has_saved_says_so(status: JobStatus) -> None:
    """With its last words, and one full stop."""
    bench = Bench()
    bench.state(2.0, status=status, info="No space left on device.")
    message = f"No checkpoint was completed: cat is {status.value}: No space left on device\\.$"
    with pytest.raises(AitkError, match=message):
        bench.job.stop(save=True)

    assert ["save_now cat"] == bench.backend.calls


def test_a_checkpoint_that_is_gone_after_the_stop_is_told() -> None:
    """It is looked at again."""
    bench = Bench()
    bench.log(0.5, "Saving at step 12\n" + SAVED)
    bench.file(0.6, 10)
    bench.backend.exits = lambda _state: not bench.backend.files.clear()  # type: ignore[func-returns-value]
    with pytest.raises(AitkError, match="its checkpoint is gone or has changed"):
        bench.job.stop(save=True)


def test_a_server_that_cannot_save_says_so_before_anything_is_stopped() -> None:
    """So does one that shows nothing of a job whose name has changed."""

    class Old(ScriptedBackend):
        def save_now(self, state: JobState) -> None:
            raise NotSupported("save now", "dated web UI", "Update it.")

    bench = Bench(Old())
    with pytest.raises(NotSupported, match="save now"):
        bench.job.stop(save=True)
    assert [] == bench.backend.calls
    bench = Bench(config={"config": {"name": "kitten"}})
    with pytest.raises(AitkError, match="was 'kitten' when it started"):
        bench.job.stop(save=True)
    assert [] == bench.backend.calls


# -- the process and the GPU ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [RUNNING, STOPPING])
def test_without_a_gpu_the_longest_time_is_waited(status: JobStatus) -> None:
    """The server says stopped at once, the last words come later, and the process lives on."""
    bench = Bench(status=status)
    if status is STOPPING:
        bench.state(1.0, status=STOPPED)
    bench.backend.exits = lambda state: state.status is STOPPED and bench.clock.now >= 2

    assert STOPPED is bench.job.stop().status
    assert 7.0 == bench.clock.now


@pytest.mark.parametrize("tick", [0.01, 0.3, 0.7])
def test_time_that_passes_while_the_server_is_asked_does_no_harm(tick: float) -> None:
    """No clock stands still between two looks at it."""

    class Ticking(Clock):
        def __call__(self) -> float:
            self.now += tick
            return super().__call__()

    backend, clock = Stoppable(), Ticking()
    state = replace(there(backend), status=RUNNING, pid=7)
    backend.jobs["cat"] = state

    assert STOPPED is Job(backend, state, sleep=clock.sleep, clock=clock).stop().status


@pytest.mark.parametrize(("shared", "waited"), [(100, 1.5), (9_000, 5.0)])
def test_memory_that_falls_tells_that_the_gpu_is_free(shared: int, waited: float) -> None:
    """If the job held most of it; what others hold tells nothing."""
    bench = Bench(gpu_ids="1")
    other = Gpu(0, "RTX", 24_000, 20_000)
    bench.backend.gpu_list = (other, Gpu(1, "RTX", 24_000, shared + 8_000))
    free = (other, Gpu(1, "RTX", 24_000, shared))
    bench.clock.events[1.2] = lambda: setattr(bench.backend, "gpu_list", free)

    bench.job.stop()

    assert waited == bench.clock.now


@pytest.mark.parametrize(("used", "waited"), [(400, 0.0), (12_000, 5.0)])
def test_a_job_that_ended_is_resumed_once_its_gpu_is_free(used: int, waited: float) -> None:
    """Nothing tells when it ended, so that its process may live on."""
    bench = Bench(status=STOPPED, gpu_ids="0")
    bench.backend.gpu_list = (Gpu(0, "RTX", 24_000, used),)
    jobs = Jobs(bench.backend, sleep=bench.clock.sleep, clock=bench.clock)

    jobs.start(PARAMS, if_exists="resume")

    assert ["start cat"] == bench.backend.calls
    assert waited == bench.clock.now


def test_what_had_ended_before_is_not_waited_for() -> None:
    """Neither is a job that never had a process."""
    for status in (QUEUED, STOPPED, COMPLETED, ERROR):
        bench = Bench(status=status)
        bench.job.stop()
        assert [] == bench.clock.naps


@pytest.mark.parametrize("name", ["cat", "my cat's"])
def test_a_job_whose_process_is_gone_names_the_remedy_at_once(name: str) -> None:
    """The server found nothing to signal, so that waiting is in vain."""
    bench = Bench(ScriptedBackend())
    bench.backend.jobs = {name: replace(bench.backend.jobs["cat"], name=name)}
    bench.backend.script = [{}, {"status": STOPPING, "info": "Stopping job...", "has_died": True}]
    with pytest.raises(AitkError, match="found no process") as caught:
        bench.job.stop()

    quoted = {"cat": "cat", "my cat's": "'my cat'\"'\"'s'"}[name]
    assert f"job.repair(confirmed=True) or `aitk-nb stop {quoted} --force`." in str(caught.value)
    assert [] == bench.clock.naps


def test_a_job_that_does_not_end_names_both_reasons() -> None:
    """It loads a model, or its process has died."""
    bench = Bench(ScriptedBackend(), info="Loading model")
    with pytest.raises(AitkError, match="did not end within 60 s") as caught:
        bench.job.stop()
    assert "If it is loading a model, try again later" in str(caught.value)
    assert "--force` frees its queue." in str(caught.value)
