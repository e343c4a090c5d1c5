"""What every backend keeps, whatever its server answers on the wire.

A test names the abilities it needs and is skipped, visibly, where a server lacks one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aitk_nb.backends.base import Backend
from aitk_nb.errors import NotSupported
from aitk_nb.inference.api import Inference
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.server import Ability, Flavour
from tests.backends.abilities import needs, quiet


def test_it_says_what_it_is(backend: Backend) -> None:
    """An address, a flavour, abilities that are a set of ours, and harmless facts."""
    assert backend.url.startswith("http")
    assert isinstance(backend.flavour, Flavour)
    assert backend.abilities <= set(Ability)
    assert all(isinstance(fact, str) for fact in backend.meta().values())
    assert backend.url in repr(backend)


def test_gpus(backend: Backend) -> None:
    """Whatever there is, in numbers; none is no error."""
    needs(backend, Ability.GPUS)
    for gpu in backend.gpus():
        assert gpu.name
        assert 0 <= gpu.memory_used <= gpu.memory_total


def test_what_a_server_cannot_do_is_said(backend: Backend, tmp_path: Path) -> None:
    """Every ability that is missing is refused by name, and nothing is faked."""
    state = JobState("x", JobStatus.UNKNOWN)
    calls: dict[Ability, Callable[[], object]] = {
        Ability.LIST_DATASETS: backend.list_datasets,
        Ability.UPLOAD: lambda: backend.upload("x", (), quiet),
        Ability.CAPTION_IMAGES: lambda: backend.caption_images((), "", quiet),
        Ability.TRAIN: lambda: backend.start_job(state),
        Ability.LIST_JOBS: backend.list_jobs,
        Ability.STOP: lambda: backend.stop_job(state),
        Ability.SAVE_NOW: lambda: backend.save_now(state),
        Ability.SAMPLE_NOW: lambda: backend.sample_now(state),
        Ability.LOG: lambda: backend.read_log(state, None),
        Ability.LOSSES: lambda: backend.loss_keys(state),
        Ability.SAMPLES: lambda: backend.list_samples(state),
        Ability.FILES: lambda: backend.list_files(state),
        Ability.DOWNLOAD: lambda: backend.download("x", tmp_path / "x", quiet),
        Ability.DELETE: lambda: backend.delete_job(state),
        Ability.GPUS: backend.gpus,
        Ability.EDIT_DATASETS: lambda: backend.dataset_tools,
        Ability.CAPTION: lambda: backend.dataset_tools,
        Ability.SETTINGS: lambda: backend.settings_store,
        Ability.LORAS: lambda: backend.loras,
        Ability.INFERENCE: lambda: Inference(backend).status(),
    }
    assert calls.keys() == set(Ability)
    words = {Ability.CAPTION: Ability.EDIT_DATASETS.value}  # one place for both
    for ability in set(Ability) - backend.abilities:
        with pytest.raises(NotSupported, match=words.get(ability, ability.value)):
            calls[ability]()
