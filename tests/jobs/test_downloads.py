"""`Job.download`: which checkpoints, their record, and what keeps a second call from fetching."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from aitk_nb import AitkError, BadInput, Job, JobStatus, NotFound
from aitk_nb._local_copies import DOWNLOADED
from aitk_nb.models.job import Sample
from aitk_nb.models.loss import LossPoint
from aitk_nb.training.config_files import read
from tests.scripted import Clock, ScriptedBackend, there

STEPS = {30: b"thirty", 60: b"sixty"}
FINAL = b"at the end"


class Counting(ScriptedBackend):
    """A backend that counts what is fetched."""

    fetched = 0

    def open_range(self, path):  # type: ignore[no-untyped-def]
        """Miss what is not there."""
        if path not in self.files:
            raise NotFound("file", path)
        return super().open_range(path)

    def download(self, path, target, progress):  # type: ignore[no-untyped-def]
        """Count the file."""
        self.fetched += 1
        progress(0, len(self.files[path]))
        size = super().download(path, target, progress)
        progress(size, size)
        return size


@pytest.fixture
def backend() -> Counting:
    """A server with a job that has three checkpoints and a sample."""
    backend = Counting()
    there(backend, status=JobStatus.COMPLETED, step=90)
    backend.files = {f"cat_{step:09d}.safetensors": data for step, data in STEPS.items()}
    backend.files |= {"cat.safetensors": FINAL, "optimizer.pt": b"state"}
    backend.samples = [Sample("1__000000030_0.jpg", 30, 0, "samples/1")]
    backend.files["samples/1"] = b"picture"
    return backend


@pytest.fixture
def job(backend: Counting) -> Job:
    """That job."""
    return Job(backend, backend.jobs["cat"])


def names(folder: Path) -> set[str]:
    """Return the files of a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_everything_once(backend: Counting, job: Job, tmp_path: Path) -> None:
    """With its record; what has changed here since is fetched again, and kept too."""
    report = job.download(tmp_path, "all")

    loras = {"cat_000000030.safetensors", "cat_000000060.safetensors", "cat.safetensors"}
    others = {"cat_samples/1__000000030_0.jpg", "cat.yaml", DOWNLOADED}
    assert loras | others == names(tmp_path)
    assert str(tmp_path / "cat.safetensors") == report.path
    digests = {Path(path).name: digest for path, digest in report.files.items()}
    assert hashlib.sha256(FINAL).hexdigest() == digests["cat.safetensors"]
    entry = json.loads((tmp_path / DOWNLOADED).read_text())["files"]["cat.safetensors"]
    assert (digests["cat.safetensors"], 10) == (entry["sha256"], entry["size"])
    assert "cat" == read(tmp_path / "cat.yaml")["config"]["name"]

    fetched = backend.fetched
    again = Job(backend, job.state).download(tmp_path, "all")
    assert (4, fetched, False) == (fetched, backend.fetched, again.fetched)
    assert report.files == again.files

    (tmp_path / "cat.safetensors").write_bytes(b"at the eNd")
    assert job.download(tmp_path, "all").fetched
    assert FINAL == (tmp_path / "cat.safetensors").read_bytes()
    assert b"at the eNd" == (tmp_path / "cat.1.safetensors").read_bytes()
    assert fetched + 1 == backend.fetched


def test_a_checkpoint_that_was_written_again(backend: Counting, job: Job, tmp_path: Path) -> None:
    """Of the same size, as after more training: the record does not hide it."""
    job.download(tmp_path)
    backend.files["cat.safetensors"] = b"AT THE END"
    assert job.download(tmp_path).fetched


def test_a_file_without_a_record_is_read_back(backend: Counting, job: Job, tmp_path: Path) -> None:
    """As one that was copied by hand: it is recorded then, and not fetched."""
    (tmp_path / "cat.safetensors").write_bytes(FINAL)
    report = job.download(tmp_path, samples=False, config=False)
    assert (False, 0) == (report.fetched, backend.fetched)
    assert DOWNLOADED in names(tmp_path)


def test_one_file_comes_alone(job: Job, tmp_path: Path) -> None:
    """Its name, or what `files` and `samples` list."""
    job.download(tmp_path, "optimizer.pt")
    job.download(tmp_path, job.samples(limit=0)[0])
    assert {"optimizer.pt", "1__000000030_0.jpg", DOWNLOADED} == names(tmp_path)


def test_some_steps(job: Job, tmp_path: Path) -> None:
    """By their numbers, that of the final one too."""
    job.download(tmp_path, [90, 30], samples=False, config=False)
    assert {"cat.safetensors", "cat_000000030.safetensors", DOWNLOADED} == names(tmp_path)
    with pytest.raises(NotFound, match=r"no checkpoint of step named '31'. It has: 30, 60, 90"):
        job.download(tmp_path, [30, 31])


def test_a_checkpoint_that_vanished(backend: Counting, job: Job, tmp_path: Path) -> None:
    """The sentence names it, and nothing of it is written; the next call brings the rest."""
    listed = backend.list_files(job.state)
    del backend.files["cat_000000060.safetensors"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "list_files", lambda _state: listed)
        with pytest.raises(NotFound, match="cat_000000060"):
            job.download(tmp_path, "all", config=False)
    assert {"cat_000000030.safetensors", DOWNLOADED} == names(tmp_path)
    assert job.download(tmp_path, "all").fetched


# -- the best one ---------------------------------------------------------------------------------


def curve(*ends: float, noise: float = 0.001) -> tuple[LossPoint, ...]:
    """Return a validation loss that stands at each value for 30 steps."""
    random = np.random.default_rng(0)
    values = np.repeat(ends, 30) + random.normal(0, noise, 30 * len(ends))
    return tuple(LossPoint(step, 0.0, float(value)) for step, value in enumerate(values, 1))


def test_the_best_is_lowest_beyond_the_spread(backend: Counting, job: Job, tmp_path: Path) -> None:
    """By the validation loss around its step."""
    backend.losses = {"val/loss": curve(0.5, 0.3, 0.4)}
    report = job.download(tmp_path, "best", samples=False)
    assert "cat_000000060.safetensors" == Path(report.path).name


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((), "no val/loss was logged"),
        (curve(0.5, 0.4, 0.4, noise=0.02), r"No checkpoint is clearly the best.*within the spread"),
        (curve(0.5, 0.3, 0.4)[::10], "too few values"),
    ],
)
def test_no_best_without_proof(
    backend: Counting, job: Job, tmp_path: Path, values: tuple[LossPoint, ...], why: str
) -> None:
    """One sentence, and nothing is written."""
    backend.losses = {"val/loss": values} if values else {"loss/loss": curve(1)}
    with pytest.raises(BadInput, match=why):
        job.download(tmp_path, "best")
    assert set() == names(tmp_path)


# -- while it is being written --------------------------------------------------------------------


def test_a_checkpoint_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """Until its header says that it is whole."""
    whole, backend, clock = save({"x.lora_A.weight": np.ones((4, 8))}), Counting(), Clock()
    state = there(backend, status=JobStatus.RUNNING, step=10)
    backend.files = {"cat_000000010.safetensors": b""}
    for second, size in enumerate((40, len(whole) - 1, len(whole)), 1):
        grown = {"cat_000000010.safetensors": whole[:size]}
        clock.events[second] = lambda grown=grown: backend.files.update(grown)

    Job(backend, state, sleep=clock.sleep, clock=clock).download(tmp_path)

    assert whole == (tmp_path / "cat_000000010.safetensors").read_bytes()
    assert 3 == clock.now


def test_half_a_checkpoint_is_refused(tmp_path: Path) -> None:
    """That of a job which was killed while it saved; nothing is left of it."""
    backend, clock = Counting(), Clock()
    state = there(backend, status=JobStatus.ERROR, step=10)
    backend.files = {"cat.safetensors": save({"x.lora_A.weight": np.ones((4, 8))})[:-1]}
    with pytest.raises(AitkError, match=r"cat.safetensors is incomplete.*not grown for 30 s"):
        Job(backend, state, sleep=clock.sleep, clock=clock).download(tmp_path)
    assert set() == names(tmp_path)


# -- where to, and as what -----------------------------------------------------------------------


def test_a_full_disk_is_seen_before(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half written."""
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(15))
    with pytest.raises(BadInput, match=r"3 files of .* won't fit: .* has .* left"):
        job.download(tmp_path / "new", "all", samples=False)
    assert set() == names(tmp_path)


@pytest.mark.parametrize(("program", "folder"), [("comfyui", "loras"), ("a1111", "Lora")])
def test_where_a_program_looks(job: Job, tmp_path: Path, program: str, folder: str) -> None:
    """The checkpoints alone, under a name of one's choice."""
    (tmp_path / "models").mkdir()
    job.download(to=f"{program}:{tmp_path}", which=[30, 90], name="my cat.safetensors")
    there = {"my cat.safetensors", "my cat_000000030.safetensors", DOWNLOADED}
    assert {f"models/{folder}/{name}" for name in there} == names(tmp_path)


@pytest.mark.parametrize("name", ["../cat", "a/b", "con", ".cat", "a:b", "..\\cat", "${HOME}"])
def test_a_name_that_leads_elsewhere(job: Job, tmp_path: Path, name: str) -> None:
    """One sentence, and nothing is written."""
    with pytest.raises(BadInput, match="can't be the name of a file"):
        job.download(tmp_path, name=name)
    assert set() == names(tmp_path)


@pytest.mark.parametrize("to", ["comfyui", "comfyui:", "forge:x", "comfyui:no-such-folder"])
def test_a_program_that_is_not_there(job: Job, to: str) -> None:
    """It is not made."""
    with pytest.raises(BadInput, match=r"comfyui:PATH|is not the folder of ComfyUI"):
        job.download(to=to)


def test_a_record_that_is_damaged_is_made_anew(backend: Counting, job: Job, tmp_path: Path) -> None:
    """It only costs reading the files back."""
    job.download(tmp_path)
    (tmp_path / DOWNLOADED).write_text('{"files": [')
    assert not job.download(tmp_path, samples=False).fetched
    assert job.download(tmp_path, samples=False).files == {
        str(tmp_path / name): hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("cat.safetensors", "cat.yaml")
    }


def test_a_job_without_a_config(backend: Counting, tmp_path: Path) -> None:
    """Of which the server tells none: no file is made of that."""
    job = Job(backend, replace(backend.jobs["cat"], config={}))
    job.download(tmp_path, samples=False)
    assert {"cat.safetensors", DOWNLOADED} == names(tmp_path)
