"""`LocalDataset.scan` finds what a folder has, and everything that is wrong with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aitk_nb.errors import InvalidDataset
from aitk_nb.local_dataset import LocalDataset


def picture(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    """Write a picture in the format of its suffix."""
    Image.linear_gradient("L").resize(size).convert("RGB").save(path)
    return path


def add(folder: Path, *names: str, text: str = "a cat") -> None:
    """Write pictures and captions by their names."""
    for name in names:
        if name.lower().endswith(".txt"):
            (folder / name).write_text(text, encoding="utf-8")
        else:
            picture(folder / name)


def found(folder: Path) -> list[tuple[str, str]]:
    """Return severity and file of all problems."""
    return [(problem.severity, problem.file) for problem in LocalDataset.scan(folder).problems]


def renamed(name: str) -> str:
    """Return a name as the web UI would store it."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", name)


def test_a_sound_folder(tmp_path: Path) -> None:
    """Images come in natural order with their captions, and nothing is wrong."""
    names = ["a10.png", "a2.jpg", "a1.jpeg", "B.WEBP"]
    add(tmp_path, *names, *(f"{Path(name).stem}.txt" for name in names))
    (tmp_path / "notes.md").write_text("not part of it")
    dataset = LocalDataset.scan(tmp_path)
    assert [path.name for path in dataset.images] == ["a1.jpeg", "a2.jpg", "a10.png", "B.WEBP"]
    assert dataset.captions == dict.fromkeys(names, "a cat")
    assert dataset.problems == ()
    assert dataset.check() is dataset
    assert len(dataset.files) == 8
    assert dataset.total_bytes == sum(path.stat().st_size for path in dataset.files)
    assert repr(dataset).endswith("4 images, 4 captions, 0 errors, 0 warnings>")


def test_captions_are_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    """A byte order mark and white space are no part of the caption; Latin-1 is an error."""
    add(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "a.txt").write_bytes("\ufeffein Kätzchen\r\n".encode())
    (tmp_path / "b.txt").write_bytes("ein Kätzchen".encode("latin-1"))
    (tmp_path / "c.txt").write_bytes(b"x" * 1_000_001)
    dataset = LocalDataset.scan(tmp_path)
    assert dataset.captions == {"a.png": "ein Kätzchen"}
    assert found(tmp_path) == [("error", "b.txt"), ("error", "c.txt")]
    with pytest.raises(InvalidDataset, match=r"'b\.txt' is not written in UTF-8"):
        dataset.check()


def test_images_that_cannot_be_decoded(tmp_path: Path) -> None:
    """Empty, foreign and truncated files are errors, each with its name."""
    for name in ("cut.jpg", "cut.png", "cut.webp"):
        path = picture(tmp_path / name, (300, 200))
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    (tmp_path / "empty.png").touch()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    add(tmp_path, "good.png", "good.txt")
    errors = {problem.file: problem.text for problem in LocalDataset.scan(tmp_path).errors}
    assert set(errors) == {
        *("cut.jpg", "cut.png", "cut.webp", "empty.png", "empty.mp4", "page.jpg"),
    }
    assert "0 bytes" in errors["empty.png"]
    assert "not an image" in errors["page.jpg"]
    assert "cut short" in errors["cut.jpg"]


def test_a_picture_bomb_is_not_decoded(tmp_path: Path) -> None:
    """A small file of very many pixels is refused before it takes memory."""
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert [p.text for p in LocalDataset.scan(tmp_path).errors] == [
        "has too many pixels: make it smaller"
    ]


def test_captions_and_images_that_miss_each_other(tmp_path: Path) -> None:
    """Missing, empty, lonely and wrongly named captions are warnings, and do not stop training."""
    add(tmp_path, "a.png", "a.txt", "b.png", "c.png", "d.png", "d.TXT", "lonely.txt")
    (tmp_path / "c.txt").write_text(" \n")
    dataset = LocalDataset.scan(tmp_path)
    assert {(p.severity, p.file, p.text.split(":")[0]) for p in dataset.problems} == {
        ("warning", "b.png", "has no caption (b.txt)"),
        ("warning", "c.png", "has an empty caption"),
        ("warning", "d.png", "has no caption (d.txt)"),
        ("warning", "d.TXT", "is left out"),
        ("warning", "lonely.txt", "is left out"),
    }
    assert dataset.check() is dataset
    assert tmp_path / "lonely.txt" not in dataset.files


def test_no_captions_at_all_is_said_once(tmp_path: Path) -> None:
    """One warning for the folder, not one for each image."""
    add(tmp_path, "a.png", "b.png")
    assert found(tmp_path) == [("warning", "")]


def test_what_the_server_would_not_see(tmp_path: Path) -> None:
    """Hidden pictures, folders, other formats and dead links are left out with a warning."""
    add(tmp_path, "a.png", "a.txt", ".hidden.png")
    (tmp_path / "more").mkdir()
    add(tmp_path / "more", "deep.png")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "old.bmp").write_bytes(b"BM")
    (tmp_path / "dead.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    dataset = LocalDataset.scan(tmp_path)
    assert [path.name for path in dataset.images] == ["a.png"]
    assert {(p.severity, p.file) for p in dataset.problems} == {
        ("warning", name) for name in (".hidden.png", "more", "old.bmp", "dead.png", "loop.png")
    }


def test_names_that_become_one_on_the_server(tmp_path: Path) -> None:
    """Two stems that the server stores as one are an error, one shared stem is a warning."""
    add(tmp_path, "my cat.png", "my_cat.jpg", "dog.png", "dog.jpg", "my cat.txt", "dog.txt")
    dataset = LocalDataset.scan(tmp_path, rename=renamed)
    assert [problem.file for problem in dataset.errors] == ["my_cat"]
    assert "'my cat'" in dataset.problems[0].text
    assert ("warning", "dog") in [(p.severity, p.file) for p in dataset.problems]
    assert LocalDataset.scan(tmp_path).errors == ()


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an error that can be shown."""
    add(tmp_path, "a.png", "a.txt")
    os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/\xff.png")  # noqa: PTH104
    dataset = LocalDataset.scan(tmp_path)
    assert [problem.file for problem in dataset.errors] == ["?.png"]
    (repr(dataset) + dataset._repr_html_()).encode()


def test_media_count_without_images(tmp_path: Path) -> None:
    """A folder of videos is a dataset too."""
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 10)
    add(tmp_path, "clip.txt")
    dataset = LocalDataset.scan(tmp_path).check()
    assert (len(dataset.media), dataset.captions) == (1, {"clip.mp4": "a cat"})


def test_folders_that_are_none(tmp_path: Path) -> None:
    """A missing folder, a file, a loop and an impossible name are one sentence each."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("missing", "file", "loop", "nul\0", "x" * 300):
        with pytest.raises(InvalidDataset, match=r"cannot be used as a dataset\. .+\.$"):
            LocalDataset.scan(tmp_path / name)


def test_folders_without_images(tmp_path: Path) -> None:
    """An empty folder, and one with texts only, can be scanned but not used."""
    with pytest.raises(InvalidDataset, match="The folder is empty"):
        LocalDataset.scan(tmp_path).check()
    add(tmp_path, "a.txt")
    with pytest.raises(InvalidDataset, match="has no images"):
        LocalDataset.scan(tmp_path).check()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root"
)
def test_what_may_not_be_read(tmp_path: Path) -> None:
    """A closed folder is one sentence, a closed file an error of its name."""
    add(tmp_path, "a.png", "a.txt", "b.png", "b.txt")
    (tmp_path / "a.png").chmod(0)
    (tmp_path / "b.txt").chmod(0)
    assert found(tmp_path) == [("error", "a.png"), ("error", "b.txt")]
    for mode in (0o000, 0o400):
        tmp_path.chmod(mode)
        try:
            with pytest.raises(InvalidDataset, match=r"may not|cannot be read"):
                LocalDataset.scan(tmp_path)
        finally:
            tmp_path.chmod(0o700)


def test_it_shows_itself_escaped(tmp_path: Path) -> None:
    """Counts and problems are a table; names cannot put tags into the page."""
    add(tmp_path, "<img src=x>.png")
    shown = LocalDataset.scan(tmp_path)._repr_html_()
    assert "<img" not in shown
    assert "warning" in shown
    add(tmp_path, "<img src=x>.txt")
    assert "none" in LocalDataset.scan(tmp_path)._repr_html_()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["a.png", "a.jpg", "a.webp"]), st.data())
def test_damaged_images_never_crash_a_scan(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """Changed bytes give a dataset, with or without an error."""
    folder = tmp_path_factory.mktemp("damaged")
    raw = bytearray(picture(folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(raw)
    dataset = LocalDataset.scan(folder)
    assert len(dataset.images) == 1
    assert {problem.file for problem in dataset.errors} <= {name}
