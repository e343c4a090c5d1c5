"""Starting once, resuming, and two at once, by a scripted server and a scripted clock."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from aitk_nb.errors import JobConflict, NotFound
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.start import ELECTION
from aitk_nb.models.job import JobState, JobStatus
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

QUEUED, RUNNING = JobStatus.QUEUED, JobStatus.RUNNING
STOPPED, COMPLETED, ERROR = JobStatus.STOPPED, JobStatus.COMPLETED, JobStatus.ERROR


def jobs(backend: ScriptedBackend, clock: Clock | None = None) -> Jobs:
    """Return the namespace on a scripted server and a scripted clock."""
    clock = clock or Clock()
    return Jobs(backend, sleep=clock.sleep, clock=clock)


# -- start ----------------------------------------------------------------------------------------


def test_a_new_job_is_created_and_started() -> None:
    """In that order, once."""
    backend = ScriptedBackend()
    job = jobs(backend).start(PARAMS)

    assert ["create cat", "start cat"] == backend.calls
    assert ("cat", QUEUED, "created") == (job.name, job.state.status, job.start_result)


@pytest.mark.parametrize("status", list(JobStatus))
def test_the_same_job_is_taken_as_it_is(status: JobStatus) -> None:
    """A cell that runs twice starts nothing, however the job stands or ended."""
    backend = ScriptedBackend()
    there(backend, status=status, step=5)

    failed = (
        pytest.warns(UserWarning, match="if_exists='resume'") if status is ERROR else nullcontext()
    )
    with failed:
        job = jobs(backend).start(PARAMS)

    assert "attached" == job.start_result
    # Its queue may stand still, so that is started again, which does no harm.
    assert (["let the queue run cat"] if status is QUEUED else []) == backend.calls
    assert status is job.state.status


def test_starting_twice_is_one_training() -> None:
    """The second call finds the first one's job."""
    backend = ScriptedBackend(RUNNING, RUNNING)
    first, second = jobs(backend).start(PARAMS), jobs(backend).start(PARAMS)

    assert ["create cat", "start cat"] == backend.calls
    assert first.name == second.name


def test_another_gpu_is_the_same_job() -> None:
    """Where it runs is not what it trains."""
    backend = ScriptedBackend()
    there(backend, status=RUNNING)
    jobs(backend).start(PARAMS.model_copy(update={"gpu_ids": "1"}))

    assert [] == backend.calls


@pytest.mark.parametrize(("status", "advice"), [(RUNNING, "Stop it first"), (COMPLETED, "Choose")])
def test_another_config_under_the_name_is_a_conflict(status: JobStatus, advice: str) -> None:
    """The error says what differs, and what can be done."""
    backend = ScriptedBackend()
    there(backend, status=status)

    with pytest.raises(JobConflict, match=r"train\.steps is 100, not 200") as caught:
        jobs(backend).start(PARAMS.model_copy(update={"steps": 200}))

    assert advice in str(caught.value)
    assert "if_exists='resume'" in str(caught.value)
    assert ("train.steps is 100, not 200",) == caught.value.differences
    assert [] == backend.calls


def test_a_job_whose_config_cannot_be_read_is_a_conflict() -> None:
    """It is not taken for ours by its name."""
    backend = ScriptedBackend()
    there(backend, status=RUNNING)
    backend.jobs["cat"] = JobState("cat", RUNNING)

    with pytest.raises(JobConflict, match="its config can't be read"):
        jobs(backend).start(PARAMS)


def test_a_missing_dataset_is_found_before_anything_is_created() -> None:
    """The trainer would find it minutes later; the others are named."""
    backend = ScriptedBackend()
    for params in (
        PARAMS.model_copy(update={"dataset": "dogs"}),
        PARAMS.model_copy(update={"extra_datasets": ("dogs",)}),
    ):
        with pytest.raises(NotFound, match=r"no dataset named 'dogs'\. It has: cats"):
            jobs(backend).start(params)

    assert [] == backend.calls


def test_new_takes_the_next_free_name() -> None:
    """Of a job with the same config too."""
    backend = ScriptedBackend()
    there(backend, status=RUNNING)
    there(backend, PARAMS.model_copy(update={"name": "cat_2"}), status=COMPLETED)

    job = jobs(backend).start(PARAMS, if_exists="new")

    assert "cat_3" == job.name
    assert ["create cat_3", "start cat_3"] == backend.calls
    assert "cat_3" == backend.jobs["cat_3"].config["config"]["name"]


@pytest.mark.parametrize("status", [STOPPED, ERROR])
def test_resume_starts_what_has_ended_early(status: JobStatus) -> None:
    """From its last checkpoint; the config is touched only if it differs."""
    backend = ScriptedBackend()
    there(backend, status=status, step=50)
    assert "resumed" == jobs(backend).start(PARAMS, if_exists="resume").start_result

    assert ["start cat"] == backend.calls


def test_resume_with_another_config_changes_it_first() -> None:
    """More steps, say, also of a completed job."""
    backend = ScriptedBackend()
    there(backend, status=COMPLETED, step=100)
    job = jobs(backend).start(PARAMS.model_copy(update={"steps": 200}), if_exists="resume")

    assert ["update cat", "start cat"] == backend.calls
    assert 200 == job.state.config["config"]["process"][0]["train"]["steps"]


def test_resume_on_another_gpu_moves_it() -> None:
    """The GPU is no difference of the config, and still meant."""
    backend = ScriptedBackend()
    there(backend, status=STOPPED, step=50)
    job = jobs(backend).start(PARAMS.model_copy(update={"gpu_ids": "1"}), if_exists="resume")

    assert ["update cat", "start cat"] == backend.calls
    assert "1" == job.state.gpu_ids


@pytest.mark.parametrize("status", [QUEUED, RUNNING, COMPLETED])
def test_resume_leaves_what_runs_or_is_done(status: JobStatus) -> None:
    """A cell with `resume` can run twice too."""
    backend = ScriptedBackend()
    there(backend, status=status, step=100)
    jobs(backend).start(PARAMS, if_exists="resume")

    assert [] == backend.calls


def test_resume_of_a_running_job_with_another_config_is_a_conflict() -> None:
    """A running trainer would not see it."""
    backend = ScriptedBackend()
    there(backend, status=RUNNING)
    with pytest.raises(JobConflict, match="Stop it first"):
        jobs(backend).start(PARAMS.model_copy(update={"steps": 200}), if_exists="resume")

    assert [] == backend.calls


def test_resume_waits_until_the_old_process_has_ended() -> None:
    """Somebody has just stopped it in the web UI: two trainers would write the same files."""
    backend, clock = ScriptedBackend(), Clock()
    there(backend, status=STOPPED, step=50, pid=7)
    backend.exits = lambda _state: clock.now >= 3
    jobs(backend, clock).start(PARAMS, if_exists="resume")

    assert ["start cat"] == backend.calls
    assert clock.now >= 3


# -- two at once ----------------------------------------------------------------------------------


def elected(backend: ScriptedBackend) -> None:
    """Let somebody else create the job at the very moment we do."""

    def create() -> None:
        there(backend, never_started=True)

    backend.before_create = create


@pytest.mark.parametrize("if_exists", ["attach", "resume"])
def test_the_loser_waits_for_the_winner_to_start(if_exists: Any) -> None:
    """And starts nothing itself."""
    backend, clock = ScriptedBackend(), Clock()
    elected(backend)
    clock.events[4.0] = lambda: backend.jobs.update(
        cat=there(backend, status=RUNNING, never_started=False)
    )

    job = jobs(backend, clock).start(PARAMS, if_exists=if_exists)

    assert [] == backend.calls
    assert RUNNING is job.state.status
    assert 4.0 <= clock.now < ELECTION


@pytest.mark.parametrize("if_exists", ["attach", "resume"])
def test_the_loser_starts_what_nobody_starts(if_exists: Any) -> None:
    """The winner's kernel died between creating and starting."""
    backend, clock = ScriptedBackend(), Clock()
    elected(backend)

    job = jobs(backend, clock).start(PARAMS, if_exists=if_exists)

    assert ["start cat"] == backend.calls
    assert QUEUED is job.state.status
    assert clock.now >= ELECTION


def test_the_loser_of_another_config_is_told() -> None:
    """It neither waits nor starts."""
    backend, clock = ScriptedBackend(), Clock()
    elected(backend)
    with pytest.raises(JobConflict, match="steps"):
        jobs(backend, clock).start(PARAMS.model_copy(update={"steps": 7}))

    assert [] == clock.naps


def test_a_name_that_belongs_to_another_kind_of_job_is_a_conflict() -> None:
    """Names are unique over captioning jobs too, which are not listed."""

    class Captioning(ScriptedBackend):
        def create_job(self, draft: object) -> JobState:
            raise JobConflict("cat", ["Job name already exists"])

    with pytest.raises(JobConflict, match="already exists"):
        jobs(Captioning()).start(PARAMS)


# -- get and list ---------------------------------------------------------------------------------


def test_a_job_is_got_by_name_or_id() -> None:
    """The name comes first; the newest is listed first."""
    backend = ScriptedBackend()
    there(backend)
    there(backend, PARAMS.model_copy(update={"name": "dog"}))

    assert "cat" == jobs(backend).get("cat").name == jobs(backend).get("id-cat").name
    assert ["dog", "cat"] == [job.name for job in jobs(backend).list()]
    with pytest.raises(NotFound, match="no job named 'bird'"):
        jobs(backend).get("bird")
    assert "scripted" in repr(jobs(backend))
