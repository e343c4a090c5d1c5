"""`LocalDataset.check` finds what a folder has, and everything that is wrong with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import Code
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput, InvalidDataset
from aitk_nb.models.server import Flavour
from tests.datasets.pictures import add, image, picture


def found(folder: Path) -> list[tuple[str, str]]:
    """Return severity and file of all problems."""
    return [(problem.status.value, problem.file) for problem in LocalDataset(folder).problems]


def renamed(name: str) -> str:
    """Return a name as the web UI would store it."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", name)


def test_a_sound_folder(tmp_path: Path) -> None:
    """Images come in natural order with their captions, and nothing is wrong."""
    names = ["a10.png", "a2.jpg", "a1.jpeg", "B.WEBP"]
    add(tmp_path, *names, *(f"{Path(name).stem}.txt" for name in names))
    (tmp_path / "notes.md").write_text("not part of it")
    dataset = LocalDataset(tmp_path)
    assert [path.name for path in dataset.images] == ["a1.jpeg", "a2.jpg", "a10.png", "B.WEBP"]
    assert dataset.captions == dict.fromkeys(names, "a cat")
    assert dataset.problems == ()
    assert dataset.raise_for_errors() is dataset
    assert len(dataset.files) == 8
    assert dataset.total_bytes == sum(path.stat().st_size for path in dataset.files)
    assert repr(dataset).endswith("4 images, 4 captions, 0 errors, 0 warnings>")


def test_captions_are_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    """A byte order mark and white space are no part of the caption; Latin-1 is an error."""
    add(tmp_path, "a.png", "b.png", "c.png")
    (tmp_path / "a.txt").write_bytes("\ufeffein Kätzchen\r\n".encode())
    (tmp_path / "b.txt").write_bytes("ein Kätzchen".encode("latin-1"))
    (tmp_path / "c.txt").write_bytes(b"x" * 1_000_001)
    dataset = LocalDataset(tmp_path)
    assert dataset.captions == {"a.png": "ein Kätzchen"}
    assert found(tmp_path) == [("problem", "b.txt"), ("problem", "c.txt")]
    with pytest.raises(InvalidDataset, match=r"'b\.txt' is not encoded in UTF-8"):
        dataset.raise_for_errors()


def test_images_that_cannot_be_decoded(tmp_path: Path) -> None:
    """Empty, foreign and truncated files are errors, each with its name."""
    for name in ("cut.jpg", "cut.png", "cut.webp"):
        path = picture(tmp_path / name, (300, 200))
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    (tmp_path / "empty.png").touch()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.jpg").write_text("<html>not found</html>")
    add(tmp_path, "good.png", "good.txt")
    errors = {problem.file: problem.message for problem in LocalDataset(tmp_path).errors}
    assert set(errors) == {
        *("cut.jpg", "cut.png", "cut.webp", "empty.png", "empty.mp4", "page.jpg"),
    }
    assert "0 bytes" in errors["empty.png"]
    assert "not an image" in errors["page.jpg"]
    assert "truncated" in errors["cut.jpg"]


def test_a_picture_bomb_is_not_decoded(tmp_path: Path) -> None:
    """A small file of very many pixels is refused before it takes memory."""
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "hundred.png")
    problems = {p.file: p for p in LocalDataset(tmp_path).errors}
    assert {p.code for p in problems.values()} == {Code.TOO_MANY_PIXELS}
    assert str(problems["hundred.png"]) == (
        "'hundred.png' has 100 megapixels, and the limit is 64: make it smaller"
    )
    assert "bomb.png" in problems


def test_captions_and_images_that_miss_each_other(tmp_path: Path) -> None:
    """Missing, empty, lonely and wrongly named captions are warnings, and do not stop training."""
    add(tmp_path, "a.png", "a.txt", "b.png", "c.png", "d.png", "d.TXT", "lonely.txt")
    (tmp_path / "c.txt").write_text(" \n")
    dataset = LocalDataset(tmp_path)
    assert {(p.code, p.file, p.status.value) for p in dataset.problems} == {
        (Code.NO_CAPTION, "b.png", "warning"),
        (Code.EMPTY_CAPTION, "c.png", "warning"),
        (Code.NO_CAPTION, "d.png", "warning"),
        (Code.CAPTION_SUFFIX, "d.TXT", "warning"),
        (Code.ORPHAN_CAPTION, "lonely.txt", "warning"),
    }
    assert dataset.raise_for_errors() is dataset
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
    dataset = LocalDataset(tmp_path)
    assert [path.name for path in dataset.images] == ["a.png"]
    assert {(p.status.value, p.file) for p in dataset.problems} == {
        ("warning", name) for name in (".hidden.png", "more", "old.bmp", "dead.png", "loop.png")
    }


def test_names_that_become_one_on_the_server(tmp_path: Path) -> None:
    """Two stems that the server stores as one are an error, one shared stem is a warning."""
    add(tmp_path, "my cat.png", "my_cat.jpg", "dog.png", "dog.jpg", "my cat.txt", "dog.txt")
    dataset = LocalDataset(tmp_path).check(Requirements(rename=renamed))
    assert [problem.file for problem in dataset.errors] == ["my_cat"]
    assert "'my cat'" in dataset.problems[0].message
    assert ("warning", "dog") in [(p.status.value, p.file) for p in dataset.problems]
    # The web UI's renaming is taken where no server was asked.
    assert [problem.file for problem in LocalDataset(tmp_path).errors] == ["my_cat"]
    assert LocalDataset(tmp_path).check(Requirements(rename=str)).errors == ()


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an error that can be shown."""
    add(tmp_path, "a.png", "a.txt")
    os.rename(os.fsencode(tmp_path / "a.png"), os.fsencode(tmp_path) + b"/\xff.png")  # noqa: PTH104
    dataset = LocalDataset(tmp_path)
    assert [problem.file for problem in dataset.errors] == ["?.png"]
    (repr(dataset) + dataset._repr_html_()).encode()


def test_media_count_without_images(tmp_path: Path) -> None:
    """A folder of videos is a dataset too."""
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 10)
    add(tmp_path, "clip.txt")
    dataset = LocalDataset(tmp_path).raise_for_errors()
    assert (len(dataset.media), dataset.captions) == (1, {"clip.mp4": "a cat"})


def test_folders_that_are_none(tmp_path: Path) -> None:
    """A missing folder, a file, a loop and an impossible name are one sentence each."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("missing", "file", "loop", "nul\0", "x" * 300):
        with pytest.raises(InvalidDataset, match=r"is not a valid dataset\. .+\.$"):
            LocalDataset(tmp_path / name).raise_for_errors()


def test_folders_without_images(tmp_path: Path) -> None:
    """An empty folder, and one with texts only, can be scanned but not used."""
    with pytest.raises(InvalidDataset, match="The folder is empty"):
        LocalDataset(tmp_path).raise_for_errors()
    add(tmp_path, "a.txt")
    with pytest.raises(InvalidDataset, match="no images"):
        LocalDataset(tmp_path).raise_for_errors()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root"
)
def test_what_may_not_be_read(tmp_path: Path) -> None:
    """A closed folder is one sentence, a closed file an error of its name."""
    add(tmp_path, "a.png", "a.txt", "b.png", "b.txt")
    (tmp_path / "a.png").chmod(0)
    (tmp_path / "b.txt").chmod(0)
    assert found(tmp_path) == [("problem", "a.png"), ("problem", "b.txt")]
    for mode in (0o000, 0o400):
        tmp_path.chmod(mode)
        try:
            with pytest.raises(InvalidDataset, match=r"denied|can't be read"):
                LocalDataset(tmp_path).raise_for_errors()
        finally:
            tmp_path.chmod(0o700)


def test_it_shows_itself_escaped(tmp_path: Path) -> None:
    """Counts and problems are a table; names cannot put tags into the page."""
    add(tmp_path, "<img src=x>.png")
    shown = LocalDataset(tmp_path).check()._repr_html_()
    assert "<img" not in shown
    assert "warning" in shown
    add(tmp_path, "<img src=x>.txt")
    assert "none" in LocalDataset(tmp_path).check()._repr_html_()


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
    dataset = LocalDataset(folder)
    assert len(dataset.images) == 1
    assert {problem.file for problem in dataset.errors} <= {name}


# -- what the pictures are -------------------------------------------------------------------------


def codes(dataset: LocalDataset) -> dict[str, set[Code]]:
    """Return the codes of all problems by file."""
    found: dict[str, set[Code]] = {}
    for problem in dataset.problems:
        found.setdefault(problem.file, set()).add(problem.code)
    return found


def test_rotation_alpha_and_mode_are_seen(tmp_path: Path) -> None:
    """Sizes are those of the upright picture, as the trainer sees it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image("turned", (200, 100)).save(tmp_path / "turned.jpg", exif=exif)
    image("cmyk").convert("CMYK").save(tmp_path / "cmyk.jpg")
    opaque = image("opaque").convert("RGBA")
    opaque.save(tmp_path / "opaque.png")
    opaque.putalpha(image("mask").convert("L"))
    opaque.save(tmp_path / "through.webp", lossless=True)
    image("palette").quantize(16).save(tmp_path / "palette.png", transparency=3)
    levels = np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10
    Image.fromarray(levels).save(tmp_path / "deep.png")
    dataset = LocalDataset(tmp_path)
    looks = {path.name: look for path, look in dataset.image_info.items()}
    assert (looks["turned.jpg"].width, looks["turned.jpg"].height) == (100, 200)
    assert [name for name, look in looks.items() if look.is_turned] == ["turned.jpg"]
    assert looks["cmyk.jpg"].mode == "CMYK"
    found = codes(dataset)
    assert Code.TRANSPARENT in found["through.webp"] & found["palette.png"]
    assert Code.DEEP in found["deep.png"]
    assert "opaque.png" not in found


def test_heavy_pictures_are_measured_only(tmp_path: Path) -> None:
    """Kinds that take much memory are not decoded when large; a missing end is still found."""
    flat = Image.new("RGB", (5100, 5000), "gray")
    flat.save(tmp_path / "a.webp", quality=10)
    flat.save(tmp_path / "b.jpg", progressive=True, quality=10)
    flat.save(tmp_path / "c.png")
    for name in ("a.webp", "b.jpg", "c.png"):
        raw = (tmp_path / name).read_bytes()
        (tmp_path / f"cut_{name}").write_bytes(raw[: len(raw) * 3 // 4])
    dataset = LocalDataset(tmp_path)
    assert {p.file for p in dataset.errors} == {"cut_a.webp", "cut_b.jpg", "cut_c.png"}
    whole = [look for look in dataset.image_info.values() if look.is_readable]
    assert [(look.width, look.height, look.hash) for look in whole] == [(5100, 5000, None)] * 3


def test_a_format_under_another_name(tmp_path: Path) -> None:
    """Content counts, and what the trainer does not read is left out."""
    add(tmp_path, "a.png", "b.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    image("gif").save(tmp_path / "c.gif")
    (tmp_path / "d.heic").write_bytes(b"....ftypheic")
    found = codes(LocalDataset(tmp_path))
    assert found["a.jpg"] == {Code.WRONG_SUFFIX}
    assert found["c.gif"] == found["d.heic"] == {Code.FOREIGN_FORMAT}


def test_duplicates_by_bytes_and_by_sight(tmp_path: Path) -> None:
    """A copy is told from a picture that was scaled and compressed again; others are neither."""
    for number in range(30):
        picture(tmp_path / f"{number}.png", (160, 120))
    (tmp_path / "copy.png").write_bytes((tmp_path / "7.png").read_bytes())
    with Image.open(tmp_path / "9.png") as original:
        original.resize((123, 92)).save(tmp_path / "again.jpg", quality=60)
    for name in ("plain1", "plain2"):
        Image.new("RGB", (80, 80), (0, len(name), int(name[-1]))).save(tmp_path / f"{name}.png")
    problems = LocalDataset(tmp_path).problems
    twice = {(p.code, frozenset({p.file, p.other})) for p in problems if p.other}
    assert twice == {
        (Code.DUPLICATE, frozenset({"copy.png", "7.png"})),
        (Code.NEAR_DUPLICATE, frozenset({"again.jpg", "9.png"})),
    }


def test_sizes_for_the_chosen_resolutions(tmp_path: Path) -> None:
    """Fewer pixels than the lowest resolution, and long shapes, are told; tiny ones too."""
    for name, size in {
        "right": (600, 500),
        "small": (300, 300),
        "long": (1200, 250),
        "tiny": (600, 20),
    }.items():
        picture(tmp_path / f"{name}.png", size)
    dataset = LocalDataset(tmp_path)
    assert Code.TOO_SMALL not in {problem.code for problem in dataset.problems}
    (tiny,) = [
        problem
        for problem in dataset.check(Requirements(arch="qwen_image")).problems
        if problem.code is Code.TINY
    ]
    assert "has 600 × 20 pixels, which the trainer enlarges to 32 on each side" in str(tiny)
    assert dataset.errors == ()
    found = codes(dataset.check(Requirements(resolution=(512,), arch="qwen_image")))
    assert Code.TOO_SMALL in found["small.png"]
    assert found["long.png"] == {Code.EXTREME_ASPECT}
    assert found["tiny.png"] == {Code.TINY, Code.EXTREME_ASPECT}
    assert "right.png" not in found


# -- captions ------------------------------------------------------------


def test_the_trigger_word(tmp_path: Path) -> None:
    """Told where it is missing although set, and where [trigger] is used although none is."""
    add(tmp_path, "a.png", "b.png", "c.png", "a.txt", text="a [trigger] cat")
    add(tmp_path, "b.txt", text="a sks cat")
    add(tmp_path, "c.txt", text="a cat")
    dataset = LocalDataset(tmp_path)
    assert dataset.problems == ()
    assert codes(dataset.check(Requirements(trigger_word="sks"))) == {"c.png": {Code.NO_TRIGGER}}
    assert codes(dataset.check(Requirements(trigger_word=""))) == {"a.png": {Code.TRIGGER_UNSET}}
    (one,) = dataset.check(Requirements(trigger_word="")).problems
    assert str(one) == (
        "'a.png' has a caption that uses [trigger], but no trigger word is set: "
        "set a trigger word, or remove [trigger]"
    )
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("a dog")
    (one,) = LocalDataset(tmp_path).check(Requirements(trigger_word="sks")).problems
    assert (one.file, one.message) == ("", "Every caption lacks the trigger word 'sks'")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("metadata.jsonl", '{"file_name": "a.png", "text": "a cat"}\nnonsense\n[1]\n'),
        ("metadata.csv", "file_name,text\na.png,a cat\n"),
        ("captions.csv", "Image,Caption\nimages/a.png,a cat\n,lost\n"),
    ],
)
def test_tables_of_captions_are_recognized(tmp_path: Path, name: str, text: str) -> None:
    """The server does not read them, so they are told; images with a text file keep it."""
    add(tmp_path, "a.png", "b.png", "b.txt")
    (tmp_path / name).write_text(text)
    dataset = LocalDataset(tmp_path)
    found = dataset.contents.elsewhere
    assert {path.name: text for path, (text, _) in found.items()} == {"a.png": "a cat"}
    lost = {"metadata.jsonl": ["line 2", "line 3"], "captions.csv": ["row 3"], "metadata.csv": []}
    assert codes(dataset)["a.png"] == {Code.NO_CAPTION}
    told = [one.message for one in dataset.problems if one.code is Code.CAPTION_LOST]
    assert [text.split(" ", 1)[1][:6].strip() for text in told] == lost[name]
    assert Code.CAPTION_TABLE in codes(dataset)[name]


def test_names_that_part_are_told(tmp_path: Path) -> None:
    """People take them for one name; the server does not."""
    add(tmp_path, "a.png", "a.txt", "Cat.png", "cat.txt")
    picture(tmp_path / "caf\u00e9.png")
    add(tmp_path, "cafe\u0301.txt")
    long = "x" * 197
    add(tmp_path, f"{long}.jpeg", f"{long}.txt")
    dataset = LocalDataset(tmp_path)
    parted = {
        problem.file for problem in dataset.errors if problem.code is Code.CAPTION_NAME_MISMATCH
    }
    assert len(parted) == 2
    gradio = dataset.check(Requirements(flavour=Flavour.GRADIO))
    assert codes(gradio)[f"{long}.jpeg"] == {Code.BAD_NAME}  # it cuts names at 200 bytes
    odd = dataset.check(Requirements(rename=lambda name: name.replace("a.t", "b.t")))
    assert codes(odd)["a.png"] == {Code.CAPTION_NAME_MISMATCH}


# -- limits ------------------------------------------------------------


def test_the_limits_of_a_server(tmp_path: Path) -> None:
    """The Gradio app takes 150 entries; a proxy takes so many bytes."""
    for number in range(76):
        add(tmp_path, f"{number}.png", f"{number}.txt")
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 10)
    dataset = LocalDataset(tmp_path)
    assert dataset.check(Requirements(flavour=Flavour.WEBUI)).errors == ()
    with pytest.raises(InvalidDataset, match=r"There are 152 images and captions.* accepts 150"):
        dataset.check(Requirements(flavour=Flavour.GRADIO)).raise_for_errors()
    large = max(dataset.images, key=lambda path: path.stat().st_size)
    limit = large.stat().st_size - 1
    with pytest.raises(InvalidDataset, match=r"limit is .* kB: make it smaller"):
        dataset.check(Requirements(limit=limit)).raise_for_errors()
    assert dataset.check(Requirements(limit=limit + 1)).errors == ()
    with pytest.raises(BadInput, match="Unknown architecture"):
        dataset.check(Requirements(arch="sd99")).raise_for_errors()


def test_special_files_and_links_are_left_out(tmp_path: Path) -> None:
    """A pipe is not waited for, and a link out of the folder is not followed unasked."""
    folder = tmp_path / "set"
    add(folder, "a.png", "a.txt")
    add(tmp_path, "secret.png")
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "in.png").symlink_to(folder / "a.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        assert codes(LocalDataset(folder))["pipe.png"] == {Code.NO_FILE}
    dataset = LocalDataset(folder)
    assert codes(dataset)["out.png"] == {Code.LINK_OUT}
    assert {path.name for path in dataset.images} == {"a.png", "in.png"}
    (folder / "a.png").unlink()
    (folder / "in.png").unlink()
    with pytest.raises(InvalidDataset, match=r"only 1 link out of the folder: .*--follow-links"):
        LocalDataset(folder).raise_for_errors()
    followed = LocalDataset(folder, follow_links=True)
    assert "out.png" in {path.name for path in followed.images}


def test_every_code_has_a_sentence() -> None:
    """Codes are unique words for programs, and say what to do."""
    slugs = [code.slug for code in Code]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in slugs)
    assert all(code.remedy and not code.remedy.endswith(".") for code in Code)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=400), st.sampled_from(["txt", "png", "jpg", "webp", "csv", "jsonl"]))
def test_no_bytes_make_a_scan_raise(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, suffix: str
) -> None:
    """Whatever is in an image, a caption or a table."""
    folder = tmp_path_factory.mktemp("any")
    picture(folder / "a.png")
    name = {"csv": "captions.csv", "jsonl": "metadata.jsonl", "txt": "a.txt"}.get(
        suffix, f"b.{suffix}"
    )
    (folder / name).write_bytes(raw)
    dataset = LocalDataset(folder)
    (repr(dataset) + dataset._repr_html_()).encode()
    assert "a.png" in {path.name for path in dataset.images}


def test_the_usable_part_leaves_out_what_errors_are_about(tmp_path: Path) -> None:
    """With captions and control images; the rest is read again without decoding anything."""
    folder = tmp_path / "pairs"
    add(folder, "a.png", "a.txt", "b.png", "b.txt", "c.png")
    add(folder / "control", "a.png", "b.png", "c.png")
    (folder / "control" / "b.png").write_bytes(b"no picture")
    dataset = LocalDataset(folder).check(Requirements(arch="flux_kontext"))
    assert dataset.errors
    part = dataset.usable()
    assert ("b.png",) == part.left_out
    assert ["a.png", "c.png", "a.txt"] == [path.name for path in part.files]
    assert ["a.png", "c.png"] == [path.name for path in part.controls[0].files]
    assert "1 left out" in repr(part)
    assert all(part.image_info[path] is dataset.image_info[path] for path in part.images)
    add(folder, "d.png")
    assert ["a.png", "c.png", "d.png"] == [path.name for path in part.rescan().images]
    assert part.raise_for_errors() is part


def test_a_part_is_usable_only_if_something_is_left(tmp_path: Path) -> None:
    """Errors of the whole dataset, and of every image, are raised as they are."""
    add(tmp_path, "a.png", "b.png")
    dataset = LocalDataset(tmp_path)
    assert dataset.usable() is dataset
    (tmp_path / "a.png").write_bytes(b"no picture")
    needy = dataset.check(Requirements(arch="flux_kontext")).rescan()
    with pytest.raises(InvalidDataset, match="trains on pairs"):
        needy.usable()
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(InvalidDataset, match=r"a\.png.*b\.png"):
        dataset.rescan().usable()


def test_what_could_not_be_fetched_is_left_out(tmp_path: Path) -> None:
    """It is not among the files; the others are usable, and it is still named."""
    add(tmp_path, "a.png")
    dataset = LocalDataset([tmp_path / "a.png", tmp_path / "gone.png"])
    part = dataset.usable()
    assert ["a.png"] == [path.name for path in part.images]
    assert ["'gone.png' is left out: it does not exist"] == [
        problem.message for problem in part.problems if problem.code is Code.LEFT_OUT
    ]
