"""What an architecture trains on: pairs, videos and sounds, found and counted before training."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Code
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import InvalidDataset
from aitk_nb.training import presets
from aitk_nb.training.params import TrainingParams
from tests.datasets.pictures import add
from tests.loops import for_each

PLAIN, PAIRS, VIDEOS, SOUNDS = ("plain", "pairs", "videos", "sounds")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalDataset]:
    """A dataset of each kind."""
    root = tmp_path_factory.mktemp("sets")
    for kind in (PLAIN, PAIRS, VIDEOS, SOUNDS):
        add(root / kind, "a.txt", "b.txt")
    add(root / PLAIN, "a.png", "b.png")
    add(root / PAIRS, "a.png", "b.png")
    add(root / PAIRS / "control", "a.jpg", "b.webp")
    for name in "ab":
        (root / VIDEOS / f"{name}.mp4").write_bytes(b"\0" * 10)
        (root / SOUNDS / f"{name}.flac").write_bytes(b"\0" * 10)
    return {kind: LocalDataset(root / kind) for kind in (PLAIN, PAIRS, VIDEOS, SOUNDS)}


def test_kinds_are_counted(sets: dict[str, LocalDataset]) -> None:
    """Each with its captions; control images are no images of the dataset."""
    assert [len(sets[PLAIN].images), len(sets[VIDEOS].videos), len(sets[SOUNDS].sounds)] == [2] * 3
    assert all(len(dataset.captions) == 2 and not dataset.errors for dataset in sets.values())
    (controls,) = sets[PAIRS].controls
    assert (controls.name, len(controls.files), len(sets[PAIRS].images)) == ("control", 2, 2)
    assert [controls.of(image).name for image in sets[PAIRS].images] == ["a.jpg", "b.webp"]
    assert "2 in control" in sets[PAIRS]._repr_html_()


WANTED = {
    PAIRS: {"boogu_image_edit", "flux_kontext", "hidream_e1", "mageflow_edit", "qwen_image_edit"}
    | {"qwen_image_edit_plus", "qwen_image_edit_plus:2511", "krea2:o_edit", "krea2:o_edit_turbo"},
    SOUNDS: {"ace_step_15", "ace_step_15_xl", "yue2"},
    VIDEOS: {"wan21_i2v:14b480p", "wan21_i2v:14b", "wan22_14b_i2v"},
}
"""Architectures that cannot be trained on plain images, and what they need."""


@for_each("arch", sorted(presets.load()))
def test_needs_that_are_unmet_are_refused(arch: str, sets: dict[str, LocalDataset]) -> None:
    """With a sentence that names the architecture; what it needs is accepted."""
    needed = next((kind for kind, archs in WANTED.items() if arch in archs), PLAIN)
    if arch == "minimax_h3_ref2va":
        needed = PAIRS
    if needed is not PLAIN:
        label = presets.load()[arch].label
        with pytest.raises(InvalidDataset, match="trains on") as caught:
            sets[PLAIN].check(Requirements(arch=arch)).raise_for_errors()
        assert label in str(caught.value)
    assert sets[needed].check(Requirements(arch=arch)).errors == ()
    if presets.load()[arch].group == "llm":
        assert all(one.check(Requirements(arch=arch)).errors == () for one in sets.values())
    elif presets.load()[arch].group != "audio":
        with pytest.raises(InvalidDataset):
            sets[SOUNDS].check(Requirements(arch=arch)).raise_for_errors()


def test_what_is_passed_over_is_told(sets: dict[str, LocalDataset], tmp_path: Path) -> None:
    """A video among the images of an image model trains nothing."""
    add(tmp_path, "a.png", "a.txt", "b.txt")
    (tmp_path / "b.mp4").write_bytes(b"\0")
    dataset = LocalDataset(tmp_path)
    assert dataset.problems == ()
    (one,) = dataset.check(Requirements(arch="flux")).problems
    assert (one.code, one.file) == (Code.IGNORED_MEDIA, "b.mp4")
    assert dataset.check(Requirements(arch="wan22_5b")).problems == ()
    (one,) = sets[PLAIN].check(Requirements(arch="wan22_5b")).problems
    assert one.code is Code.NO_VIDEO


def test_pairs_that_are_not_complete(tmp_path: Path) -> None:
    """An image without its control image is an error, the other way round a warning."""
    add(tmp_path / "set", "a.png", "b.png")
    add(tmp_path / "before", "a.png", "c.png")
    (tmp_path / "before" / "b.jpg").write_bytes(b"no picture")
    dataset = LocalDataset(tmp_path / "set", controls=[tmp_path / "before"])
    told = {(problem.code, problem.file) for problem in dataset.problems}
    assert (Code.UNMATCHED_CONTROL, "before/c.png") in told
    assert (Code.UNREADABLE, "before/b.jpg") in told
    (tmp_path / "before" / "b.jpg").unlink()
    dataset = LocalDataset(tmp_path / "set", controls=[tmp_path / "before"])
    assert [(problem.code, problem.file) for problem in dataset.errors] == [
        (Code.MISSING_CONTROL, "b.png")
    ]
    with pytest.raises(InvalidDataset, match="folder of control images can't be opened"):
        LocalDataset(tmp_path / "set", controls=[tmp_path / "nowhere"]).raise_for_errors()


def test_what_the_web_ui_does_not_list(tmp_path: Path) -> None:
    """The trainer reads more kinds of files than the web UI shows."""
    for name in ("a.webm", "b.m4a", "c.mp4"):
        (tmp_path / name).write_bytes(b"\0")
    told = {problem.file for problem in LocalDataset(tmp_path).problems if problem.file}
    assert told == {"a.webm", "b.m4a"}


def test_demands_of_a_training() -> None:
    """Resolution, architecture and trigger word are the training's."""
    params = TrainingParams(
        name="x", dataset="y", arch="flux", resolution=(512,), trigger_word="sks"
    )
    requirements = Requirements.of(params, limit=5)
    assert requirements == Requirements(resolution=(512,), arch="flux", trigger_word="sks", limit=5)
