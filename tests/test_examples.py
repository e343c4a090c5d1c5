"""`photos` makes the example dataset once, whole, and never touches what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.examples import example_photos


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files of `folder`."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_is_a_sound_dataset(tmp_path: Path) -> None:
    """A dozen different pictures, each with a caption that begins with the trigger."""
    dataset = LocalDataset(example_photos(tmp_path / "photos"))
    assert (len(dataset.images), len(dataset.captions), dataset.problems) == (12, 12, ())
    assert len(set(dataset.captions.values())) == 12
    assert all(text.startswith("[trigger], ") for text in dataset.captions.values())
    assert len({path.read_bytes() for path in dataset.images}) == 12
    for path in dataset.images:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert min(image.size) >= 190


def test_making_it_again_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two folders are alike; a second call leaves files and their times alone."""
    first, second = example_photos(tmp_path / "a"), example_photos(tmp_path / "b")
    assert contents(first) == contents(second)
    times = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert example_photos(first) == first
    assert times == {path: path.stat().st_mtime_ns for path in first.iterdir()}


def test_what_is_missing_is_made_and_what_was_edited_stays(tmp_path: Path) -> None:
    """A half-made folder is completed, an edited caption and other files are kept."""
    folder = example_photos(tmp_path / "photos")
    whole = contents(folder)
    (folder / "grace_01.jpg").unlink()
    (folder / "grace_02.jpg").write_bytes(b"")
    (folder / "grace_03.txt").write_text("my own words")
    (folder / "mine.txt").write_text("mine")
    example_photos(folder)
    assert contents(folder) == {**whole, "grace_03.txt": b"my own words", "mine.txt": b"mine"}


def test_two_processes_may_make_it_at_once(tmp_path: Path) -> None:
    """Both succeed, and the folder is as one alone would have made it."""
    target = tmp_path / "photos"
    code = f"from aitk_nb import examples; examples.example_photos({str(target)!r})"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert contents(target) == contents(example_photos(tmp_path / "alone"))
