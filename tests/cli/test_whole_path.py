"""From a folder with odd names to a verified LoRA, command by command, read by a machine."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from aitk_nb.training.params import TrainingParams
from tests.cli.command import Ran, run

STEPS = 60
TRAIN = ("--steps", "60", "--lr", "1e-3", "--rank", "4", "--resolution", "64", "--seed", "7")


@pytest.fixture(scope="module")
def path(url: str, odd_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """What each command of the path said."""
    out = tmp_path_factory.mktemp("out put é")
    ran = {"upload": run("dataset", "upload", odd_folder, "--url", url, "--json")}
    name = ran["upload"].json["name"]
    train = ("train", "--name", "path", "--dataset", name, *TRAIN, "--url", url, "--json")
    ran["list"] = run("dataset", "list", "--url", url, "--json")
    ran["train"] = run(*train, "--wait", "--every", "0.2")
    ran["again"] = run(*train, "--wait", "--every", "0.2")
    ran["jobs"] = run("jobs", "--url", url, "--json")
    ran["watch"] = run("watch", "path", "--url", url, "--json")
    files = ("--csv", out / "losses é.csv", "--png", out / "losses é.png")
    ran["losses"] = run("losses", "path", *files, "--url", url, "--json")
    download = ("download", "path", "--out", out, "--url", url, "--json")
    ran["download"] = run(*download)
    ran["download again"] = run(*download)
    ran["lora"] = run("lora", out / "path.safetensors", "--json")
    return ran


def test_stdout_is_one_json_document(path: dict[str, Ran]) -> None:
    """All else is on stderr."""
    for ran in path.values():
        assert isinstance(ran.json, dict | list)
        assert ran.out.startswith(("{", "["))


def test_the_dataset_arrives_with_its_captions(path: dict[str, Ran], odd_folder: Path) -> None:
    """Image and caption keep one name on the server, and the text is untouched."""
    upload = path["upload"].json

    assert upload["name"] in path["list"].json
    assert (24, 0) == (upload["sent"], upload["kept"])
    captions = {file.read_text("utf-8") for file in odd_folder.glob("*.txt")}
    assert captions == set(upload["captions"].values())
    assert set(upload["images"]) == set(upload["captions"])


def test_sending_it_again_sends_nothing(path: dict[str, Ran], url: str, odd_folder: Path) -> None:
    """The second upload finds everything there."""
    again = run("dataset", "upload", odd_folder, "--url", url, "--json").json

    assert (0, 24) == (again["sent"], again["kept"])


def test_the_training_is_told(path: dict[str, Ran]) -> None:
    """The job completes, its files are listed, and it is the one that others see."""
    train = path["train"].json

    assert ("path", "completed", STEPS) == (train["name"], train["status"], train["step"])
    assert 0 < train["loss"] < 3
    assert "path.safetensors" in {file["name"] for file in train["files"]}
    assert path["watch"].json == train
    job = next(job for job in path["jobs"].json if "path" == job["name"])
    assert ("completed", STEPS, STEPS) == (job["status"], job["step"], job["total_steps"])


def test_a_job_is_found_by_its_id_too(path: dict[str, Ran], url: str) -> None:
    """The name is what people use; the id is what other programs know."""
    job = next(job for job in path["jobs"].json if "path" == job["name"])

    assert path["watch"].json == run("watch", job["id"], "--url", url, "--json").json


def test_the_same_command_again_starts_nothing(path: dict[str, Ran]) -> None:
    """It attaches to the job that is there."""
    assert path["train"].json == path["again"].json
    assert 1 == [job["name"] for job in path["jobs"].json].count("path")


def test_the_losses_are_the_same_in_all_forms(path: dict[str, Ran]) -> None:
    """JSON and table agree, and the picture is one."""
    losses = path["losses"].json["losses"]["loss/loss"]
    folder = Path(path["download"].json["path"]).parent
    with (folder / "losses é.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert list(range(1, STEPS)) == losses["step"]
    assert all(math.isfinite(value) for value in losses["value"])
    assert losses["value"] == [float(row["loss/loss"]) for row in rows]
    with Image.open(folder / "losses é.png") as picture:
        assert "PNG" == picture.format
        assert len(picture.convert("RGBA").getcolors(10_000) or [0] * 9) > 8


def test_the_lora_arrives_once_and_is_sound(path: dict[str, Ran]) -> None:
    """The second download finds it there; every number is finite."""
    first, second = path["download"].json, path["download again"].json
    lora: dict[str, Any] = path["lora"].json

    assert (True, False) == (first["fetched"], second["fetched"])
    assert Path(first["path"]).stat().st_size == first["size"] == lora["size"]
    assert (True, "LoRA", 4, True) == (lora["ok"], lora["kind"], lora["rank"], lora["finite"])
    assert (STEPS, 0) == (lora["step"], lora["zero_tensors"])


def test_without_json_people_read_it(path: dict[str, Ran], url: str) -> None:
    """Each command says its result in a few words."""
    lora = path["download"].json["path"]

    assert re.search(r"path +completed +60 of 60 \(100%\)", run("jobs", "--url", url).out)
    assert "59 points" in run("losses", "path", "--url", url).out
    shown = run("lora", lora).out
    assert "rank     4" in shown
    assert "all finite" in shown
    assert max(map(len, shown.splitlines())) <= 80 + len(lora)


def test_a_job_is_compared_with_itself(url: str, path: dict[str, Ran]) -> None:
    """There is nothing to rank; machines get the same, and a CSV holds one job only."""
    told = run("compare", "path", "path", "--url", url).out
    assert "No run is clearly the lowest: path, path" in told
    assert "steps/s" in told
    shown = run("compare", "path", "path", "--json", "--url", url).json
    assert [[1, 2], [1, 2]] == [one["place"] for one in shown["runs"]]
    refused = run("losses", "path", "path", "--csv", "x.csv", "--url", url, code=2)
    assert "holds the losses of one job" in refused.err


def test_losses_out_of_files(path: dict[str, Ran], url: str, nobody: str, tmp_path: Path) -> None:
    """Without a server they are those of the job; beside a job they are compared with it."""
    table = Path(path["download"].json["path"]).parent / "losses é.csv"
    given = path["losses"].json
    alone = run("losses", table, "--png", tmp_path / "plot.png", env={"AITK_URL": nobody})
    assert "59 points" in alone.out
    assert (tmp_path / "plot.png").stat().st_size > 1000
    shown = run("losses", table, "--json", env={"AITK_URL": nobody}).json
    assert ("losses é", given["losses"]) == (shown["name"], shown["losses"])

    log = tmp_path / "log.txt"
    log.write_text(
        "cat:  10%|#| 6/60 [00:03<00:27, 2.00it/s, lr: 1.0e-04 loss: 2.500e-01]\n", "utf-8"
    )
    (told,) = run("losses", log, "--json").json["losses"]["loss/loss"]["value"]
    assert 0.25 == told
    beside = run("compare", "path", table, "--json", "--url", url).json
    assert ["path", "losses é"] == [one["name"] for one in beside["runs"]]
    assert beside["runs"][0]["loss"] == beside["runs"][1]["loss"]


def test_a_file_without_losses(tmp_path: Path) -> None:
    """It is named; a bare name is a job's, also where a folder of that name is."""
    (tmp_path / "notes.txt").write_text("nothing", "utf-8")
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + bytes(99))
    assert "notes.txt contains no losses" in run("losses", "notes.txt", code=2, cwd=tmp_path).err
    assert (
        "Can't read the losses in broken.db" in run("losses", "broken.db", code=2, cwd=tmp_path).err
    )


def test_a_job_file_starts_the_same_job(path: dict[str, Ran], url: str, tmp_path: Path) -> None:
    """Its options attach to it from a file as well, and an option goes before the file."""
    trained = TrainingParams(
        name="path",
        dataset=path["upload"].json["name"],
        steps=STEPS,
        learning_rate=1e-3,
        rank=4,
        resolution=64,
        seed=7,
    )
    file = trained.to_file(tmp_path / "job é.yaml")
    train = ("train", "--params", file, "--url", url, "--json")

    assert path["train"].json == run(*train).json
    other = run(*train, "--steps", "61", code=1)
    assert "train.steps is 60, not 61" in other.err
