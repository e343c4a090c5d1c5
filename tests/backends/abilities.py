"""What the contract suite of the backends shares: skipping by ability, and jobs to work on."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aitk_nb.backends.base import Backend, Upload
from aitk_nb.models.job import JobDraft, JobState, JobStatus
from aitk_nb.models.server import Ability, Flavour
from aitk_nb.training import job_config
from aitk_nb.training.params import TrainingParams

ODD_NAMES = (
    "Été à Paris",
    "one two  three",
    "猫 🐈",
    "100% [sure]",
    "a'b\"c",
    "x#y?z&w=+",
    "ü" * 90,
)


def needs(backend: Backend, *abilities: Ability) -> None:
    """Skip the test when the server lacks one of `abilities`."""
    if lacking := set(abilities) - backend.abilities:
        names = ", ".join(sorted(ability.value for ability in lacking))
        pytest.skip(f"a {backend.flavour.value} server cannot {names}")


def only(backend: Backend, flavour: Flavour, why: str) -> None:
    """Skip the test on another flavour, and say why it cannot mean anything there."""
    if backend.flavour is not flavour:
        pytest.skip(f"{flavour.value} only: {why}")


def quiet(_done: int, _total: int) -> None:
    """Take progress and show nothing."""


def picture() -> Upload:
    """Return a photograph to send."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    return Upload(path, path.name, path.stat().st_size)


def draft(backend: Backend, name: str, *, act: str = "", steps: int = 3) -> JobDraft:
    """Return a job on the dataset `cats`, which is there; `act` is for the stand-in trainer."""
    absent, _ = backend.missing("cats", [picture()])
    backend.upload("cats", absent, quiet)
    params = TrainingParams(
        name=name, dataset="cats", steps=steps, extra=f"act: {act}" if act else ""
    )
    return job_config.draft(params)


def until(backend: Backend, name: str, done: Callable[[JobState], bool]) -> JobState:
    """Return the job once `done` holds."""
    end = time.monotonic() + 120
    while not done(state := backend.get_job(name)):
        assert time.monotonic() < end, f"it stays {state}"
        time.sleep(0.05)
    return state


def running(backend: Backend, name: str, act: str = "wait") -> JobState:
    """Create a job, start it, and return it once it has made a step."""
    state = backend.create_job(draft(backend, name, act=act))
    backend.start_job(state)
    return until(backend, name, lambda s: s.status is JobStatus.RUNNING and s.step > 0)


def stopped(backend: Backend, name: str) -> JobState:
    """Stop a job and return it once its process is gone."""
    backend.stop_job(backend.get_job(name))
    return until(backend, name, backend.has_exited)
