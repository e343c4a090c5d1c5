"""A job that is exported from one server, and trained again on another."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import aitk_nb
from aitk_nb import AIToolkitClient, BadInput, Job, demo
from aitk_nb.jobs.bundle_file import ABOUT, CONFIG, LOSSES
from tests.cli.command import run

TOKEN = "token-that-nobody-may-see"
SECRET = "hf_secretsecretsecretsecret"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two servers of these tests' own."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    with demo.start(folders[0], token=TOKEN) as one, demo.start(folders[1], token=TOKEN) as two:
        yield [one.url, two.url]


@pytest.fixture(scope="module")
def clients(servers: list[str]) -> Iterator[list[AIToolkitClient]]:
    """A client of each."""
    first, second = (aitk_nb.connect(url, token=TOKEN) for url in servers)
    with first, second:
        yield [first, second]


@pytest.fixture(scope="module")
def job(clients: list[AIToolkitClient], photos: Path) -> Job:
    """A job on the first server, with a validation dataset, samples and notes."""
    client = clients[0]
    held_out = photos.parent / "held_out"
    trained = shutil.copytree(photos, photos.parent / "trained")
    held_out.mkdir()
    for path in trained.glob("photo_1*"):
        shutil.move(path, held_out)
    (trained / "photo_03.txt").unlink()
    client.datasets.upload(trained, "cats")
    client.datasets.upload(held_out, "held_out")
    params = aitk_nb.TrainingParams(
        name="cat",
        dataset="cats",
        validation="held_out",
        validate_every=10,
        steps=30,
        rank=4,
        resolution=[64],
        prompts=["a photo of [trigger]"],
        trigger_word="grc",
        sample_every=15,
        sample_width=64,
        sample_height=64,
    )
    job = client.jobs.start(params)
    job.wait(every=0.1)
    job.write_notes("The best one so far.")
    return job


@pytest.fixture(scope="module")
def whole(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job with its images."""
    return job.export(tmp_path_factory.mktemp("out") / "whole.zip", images=True)


def values(job: Job) -> dict[str, tuple[list[int], list[float]]]:
    """Return all losses, to the last digit."""
    losses = job.losses()
    columns = {key: losses.columns(key) for key in losses.keys}
    return {key: (steps.tolist(), found.tolist()) for key, (steps, found) in columns.items()}


def test_a_bundle_tells_what_the_job_was(job: Job, whole: Path) -> None:
    """Parameters, losses, captions, notes and the SHA-256 of what counts."""
    bundle = aitk_nb.open_bundle(whole)

    assert bundle.params == job.params(gpu_ids="")
    assert (bundle.job["status"], bundle.job["step"]) == ("completed", 30)
    assert bundle.losses is not None
    assert bundle.losses.columns()[1].tolist() == job.losses().columns()[1].tolist()
    assert bundle.notes == "The best one so far."
    assert bundle.lora is not None
    assert bundle.lora["sha256"] in job.download(whole.parent).files.values()
    assert {"cats", "held_out"} == bundle.datasets.keys()
    assert (10, 9) == tuple(len(bundle.datasets["cats"][part]) for part in ("files", "captions"))
    samples = [name for name in zipfile.ZipFile(whole).namelist() if name.startswith("samples/")]
    assert len(samples) == len(job.samples(0))
    assert "completed at step 30" in bundle._repr_html_()


@pytest.mark.parametrize("with_images", [True, False])
def test_it_trains_the_same_on_another_server(
    clients: list[AIToolkitClient], job: Job, whole: Path, photos: Path, with_images: bool
) -> None:
    """Losses and validation are equal to the last digit; once more, it attaches."""
    folders = None
    path = whole
    if not with_images:
        path = job.export(whole.parent / "small.zip", samples=False)
        assert path.stat().st_size < whole.stat().st_size / 4
        folders = {name: photos.parent / folder for name, folder in FOLDERS.items()}
    name = f"again_{with_images}"
    again = aitk_nb.open_bundle(path).start(clients[1], folders, name=name)
    again.wait(every=0.1)

    assert values(again) == values(job)
    assert (
        aitk_nb.open_bundle(path).start(clients[1], folders, name=name).state.id == again.state.id
    )


FOLDERS = {"cats": "trained", "held_out": "held_out"}


def test_other_images_are_refused(
    clients: list[AIToolkitClient], job: Job, whole: Path, photos: Path, tmp_path: Path
) -> None:
    """Before anything is sent; so is a bundle without images, without their folder."""
    small = aitk_nb.open_bundle(job.export(tmp_path / "small.zip", samples=False))
    with pytest.raises(BadInput, match="holds no images: pass the folder of 'cats'"):
        small.start(clients[1], name="other")
    trained = shutil.copytree(photos.parent / "trained", tmp_path / "trained")
    (trained / "photo_00.jpg").write_bytes((trained / "photo_01.jpg").read_bytes())
    (trained / "photo_02.jpg").unlink()
    folders = {"cats": trained, "held_out": photos.parent / "held_out"}
    with pytest.raises(BadInput, match=r"2 files of 'cats' .*photo_00.jpg, photo_02.jpg"):
        small.start(clients[1], folders, name="other")
    assert "other" not in [one.name for one in clients[1].jobs.list()]


def test_a_lora_that_it_began_with_has_to_be_given(
    clients: list[AIToolkitClient], job: Job, whole: Path, tmp_path: Path
) -> None:
    """No bundle has it; steps that were added are trained in one go."""
    client = clients[0]
    warm = client.jobs.start(job.params(name="warm", init_lora="cat", steps=5, validation=""))
    warm.wait(every=0.1)
    more = client.jobs.start(warm.params(more_steps=5), if_exists="resume")
    more.wait(every=0.1)
    bundle = aitk_nb.open_bundle(more.export(tmp_path / "warm.zip", images=True))
    assert (10, 0) == (bundle.params.steps, bundle.params.more_steps)
    with pytest.raises(BadInput, match="began with the LoRA cat, which is not in the bundle"):
        bundle.start(clients[1])
    local = job.download(tmp_path).path
    again = bundle.start(clients[1], init_lora=local)
    assert 10 == again.wait(every=0.1).step


def test_captions_of_another_ending(
    clients: list[AIToolkitClient], job: Job, tmp_path: Path
) -> None:
    """The trainer read them from there; elsewhere they lie in .txt files."""
    state = replace(job.state, config=json.loads(json.dumps(job.state.config)))
    (entry,) = state.config["config"]["process"][0]["datasets"]
    entry["caption_ext"] = "caption"
    other = Job(job._backend, state)
    other.refresh = lambda: state  # type: ignore[method-assign]
    bundle = aitk_nb.open_bundle(other.export(tmp_path / "other.zip", samples=False))
    assert {} == bundle.datasets["cats"]["captions"]
    assert bundle.datasets["held_out"]["captions"]
    entry["caption_ext"] = "json"
    with pytest.raises(BadInput, match=r"cats can't be exported: .* \.json"):
        other.export(tmp_path / "json.zip")
    entry["caption_ext"] = "${HOME}"
    with pytest.raises(BadInput, match=r"has \${…} in it"):
        other.export(tmp_path / "variable.zip")
    assert ["other.zip"] == [path.name for path in tmp_path.iterdir()]


def test_no_secret_is_in_it(whole: Path, servers: list[str]) -> None:
    """Neither the token nor the address, in any byte."""
    with zipfile.ZipFile(whole) as file:
        content = b"".join(file.read(name) for name in file.namelist())
    for secret in (TOKEN, *servers, str(Path.home()), "/output/"):
        assert secret.encode() not in content + whole.read_bytes()


def changed(path: Path, to: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """Write a bundle once more, with other content."""
    with zipfile.ZipFile(path) as file:
        content = {name: file.read(name) for name in file.namelist()}
    change(content)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return to


def about(content: dict[str, bytes], *keys: str, value: Any) -> None:
    """Change what a bundle tells of the job."""
    told = found = json.loads(content[ABOUT])
    for key in keys[:-1]:
        found = found[key]
    found[keys[-1]] = value
    content[ABOUT] = json.dumps(told).encode()


FILE = {"size": 3, "sha256": "0" * 64}
LIES: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no description": (lambda c: c.pop(ABOUT), "is not a bundle"),
    "no config": (lambda c: c.pop(CONFIG), "is not a bundle"),
    "another JSON": (lambda c: c.update({ABOUT: b"[1, 2]"}), "is not a bundle"),
    "deep JSON": (lambda c: c.update({ABOUT: b"[" * 200_000}), "is not a bundle"),
    "no text": (lambda c: c.update({ABOUT: b"\xff\xfe\x00"}), "is not a bundle"),
    "another version": (lambda c: about(c, "version", value=2), "newer aitk-nb"),
    "a variable": (lambda c: c.update({CONFIG: c[CONFIG] + b"x: ${HOME}\n"}), r"\${…}"),
    "no dataset": (lambda c: about(c, "datasets", value={}), "does not tell what is in 'cats'"),
    "a path that leads out": (
        lambda c: about(c, "datasets", "cats", "files", value={"../x.jpg": FILE}),
        r"a file called '../x.jpg'",
    ),
    "an absolute path": (
        lambda c: about(c, "datasets", "cats", "files", value={"/etc/x.jpg": FILE}),
        "a file called",
    ),
    "a caption of nothing": (
        lambda c: about(c, "datasets", "cats", "captions", value={"../../x.jpg": "x"}),
        "a caption without its image",
    ),
    "a size that is none": (
        lambda c: about(c, "datasets", "cats", "files", "photo_00.jpg", "size", value="many"),
        "is not a bundle",
    ),
    "a table without losses": (lambda c: c.update({LOSSES: b"a,b\n1,2\n"}), "losses"),
    "a large description": (lambda c: c.update({ABOUT: b" " * (2**26 + 1)}), "more than any job"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_bundle_that_lies_is_refused(whole: Path, tmp_path: Path, lie: str) -> None:
    """In a sentence, when it is opened."""
    change, words = LIES[lie]
    with pytest.raises(BadInput, match=words):
        aitk_nb.open_bundle(changed(whole, tmp_path / "lie.zip", change))


def test_files_that_lie_are_refused(
    clients: list[AIToolkitClient], whole: Path, tmp_path: Path
) -> None:
    """Another content and one that grows when it is started, a name twice when it is opened."""

    def other(content: dict[str, bytes]) -> None:
        content["datasets/cats/photo_00.jpg"] = content["datasets/cats/photo_01.jpg"]

    def bomb(content: dict[str, bytes]) -> None:
        content["datasets/cats/photo_01.jpg"] = bytes(50_000_000)

    for change in (other, bomb):
        bundle = aitk_nb.open_bundle(changed(whole, tmp_path / "lie.zip", change))
        with pytest.raises(BadInput, match="1 file of 'cats'"):
            bundle.start(clients[1], name="lie")
    twice = shutil.copy(whole, tmp_path / "twice.zip")
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(twice, "a") as file:
        file.writestr(CONFIG, "job: x")
    with pytest.raises(BadInput, match="holds a name twice"):
        aitk_nb.open_bundle(twice)
    (tmp_path / "none.zip").write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(BadInput, match="is not a bundle, or is damaged"):
        aitk_nb.open_bundle(tmp_path / "none.zip")
    with pytest.raises(BadInput, match="Can't read"):
        aitk_nb.open_bundle(tmp_path / "missing.zip")


def test_by_command(servers: list[str], job: Job, whole: Path, tmp_path: Path) -> None:
    """From one server to the other."""
    env = {"AITK_TOKEN": TOKEN, "AITK_URL": servers[0]}
    made = run("export", "cat", tmp_path / "cat.zip", "--images", "--json", env=env).json
    assert {"path": str(tmp_path / "cat.zip")} == made
    env["AITK_URL"] = servers[1]
    command = ("import", tmp_path / "cat.zip", "--name", "by_command", "--wait", "--every", "0.1")
    done = run(*command, "--json", env=env).json
    assert ("completed", 30) == (done["status"], done["step"])
    refused = run("export", "by_command", tmp_path / "cat.txt", env=env, code=2)
    assert "A bundle is a .zip; got 'cat.txt'." in refused.err
