"""What every backend keeps about the life of a job, whatever its server answers on the wire.

A test names the abilities it needs and is skipped, visibly, where a server lacks one.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aitk_nb.backends.base import Backend
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import JobConflict, NotFound
from aitk_nb.models.job import JobStatus
from aitk_nb.models.server import Ability
from aitk_nb.training.config_diff import differences
from tests.backends.abilities import ODD_NAMES, draft, needs, quiet, running, stopped, until


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_job_is_created_whole_and_waits(backend: Backend, name: str) -> None:
    """Its config comes back, and nothing runs before it is started."""
    needs(backend, Ability.TRAIN, Ability.LIST_JOBS)
    wanted = draft(backend, name)

    made = backend.create_job(wanted)

    assert backend.get_job(name) == made
    assert name in [state.name for state in backend.list_jobs()]
    assert (JobStatus.STOPPED, 0, 3, "0") == (
        made.status,
        made.step,
        made.total_steps,
        made.gpu_ids,
    )
    assert made.never_started
    assert made.progress == 0
    assert () == differences(made.config, wanted.config)


def test_a_name_is_given_once(backend: Backend) -> None:
    """The second creation is refused, and the first job stays as it is."""
    needs(backend, Ability.TRAIN, Ability.LIST_JOBS)
    first = backend.create_job(draft(backend, "once"))
    with pytest.raises(JobConflict, match="once"):
        backend.create_job(draft(backend, "once", steps=99))

    assert first == backend.get_job("once")


def test_an_unknown_job_is_not_found(backend: Backend) -> None:
    """Also when it was there a moment ago."""
    needs(backend, Ability.LIST_JOBS, Ability.DELETE)
    backend.create_job(draft(backend, "stays"))
    gone = backend.create_job(draft(backend, "gone"))
    backend.delete_job(gone)

    with pytest.raises(NotFound, match=r"no job named 'gone'.*stays"):
        backend.get_job("gone")
    for method in (
        backend.start_job,
        backend.delete_job,
        backend.list_files,
        backend.list_samples,
        backend.loss_keys,
    ):
        with pytest.raises(NotFound):
            method(gone)
    with pytest.raises(NotFound):
        backend.read_log(gone, None)


def test_a_handle_is_shared_by_threads(backend: Backend) -> None:
    """A job that vanishes is not found by any of them."""
    needs(backend, Ability.LIST_JOBS, Ability.DELETE)
    for number in range(5):
        state = backend.create_job(draft(backend, f"vanishing {number}"))
        backend.delete_job(state)
        backend._ids[state.name] = state.id  # type: ignore[attr-defined]  # it was there before

        outcomes = each(backend.get_job, [state.name] * 8)

        assert [NotFound] * 8 == [type(outcome) for outcome in outcomes]


def test_another_config_is_given(backend: Backend) -> None:
    """It is the same job afterwards, with other settings."""
    needs(backend, Ability.TRAIN, Ability.LIST_JOBS)
    first = backend.create_job(draft(backend, "changing"))

    second = backend.update_job(first, draft(backend, "changing", steps=7))

    assert 7 == second.total_steps == backend.get_job("changing").total_steps
    assert first.id == second.id


@pytest.mark.parametrize("name", ["plain", "Été [à] 猫 🐈"])
def test_a_job_runs_and_leaves_its_lora(backend: Backend, tmp_path: Path, name: str) -> None:
    """Started, completed, listed, and downloaded byte for byte."""
    needs(backend, Ability.TRAIN, Ability.LIST_JOBS, Ability.FILES, Ability.DOWNLOAD)
    backend.start_job(backend.create_job(draft(backend, name)))

    state = until(backend, name, lambda s: s.status.is_final)

    assert (JobStatus.COMPLETED, 3, 1.0) == (state.status, state.step, state.progress)
    assert backend.has_exited(state)
    assert not state.never_started
    file, *_ = backend.list_files(state)
    assert f"{name}.safetensors" == file.name
    assert file.size == backend.download(file.path, tmp_path / "lora", quiet)
    original = Path(file.path).read_bytes()  # the server is on this machine
    assert original == (tmp_path / "lora").read_bytes()
    with backend.open_range(file.path) as read:
        assert original[2:7] == read(2, 5)


def test_stopping_waits_for_the_process(backend: Backend) -> None:
    """A stopped job has let go of the GPU only when its process has said its last words."""
    needs(backend, Ability.TRAIN, Ability.STOP, Ability.LOG)
    running(backend, "lingering", act="linger")
    backend.stop_job(backend.get_job("lingering"))

    state = until(backend, "lingering", lambda s: s.status is JobStatus.STOPPED)

    assert not backend.has_exited(state)
    state = until(backend, "lingering", backend.has_exited)
    assert "Job stopped" in backend.read_log(state, None).text


def test_a_waiting_job_is_taken_out_of_the_queue(backend: Backend) -> None:
    """It does not begin when the one before it ends."""
    needs(backend, Ability.TRAIN, Ability.STOP)
    running(backend, "first")
    backend.start_job(backend.create_job(draft(backend, "second")))
    assert JobStatus.QUEUED is backend.get_job("second").status

    second = stopped(backend, "second")
    stopped(backend, "first")

    assert JobStatus.STOPPED is second.status
    time.sleep(1.3)
    assert JobStatus.STOPPED is backend.get_job("second").status


def test_stopping_what_has_ended_changes_nothing(backend: Backend) -> None:
    """The signal would go to a process id that may be somebody else's by now."""
    needs(backend, Ability.TRAIN, Ability.STOP)
    backend.start_job(backend.create_job(draft(backend, "ended")))
    before = until(backend, "ended", lambda s: s.status.is_final)

    backend.stop_job(before)

    assert before == backend.get_job("ended")


def test_a_stopped_job_goes_on_from_its_checkpoint(backend: Backend) -> None:
    """A checkpoint on demand is what a later start begins with."""
    needs(backend, Ability.TRAIN, Ability.STOP, Ability.SAVE_NOW, Ability.FILES)
    backend.save_now(running(backend, "resumed"))
    until(backend, "resumed", lambda s: not s.save_requested)
    state = stopped(backend, "resumed")
    (file,) = backend.list_files(state)
    saved = int(file.name.removesuffix(".safetensors").rpartition("_")[2])
    assert saved == state.step > 0

    backend.start_job(state)

    # Until it has made a step, its row may name the process that has ended, and a stop be lost.
    assert until(backend, "resumed", lambda s: s.step > saved).status is JobStatus.RUNNING


def test_samples_on_demand(backend: Backend, tmp_path: Path) -> None:
    """They are listed with their step, and can be fetched."""
    needs(backend, Ability.TRAIN, Ability.SAMPLE_NOW, Ability.SAMPLES, Ability.DOWNLOAD)
    state = running(backend, "sampled")
    assert () == backend.list_samples(state)
    backend.sample_now(state)
    until(backend, "sampled", lambda _s: bool(backend.list_samples(state)))

    (sample,) = backend.list_samples(state)

    assert 0 < sample.step
    assert 0 == sample.index
    assert 0 < backend.download(sample.path, tmp_path / sample.name, quiet)


def test_deleting_takes_everything(backend: Backend, output: Path) -> None:
    """The row and the folder; the name is free again."""
    needs(backend, Ability.TRAIN, Ability.DELETE, Ability.LIST_JOBS)
    backend.start_job(backend.create_job(draft(backend, "deleted")))
    state = until(backend, "deleted", lambda s: s.status.is_final)
    assert (output / "deleted").is_dir()

    backend.delete_job(state)

    assert not (output / "deleted").exists()
    assert "deleted" not in [state.name for state in backend.list_jobs()]
    assert backend.create_job(draft(backend, "deleted")).never_started
