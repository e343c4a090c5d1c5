"""Jobs that begin with another LoRA, go on by some steps, or validate, on the embedded server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import aitk_nb
from aitk_nb import demo
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import BadInput, JobConflict, NotFound, NotSupported
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.job import Job
from aitk_nb.models.checklist import Status
from aitk_nb.models.server import Ability
from aitk_nb.training.config_diff import differences, fingerprint
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

PROCESS = "config.process.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """A server of these tests' own."""
    with demo.start(tmp_path_factory.mktemp("warm")) as server:
        yield server


@pytest.fixture(scope="module")
def folders(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs in a folder to train on, and others in one to validate on."""
    root = tmp_path_factory.mktemp("folders")
    for number, photo in enumerate(sorted(photos.glob("*.jpg"))):
        into = root / ("held_out" if number % 4 == 3 else "trained")
        into.mkdir(exist_ok=True)
        for file in (photo, photo.with_suffix(".txt")):
            shutil.copy(file, into)
    return root


@pytest.fixture(scope="module")
def client(server: demo.DemoServer, folders: Path) -> Iterator[AIToolkitClient]:
    """A client of the server, which has the two datasets."""
    with aitk_nb.connect(server.url) as client:
        for name in ("trained", "held_out"):
            client.datasets.upload(folders / name, name)
        yield client


def params(name: str, **fields: Any) -> TrainingParams:
    """Return a short training."""
    usual: dict[str, Any] = {
        "dataset": "trained",
        "steps": 30,
        "rank": 4,
        "learning_rate": 1e-3,
        "save_every": 10,
        "resolution": [256],
        "arch": "flex1",
    }
    return TrainingParams(name=name, **usual | fields)


@pytest.fixture(scope="module")
def first(client: AIToolkitClient) -> Job:
    """A job that has completed."""
    job = client.jobs.start(params("first"))
    job.wait(every=0.1)
    return job


def process_of(job: Job) -> Any:
    """Return the process of a job as the server has it."""
    return job.refresh().config["config"]["process"][0]


# -- init_lora ------------------------------------------------------------------------------------


def test_a_warm_start_begins_where_the_other_job_ended(client: AIToolkitClient, first: Job) -> None:
    """The first loss is lower than from nothing; running the cell again attaches."""
    wanted = params("warm", init_lora="first@30", steps=12)
    job = client.jobs.start(wanted)
    job.wait(every=0.1)

    cold, warm = first.losses(), job.losses()
    assert warm.points()[0].step == cold.points()[0].step == 1
    assert warm.points()[0].value < 0.9 * cold.points()[0].value
    assert warm.points()[0].value < 1.1 * cold.points()[-1].value
    path = process_of(job)["network"]["pretrained_lora_path"]
    assert path.endswith("first.safetensors")
    assert f"Using pretrained lora path from config: {path}" in job.log()
    assert job.params(gpu_ids="") == wanted
    assert client.jobs.start(wanted).start_result == "attached"
    assert client.jobs.start(job.params()).start_result == "attached"
    with pytest.raises(JobConflict, match="init_lora"):
        client.jobs.start(params("warm", init_lora="first@20", steps=12))


def test_the_words_stand_for_what_was_found(client: AIToolkitClient, first: Job) -> None:
    """The other job may train on meanwhile; a job file keeps the words."""
    wanted = params("lasting", init_lora="first", steps=2)
    job = client.jobs.start(wanted)
    job.wait(every=0.1)
    found = job.refresh().config

    assert differences(found, draft(wanted).config) == ()
    assert fingerprint(found) == fingerprint(draft(wanted).config)


def test_a_local_file_is_sent_once(client: AIToolkitClient, first: Job, tmp_path: Path) -> None:
    """Not by a preflight or a dry run; its content is its identity on the server."""
    local = Path(first.download(tmp_path).path).rename(tmp_path / "my own.safetensors")
    wanted = params("from_here", init_lora=str(local), steps=2)
    assert "init_lora" not in _problems(client, wanted)
    (request, *_) = client.jobs.plan(wanted).requests
    assert request.path == "/api/jobs"
    assert not [lora for lora in client.loras.list() if not lora.job]

    job = client.jobs.start(wanted)
    job.wait(every=0.1)
    again = client.jobs.start(params("again", init_lora=str(local), steps=2))
    again.wait(every=0.1)

    (sent,) = (lora for lora in client.loras.list() if not lora.job)
    assert sent.name.startswith("my_own-")
    assert process_of(job)["network"]["pretrained_lora_path"] == sent.path
    assert process_of(again)["network"]["pretrained_lora_path"] == sent.path
    assert "Using pretrained lora path" in again.log()
    # A path on the server is taken as it is.
    assert "init_lora" not in _problems(client, params("by_path", init_lora=sent.path))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"init_lora": "first@15"}, r"no checkpoint of step 15. It has those of 10, 20, 30"),
        ({"init_lora": "first", "rank": 8}, r"has rank 4, and the job rank 8.*Set rank=4"),
        ({"init_lora": "first", "arch": "sdxl"}, r"is for flex1, not for sdxl"),
        ({"init_lora": "first", "network": "lokr"}, r"it is a LoRA, and the job trains a LoKr"),
        ({"init_lora": "/nowhere/else.safetensors"}, r"lists no LoRA /nowhere/else.safetensors"),
    ],
)
def test_a_lora_that_does_not_fit_is_refused(
    client: AIToolkitClient, first: Job, fields: dict[str, Any], says: str
) -> None:
    """The trainer would cut it, pad it, or train from nothing without a word."""
    wanted = params("misfit", **fields)
    with pytest.raises(BadInput, match=says):
        client.jobs.start(wanted)
    assert "init_lora" in _problems(client, wanted)
    assert "misfit" not in [job.name for job in client.jobs.list()]


def test_the_base_that_a_file_records_is_compared(client: AIToolkitClient, tmp_path: Path) -> None:
    """Of a file without a job only that is known; what nobody knows is let through."""
    names = ("diffusion_model.x.lora_A.weight", "diffusion_model.x.lora_B.weight")
    shapes = ((4, 8), (8, 4))
    tensors = {name: np.ones(shape, np.float32) for name, shape in zip(names, shapes, strict=True)}
    for base, fits in (("flux.1", True), ("sdxl_1.0", False), ("somebody's own", True)):
        path = tmp_path / "x.safetensors"
        save_file(tensors, path, {"ss_base_model_version": base})
        found = _problems(client, params("recorded", init_lora=str(path)))
        assert ("init_lora" not in found) is fits, base


def test_a_checkpoint_that_vanished_is_one_sentence(
    client: AIToolkitClient, server: demo.DemoServer, first: Job
) -> None:
    """Also where the whole job is gone."""
    with pytest.raises(NotFound, match="no job named 'gone'"):
        client.jobs.start(params("lost", init_lora="gone@10"))
    path = server.data / "output" / "first" / "first_000000010.safetensors"
    hidden = path.rename(server.data / "hidden")
    try:
        with pytest.raises(BadInput, match="no checkpoint of step 10"):
            client.jobs.start(params("lost", init_lora="first@10"))
    finally:
        hidden.rename(path)


def test_a_server_without_loras_takes_no_local_file(tmp_path: Path) -> None:
    """And says what it takes."""
    path = tmp_path / "x.safetensors"
    ones = {f"a.lora_{one}.weight": np.ones((4, 4), np.float32) for one in "AB"}
    save_file(ones, path)
    backend = ScriptedBackend()
    with pytest.raises(NotSupported, match=r"dated web UI server cannot.*JOB@STEP"):
        started(backend, init_lora=str(path), rank=4)
    assert not backend.calls


def test_a_job_with_a_checkpoint_says_that_it_ignores_the_lora(
    client: AIToolkitClient, first: Job
) -> None:
    """As the trainer does."""
    wanted = params("first", init_lora="warm", steps=40)
    rows = {one.name: one for one in client.jobs.preflight(wanted).checks}
    assert "It is ignored" in rows["init_lora"].message


# -- more_steps -----------------------------------------------------------------------------------


def test_more_steps_go_on_and_attach_afterwards(client: AIToolkitClient, first: Job) -> None:
    """Counted from the newest checkpoint, resolved once."""
    start = params("longer", steps=20)
    client.jobs.start(start).wait(every=0.1)
    wanted = params("longer", steps=20, more_steps=15)
    rows = {one.name: one for one in client.jobs.preflight(wanted).checks}
    assert rows["more_steps"].message == "To step 35."
    assert client.jobs.preflight(wanted).ok

    job = client.jobs.start(wanted)
    assert job.start_result == "resumed"
    assert job.resumed_from is not None
    assert job.resumed_from.startswith("at step 20")
    job.wait(every=0.1)

    assert (job.state.step, process_of(job)["train"]["steps"]) == (35, 35)
    again = client.jobs.start(wanted)
    assert (again.start_result, again.state.total_steps) == ("attached", 35)
    assert client.jobs.start(job.params()).start_result == "attached"
    # Another number goes on again.
    further = client.jobs.start(params("longer", more_steps=5))
    further.wait(every=0.1)
    assert further.state.step == 40


def test_what_was_counted_stays_when_it_is_resumed() -> None:
    """A job that was stopped on its way goes to the same last step."""
    backend = ScriptedBackend()
    wanted = PARAMS.model_copy(update={"steps": 160, "more_steps": 60})
    there(backend, wanted, step=120)

    job = started(backend, if_exists="resume", more_steps=60)

    assert job.start_result == "resumed"
    assert value_at(backend.get_job("cat").config, f"{PROCESS}.train.steps") == 160


def test_more_steps_without_a_job_start_nothing() -> None:
    """There is nothing to go on with."""
    backend = ScriptedBackend()
    with pytest.raises(BadInput, match="the server has no job 'cat'"):
        started(backend, more_steps=5)
    assert not backend.calls


def test_more_steps_need_a_step_to_count_from() -> None:
    """And say what to do where nobody knows it, as of files without metadata or without any."""
    backend = ScriptedBackend()
    there(backend)
    with pytest.raises(BadInput, match="has none"):
        started(backend, more_steps=5)
    backend.files = {"cat.safetensors": b"broken"}
    with pytest.raises(NotSupported, match="Set steps to the last step"):
        started(backend, more_steps=5)
    assert "start cat" not in backend.calls


def test_more_steps_are_all_that_may_differ() -> None:
    """Anything else is another job."""
    backend = ScriptedBackend()
    there(backend)
    with pytest.raises(JobConflict, match="more"):
        started(backend, more_steps=5, rank=8)


# -- validation -----------------------------------------------------------------------------------


def test_a_job_validates(client: AIToolkitClient) -> None:
    """Its curve is among the losses, and running the cell again attaches."""
    wanted = params("validated", validation="held_out", validate_every=10)
    rows = {one.name: one for one in client.jobs.preflight(wanted).checks}
    assert "3 images" in rows["validation"].message
    job = client.jobs.start(wanted)
    job.wait(every=0.1)

    points = job.losses().points("val/loss")
    assert [point.step for point in points] == [1, 10, 20]
    assert points[-1].value < points[0].value
    section = process_of(job)["train"]["validation_config"]
    assert section["resolution"] == 256
    (item, *_others) = section["validation_items"]
    assert Path(item["image_path"]).parent.name == "held_out"
    assert item["prompt"].startswith("a photograph of an officer")
    assert job.params(gpu_ids="") == wanted
    assert client.jobs.start(wanted).start_result == "attached"
    assert "validation" in aitk_nb.plot_loss(job.losses()).alt


def test_what_is_trained_cannot_validate(
    client: AIToolkitClient, folders: Path, tmp_path: Path
) -> None:
    """Neither the dataset itself, nor one that shares an image under whatever name."""
    mixed = tmp_path / "mixed"
    shutil.copytree(folders / "held_out", mixed)
    twin = sorted((folders / "trained").glob("*.jpg"))[0]
    shutil.copy(twin, mixed / "other_name.jpg")
    client.datasets.upload(mixed, "mixed")
    # One that is as large, and not the same.
    content = bytearray((mixed / "other_name.jpg").read_bytes())
    content[-3] ^= 1
    (mixed / "other_name.jpg").write_bytes(content)
    client.datasets.upload(mixed, "alike")

    for name, says in (
        ("trained", "'trained' is trained"),
        ("mixed", f"1 image of 'mixed' would be trained too: other_name.jpg is {twin.name} of"),
    ):
        wanted = params("overlapping", validation=name)
        with pytest.raises(BadInput, match=says):
            client.jobs.start(wanted)
        assert "validation" in _problems(client, wanted)
    assert "validation" not in _problems(client, params("apart", validation="alike"))


def test_a_validation_dataset_needs_images(
    client: AIToolkitClient, server: demo.DemoServer
) -> None:
    """A missing one is a sentence too."""
    (server.data / "datasets" / "hollow").mkdir(exist_ok=True)
    with pytest.raises(BadInput, match="'hollow' has no images"):
        client.jobs.start(params("hollow", validation="hollow"))
    with pytest.raises(NotFound, match="no dataset named 'nowhere'"):
        client.jobs.start(params("nowhere", validation="nowhere"))


def test_a_server_that_shows_no_datasets_cannot_validate() -> None:
    """The overlap could not be seen."""
    backend = ScriptedBackend(datasets=("cats", "others"))
    assert Ability.EDIT_DATASETS not in backend.abilities
    with pytest.raises(NotSupported, match="Leave validation empty"):
        started(backend, validation="others")
    assert not backend.calls


def started(backend: ScriptedBackend, *, if_exists: Any = "attach", **fields: Any) -> Job:
    """Start a job of a scripted server."""
    clock = Clock()
    jobs = Jobs(backend, sleep=clock.sleep, clock=clock)
    return jobs.start(PARAMS.model_copy(update=fields), if_exists=if_exists)


def _problems(client: AIToolkitClient, wanted: TrainingParams) -> list[str]:
    checks = client.jobs.preflight(wanted).checks
    return [one.name for one in checks if one.status is Status.PROBLEM]
