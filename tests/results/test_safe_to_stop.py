"""`client.safe_to_stop`: red in each of its cases, never green while something is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

import aitk_nb
from aitk_nb import AIToolkitClient, Flavour, Job, JobStatus, NotSupported, SafeToStop, Status, demo
from aitk_nb._local_copies import DOWNLOADED
from aitk_nb.models.job import Sample
from aitk_nb.results.safe_to_stop import safe_to_stop
from tests.cli.command import run
from tests.scripted import ScriptedBackend, there

FINAL = save({"x.lora_A.weight": np.ones((4, 8), np.float32)})


@pytest.fixture(autouse=True)
def _own_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What other tests have downloaded is not known."""
    monkeypatch.setenv("AITK_JOURNAL", str(tmp_path / "journal"))


@pytest.fixture
def backend() -> ScriptedBackend:
    """A server with one completed job."""
    backend = ScriptedBackend(datasets=())
    there(backend, status=JobStatus.COMPLETED, step=90)
    backend.files = {"cat.safetensors": FINAL, "optimizer.pt": b"state"}
    return backend


def change(backend: ScriptedBackend, **changes: Any) -> None:
    """Change the job."""
    backend.jobs["cat"] = replace(backend.jobs["cat"], **changes)


def fetch(backend: ScriptedBackend, folder: Path) -> None:
    """Download everything of the job."""
    Job(backend, backend.jobs["cat"]).download(folder, "all")


def red(report: SafeToStop) -> str:
    """Return the only reason, with what mends it."""
    assert not report
    (one,) = report.problems
    assert one.remedy
    return str(one)


def test_green_when_all_is_here(backend: ScriptedBackend, tmp_path: Path) -> None:
    """What is lost all the same is named; it shows as text and as a light."""
    fetch(backend, tmp_path / "loras")
    backend.samples = [Sample("1__000000030_0.jpg", 30, 0, "samples/1")]

    report = safe_to_stop(backend)

    assert report.ok
    assert not report.problems
    assert "cat: Also lost then: optimizer.pt (0.0 kB), 1 sample, losses." in repr(report)
    assert repr(report).startswith("Safe to stop: nothing that counts is on the server alone.")
    assert "Safe to stop" in report._repr_html_()
    assert {Status.WARNING} == {one.status for one in report.checks}


@pytest.mark.parametrize("status", [s for s in JobStatus if not s.is_final])
@pytest.mark.parametrize("kind", ["train", "caption", "inference", "something new"])
def test_red_while_a_job_of_any_type_runs_or_waits(
    backend: ScriptedBackend, tmp_path: Path, status: JobStatus, kind: str
) -> None:
    """Also one whose status nobody knows."""
    fetch(backend, tmp_path)
    change(backend, status=status, job_type=kind, step=0)
    told = red(safe_to_stop(backend))
    assert f"is {status.value}" in told
    assert ".stop(" in told


def test_red_for_a_checkpoint_that_is_not_here(backend: ScriptedBackend) -> None:
    """Of a job whose type is new as well."""
    for kind in ("train", "something new"):
        change(backend, job_type=kind)
        told = red(safe_to_stop(backend))
        assert "1 checkpoint not here: cat.safetensors" in told
        assert """client.jobs.get('cat').download("loras", "all")""" in told


@pytest.mark.parametrize("content", [FINAL[:-1] + b"\0", FINAL[:-2], None])
def test_red_for_a_copy_that_is_damaged_or_gone(
    backend: ScriptedBackend, tmp_path: Path, content: bytes | None
) -> None:
    """The record alone proves nothing: what is here is hashed again."""
    fetch(backend, tmp_path)
    target = tmp_path / "cat.safetensors"
    target.unlink() if content is None else target.write_bytes(content)
    assert "1 checkpoint" in red(safe_to_stop(backend))


def test_red_for_a_checkpoint_that_was_written_again(
    backend: ScriptedBackend, tmp_path: Path
) -> None:
    """Of the same name and size: the copy is that of an earlier training."""
    fetch(backend, tmp_path)
    backend.files["cat.safetensors"] = FINAL[:-1] + b"\0"
    assert "1 checkpoint" in red(safe_to_stop(backend))


def test_a_copy_in_a_folder_counts(backend: ScriptedBackend, tmp_path: Path) -> None:
    """Under any name, recorded or not; a folder that is not there is refused."""
    fetch(backend, tmp_path / "loras")
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "loras" / "cat.safetensors", tmp_path / "moved" / "best one.safetensors")
    assert not safe_to_stop(backend)
    assert safe_to_stop(backend, [tmp_path])
    (tmp_path / "loras" / DOWNLOADED).unlink()
    assert safe_to_stop(backend, [tmp_path])
    with pytest.raises(aitk_nb.BadInput, match="There is no folder"):
        safe_to_stop(backend, [tmp_path / "none"])


def test_red_for_unsaved_steps(backend: ScriptedBackend, tmp_path: Path) -> None:
    """Those since the last checkpoint of a job that runs; the final file is of an earlier run."""
    backend.files["cat_000000080.safetensors"] = FINAL
    fetch(backend, tmp_path)
    change(backend, status=JobStatus.RUNNING)
    report = safe_to_stop(backend)
    assert ["'cat' is running.", "10 steps not saved."] == [one.message for one in report.problems]
    assert all("stop(save=True)" in one.remedy for one in report.problems)


def test_red_for_what_was_trained_and_is_not_listed(backend: ScriptedBackend) -> None:
    """As a whole model, which is saved as a folder, or the files of a job that was renamed."""
    backend.files = {}
    assert "the server lists no checkpoint" in red(safe_to_stop(backend))


def test_half_a_checkpoint_is_of_no_use(backend: ScriptedBackend, tmp_path: Path) -> None:
    """It is named: nobody can download it."""
    fetch(backend, tmp_path)
    backend.files["cat_000000010.safetensors"] = FINAL[:-1]
    report = safe_to_stop(backend)
    assert report
    assert "cat_000000010.safetensors is incomplete" in repr(report)


def test_red_for_what_a_gradio_app_does_not_show(backend: ScriptedBackend, tmp_path: Path) -> None:
    """Whatever it shows."""
    fetch(backend, tmp_path)
    backend.flavour = Flavour.GRADIO
    assert "shows nothing but what this computer started" in red(safe_to_stop(backend))


@pytest.mark.parametrize("call", ["all_jobs", "list_files", "list_datasets"])
def test_red_for_what_cannot_be_read(
    backend: ScriptedBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Because the server has no such list, or refuses it."""
    fetch(backend, tmp_path)
    for error in (NotSupported("list", "old", "Update."), aitk_nb.Rejected("list", "no", 500)):

        def refuse(*_args: object, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(backend, call, refuse)
        assert "It can't be seen" in red(safe_to_stop(backend))


# -- datasets, and the command --------------------------------------------------------------------


@pytest.fixture(scope="module")
def server_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a server of its own."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def client(server_data: Path) -> Iterator[AIToolkitClient]:
    """A client of that server."""
    with (
        demo.start(server_data) as server,
        aitk_nb.connect(server.url) as client,
    ):
        yield client


@pytest.fixture
def folder(client: AIToolkitClient, photos: Path, tmp_path: Path) -> Iterator[Path]:
    """A local folder that was uploaded, and is all that the server has."""
    folder = tmp_path / "my cats"
    shutil.copytree(photos, folder)
    name = client.datasets.upload(folder).name
    yield folder
    client.datasets.delete(name)


def test_green_for_a_dataset_that_was_uploaded(client: AIToolkitClient, folder: Path) -> None:
    """It lies where it came from."""
    assert client.safe_to_stop()
    run("safe-to-stop", "--url", client.url)


@pytest.mark.parametrize("change", ["deleted", "edited"])
def test_red_for_a_file_of_a_dataset(
    client: AIToolkitClient, folder: Path, tmp_path: Path, change: str
) -> None:
    """That is not here any more; its download makes it green, and so does a folder with it."""
    image = folder / "photo_03.jpg"
    kept = image.read_bytes()
    image.unlink() if change == "deleted" else image.write_bytes(kept[:-9] + b"x" + kept[-8:])
    told = red(client.safe_to_stop())
    assert "1 file (photo_03.jpg)" in told
    assert """client.datasets.download('my_cats', "datasets")""" in told
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "photo_03.jpg").write_bytes(kept)
    assert change == "deleted" or not client.safe_to_stop()
    shutil.copy(folder / "photo_03.txt", tmp_path / "backup")
    assert client.safe_to_stop([tmp_path / "backup"])

    client.datasets.download("my_cats", tmp_path / "datasets")
    assert client.safe_to_stop()


def test_red_for_a_caption(client: AIToolkitClient, folder: Path, tmp_path: Path) -> None:
    """That was written on the server; a download brings it."""
    client.datasets.set_captions("my_cats", {"photo_05.jpg": "rewritten there"})
    assert "1 caption (photo_05.jpg)" in red(client.safe_to_stop())
    client.datasets.download("my_cats", tmp_path / "datasets")
    assert client.safe_to_stop()


def test_red_for_a_caption_of_another_ending(
    client: AIToolkitClient, folder: Path, tmp_path: Path, server_data: Path
) -> None:
    """That some job reads; the call that mends it says which ending."""
    params = aitk_nb.TrainingParams(
        name="endings", dataset="my_cats", steps=1, resolution=[64], rank=4,
        extra="datasets: [{caption_ext: caption}]",
    )  # fmt: skip
    (server_data / "datasets" / "my_cats" / "photo_05.caption").write_text("there", "utf-8")
    assert client.safe_to_stop()
    job = client.jobs.start(params)
    job.wait(every=0.1)
    job.download(tmp_path)
    told = red(client.safe_to_stop())
    assert "1 caption (photo_05.jpg)" in told
    assert """client.datasets.download('my_cats', "datasets", caption_ext='.caption')""" in told
    client.datasets.download("my_cats", tmp_path / "datasets", caption_ext=".caption")
    assert client.safe_to_stop()
    job.delete()


def test_the_command_is_red(client: AIToolkitClient, folder: Path) -> None:
    """1 when something would be lost, 3 when nobody answers; the reasons are on stdout."""
    (folder / "photo_03.jpg").unlink()
    ran = run("safe-to-stop", "--url", client.url, code=1)
    assert "Not safe to stop, for 1 reason." in ran.out
    document = run("safe-to-stop", "--json", "--url", client.url, code=1).json
    assert document["ok"] is False
    assert "client.datasets.download" in document["checks"][0]["remedy"]
    run("safe-to-stop", "--url", "http://127.0.0.1:1", code=3)


def test_the_whole_path(client: AIToolkitClient, folder: Path, tmp_path: Path) -> None:
    """A real job: red while it waits and runs, red for its LoRA, and green with its download."""
    params = aitk_nb.TrainingParams(
        name="cat", dataset="my_cats", steps=20, save_every=10, resolution=[64], rank=4
    )
    job = client.jobs.start(params)
    assert not client.safe_to_stop()
    job.wait(every=0.1)
    assert "2 checkpoints not here" in red(client.safe_to_stop())
    run("download", "cat", "--which", "all", "--out", tmp_path / "loras", "--url", client.url)
    assert client.safe_to_stop()
    job.delete()
