"""From which checkpoint the trainer continues a job, as far as the server lets one know."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from aitk_nb.errors import NotSupported, Unauthorized
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.resume_point import resume_point
from aitk_nb.jobs.start import describe
from aitk_nb.models.job import JobState, JobStatus, RemoteFile
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

FINAL, FIRST, SECOND = "cat.safetensors", "cat_000000025.safetensors", "cat_000000050.safetensors"


def lora(step: int | None) -> bytes:
    """Return a small LoRA file that says at which step it was saved, or nothing of it."""
    info = {} if step is None else {"training_info": json.dumps({"step": step, "epoch": 1})}
    header = {
        "__metadata__": {"format": "pt", **info},
        "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)


def resumed(backend: ScriptedBackend, steps: int = 100) -> str:
    """Resume the job that has stopped at step 60, and return what is said of it."""
    there(backend, status=JobStatus.STOPPED, step=60)
    clock = Clock()
    params = PARAMS.model_copy(update={"steps": steps})
    job = Jobs(backend, sleep=clock.sleep, clock=clock).start(params, if_exists="resume")
    assert job.resumed_from
    return describe(job).partition("; number")[0].removeprefix("resumed ")


@pytest.mark.parametrize(
    ("files", "steps", "says"),
    [
        # The job had come to step 60; what follows its newest checkpoint is trained again.
        ({FIRST: 25, SECOND: 50}, 100, f"at step 50, from {SECOND}"),
        ({SECOND: 50, FIRST: 25, "optimizer.pt": None}, 100, f"at step 50, from {SECOND}"),
        # The final file of a first run of 60 steps is older or newer than the numbered ones.
        ({FINAL: 60, FIRST: 25, SECOND: 50}, 100, f"at step 60, from {FINAL}"),
        ({FINAL: 30, FIRST: 25, SECOND: 50}, 100, f"at step 50, from {SECOND}"),
        ({FINAL: 50, SECOND: 50}, 100, f"at step 50, from {FINAL}"),
        ({FINAL: 60}, 60, f"at step 60, from {FINAL}; no step is left to train of 60"),
        # Without the metadata the trainer takes the weights and counts from 0.
        ({FINAL: None}, 100, f"at step 0, from {FINAL}"),
        ({}, 100, "at step 0: the server lists no checkpoint"),
        # What the trainer leaves out, and what only begins otherwise.
        ({"cat_refiner.safetensors": 9, FIRST: 25}, 100, f"at step 25, from {FIRST}"),
        ({"cat_LoRA_000000090.safetensors": 90, FIRST: 25}, 100, f"at step 25, from {FIRST}"),
        ({"dog.safetensors": 90, FIRST: 25}, 100, f"at step 25, from {FIRST}"),
        # Another job's files of the same prefix count for the trainer, and have their own times.
        (
            {"cat_2.safetensors": 90, FIRST: 25},
            100,
            "from the newest of 2 files; the server does not say which, and cat_2.safetensors is "
            "one of them",
        ),
    ],
)
def test_the_checkpoint_is_the_trainers(
    files: dict[str, int | None], steps: int, says: str
) -> None:
    """By the rule of `get_latest_save_path`: the newest of the job's prefix."""
    backend = ScriptedBackend()
    backend.files = {name: lora(step) for name, step in files.items()}

    assert says == resumed(backend, steps)


def test_a_checkpoint_that_cannot_be_read_has_no_step() -> None:
    """An unfinished or foreign file: its name is told, and no number."""
    backend = ScriptedBackend()
    backend.files = {SECOND: b"<html>"}

    assert f"from {SECOND}, at a step that the server does not show" == resumed(backend)


def test_a_path_counts_as_it_does_for_the_trainer() -> None:
    """It drops what lies below a folder with one of its words: it then begins anew."""

    class Elsewhere(ScriptedBackend):
        def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
            return tuple(
                replace(file, path=f"/my_cn/output/cat/{file.name}")
                for file in super().list_files(state)
            )

    backend = Elsewhere()
    backend.files = {SECOND: lora(50)}

    assert "at step 0: the server lists no checkpoint" == resumed(backend)


@pytest.mark.parametrize(
    ("process", "files", "says"),
    [
        ({"train": {"start_step": 7}, "network": {}}, {FIRST: 25}, f"at step 7, from {FIRST}"),
        ({"network": {}}, {FIRST: 25}, f"at step 25, from {FIRST}"),
        ({}, {}, "from its newest checkpoint; the server lists none of a whole model"),
        ({"network": None}, {}, "from its newest checkpoint; the server lists none of a whole "
         "model"),
    ],
)  # fmt: skip
def test_what_the_config_has_to_do_with_it(
    process: dict[str, Any], files: dict[str, int], says: str
) -> None:
    """`start_step` wins over the file's; whole models are folders, which no server lists."""
    backend = ScriptedBackend()
    backend.files = {name: lora(step) for name, step in files.items()}
    state = there(backend, status=JobStatus.STOPPED, step=60)

    config = {"config": {"process": [process]}}
    assert says == resume_point(backend, state, config).said(config)


def test_a_server_that_lists_no_files_says_nothing_of_the_step() -> None:
    """The job's own step is not put in its place."""

    class Mute(ScriptedBackend):
        def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
            raise NotSupported("list the files", "Gradio", "")

    says = resumed(Mute())

    assert says == "from its newest checkpoint; the server does not show which that is"


def test_a_refusal_is_raised_before_anything_is_started() -> None:
    """It is no checkpoint that is not there."""

    class Refusing(ScriptedBackend):
        def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
            raise Unauthorized("http://x", sent=True, gateway="with status 403")

    backend = Refusing()
    with pytest.raises(Unauthorized):
        resumed(backend)
    assert [] == backend.calls
