"""`LocalDataset.fix` writes a copy that passes the check, and never touches the originals."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.fix import MARK
from aitk_nb.datasets.local.problems import Code
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.errors import BadInput
from aitk_nb.models.server import Flavour
from tests.datasets.pictures import add, image, picture


def digests(folder: Path) -> dict[str, str]:
    """Return the content of every file of a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A folder with nearly everything that can be wrong."""
    folder = tmp_path / "messy"
    add(folder, "plain.png", "plain.txt", "my cat.png", "my cat.txt", "my_cat.jpg", "my_cat.txt")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A Camera"
    image("turned", (200, 100)).save(folder / "turned.jpg", exif=exif)
    through = image("through").convert("RGBA")
    through.putalpha(0)
    through.save(folder / "through.png")
    levels = np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10
    Image.fromarray(levels).save(folder / "deep.png")
    image("cmyk").convert("CMYK").save(folder / "cmyk.jpg")
    image("old").save(folder / "old.bmp")
    (folder / "copy.png").write_bytes((folder / "plain.png").read_bytes())
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "turned.txt").write_bytes("ein Kätzchen".encode("latin-1"))
    picture(folder / "Case.png")
    (folder / "case.txt").write_text("another case")
    (folder / "metadata.jsonl").write_text('{"file_name": "deep.png", "text": "from the table"}')
    return folder


def test_the_copy_passes_and_the_originals_stay(messy: Path, tmp_path: Path) -> None:
    """Everything that can be corrected is, and what was done is told file by file."""
    before = digests(messy)
    dataset = LocalDataset(messy).check(Requirements(trigger_word="sks"))
    assert dataset.errors
    report = dataset.fix(tmp_path / "fixed", caption="a picture")

    assert digests(messy) == before
    assert report.dataset.problems == ()
    assert report.dataset.raise_for_errors() is report.dataset
    assert sorted(report.left_out) == ["broken.png", "copy.png"]
    captions = report.dataset.captions
    assert captions["turned.jpg"] == "sks, ein Kätzchen"
    assert captions["deep.png"] == "sks, from the table"
    assert captions["old.png"] == "sks, a picture"
    assert captions["Case.png"] == "sks, another case"
    assert {"my_cat.png", "my_cat_2.jpg"} <= set(captions)
    said = {(change.file, change.text) for change in report.changes}
    assert ("turned.jpg", "turned upright") in said
    assert ("through.png", "put on a background") in said
    assert ("deep.png", "brought to 8 bits") in said
    assert ("turned.txt", "caption converted to UTF-8, given the trigger word") in said
    assert "2 left out" in repr(report)
    assert "turned upright" in report._repr_html_()


def test_what_pictures_become(messy: Path, tmp_path: Path) -> None:
    """Upright, opaque, of 8 bits, without notes of camera or place; sound ones byte for byte."""
    LocalDataset(messy).fix(tmp_path / "fixed", background="#ff0000")
    fixed = tmp_path / "fixed"
    with Image.open(fixed / "turned.jpg") as turned:
        assert turned.size == (100, 200)
        assert dict(turned.getexif()) == {}
        expected = image("turned", (200, 100)).transpose(Image.Transpose.ROTATE_270)
        difference = np.abs(np.asarray(turned, int) - np.asarray(expected, int))
        assert difference.mean() < 5
    with Image.open(fixed / "through.png") as through:
        assert through.mode == "RGB"
        assert through.getpixel((3, 3)) == (255, 0, 0)
    with Image.open(fixed / "deep.png") as deep:
        assert deep.mode == "L"
        levels = np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10
        assert np.array_equal(np.asarray(deep), levels // 256)
    with Image.open(fixed / "cmyk.jpg") as cmyk:
        assert cmyk.mode == "RGB"
    assert (fixed / "plain.png").read_bytes() == (messy / "plain.png").read_bytes()


def test_a_second_time_nothing_is_done(messy: Path, tmp_path: Path) -> None:
    """Not a byte is written anew, until an original or an option changes."""
    into = tmp_path / "fixed"
    first = LocalDataset(messy).fix(into)
    stamps = {path: path.stat().st_mtime_ns for path in into.iterdir()}
    again = LocalDataset(messy).fix(into)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.changes == first.changes
    assert stamps == {path: path.stat().st_mtime_ns for path in into.iterdir()}
    picture(messy / "new.png")
    third = LocalDataset(messy).fix(into)
    assert third.is_new
    assert "new.png" in {path.name for path in third.dataset.images}
    # Of a corrected copy the copy is the same.
    twice = third.dataset.fix(tmp_path / "twice")
    assert twice.changes == ()
    kept = {name: digest for name, digest in digests(into).items() if name != MARK}
    assert kept == {n: d for n, d in digests(tmp_path / "twice").items() if n != MARK}


def test_other_peoples_files_are_not_overwritten(messy: Path, tmp_path: Path) -> None:
    """A folder with files, or a copy that was edited since, is refused; so is the dataset."""
    dataset = LocalDataset(messy)
    other = tmp_path / "other"
    add(other, "mine.png")
    with pytest.raises(BadInput, match="holds files that fix"):
        dataset.fix(other)
    into = tmp_path / "fixed"
    dataset.fix(into)
    (into / "plain.txt").write_text("edited by hand")
    picture(messy / "new.png")
    with pytest.raises(BadInput, match="changed since"):
        LocalDataset(messy).fix(into)
    assert (into / "plain.txt").read_text() == "edited by hand"
    for inside in (messy, messy / "deeper", tmp_path):
        with pytest.raises(BadInput, match="overlap"):
            dataset.fix(inside)
    with pytest.raises(BadInput, match="Unknown color"):
        dataset.fix(tmp_path / "x", background="no such color")
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="is a file"):
        dataset.fix(tmp_path / "file")


def test_an_interrupt_leaves_nothing(messy: Path, tmp_path: Path) -> None:
    """Neither half a copy nor a temporary folder, and an older copy stays."""
    into = tmp_path / "out" / "fixed"

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalDataset(messy).fix(into, progress=interrupt)
    assert list((tmp_path / "out").iterdir()) == []
    LocalDataset(messy).fix(into)
    before = digests(into)
    picture(messy / "new.png")
    with pytest.raises(KeyboardInterrupt):
        LocalDataset(messy).fix(into, progress=interrupt)
    assert digests(into) == before
    assert list((tmp_path / "out").iterdir()) == [into]


def test_near_duplicates_on_demand(tmp_path: Path) -> None:
    """The larger one stays."""
    folder = tmp_path / "set"
    add(folder, "b.png")
    image("b.png", (160, 120)).save(folder / "a.png")
    image("b.png", (320, 240)).save(folder / "c.jpg", quality=70)
    dataset = LocalDataset(folder)
    assert len(dataset.fix(tmp_path / "kept").dataset.images) == 3
    dropped = dataset.fix(tmp_path / "dropped", near_duplicates="drop").dataset
    assert [path.name for path in dropped.images] == ["c.jpg"]


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ("cat", "cat copy"),
        ("cat", "cat copy 2"),
        ("cat", "cat (1)"),
        ("cat", "cat - Copy"),
        ("cat", "cat_copy"),
        ("cat", "Copy of cat"),
        ("cat", "Kopie von cat"),
        ("cat", "cat - Kopie (2)"),
        ("cat", "cat \u2013 copie"),
        ("cat", "Copia de cat"),
        ("cat", "cat 2"),
        ("cat", "cat-1"),
        ("cat", "cat のコピー"),
        ("photocopy", "photo copy"),
        ("IMG_20240501_120000", "a copy"),
        ("Café", "Cafe\u0301 copy"),
    ],
)
def test_the_original_is_kept_and_its_copy_dropped(
    tmp_path: Path, original: str, copy: str
) -> None:
    """By their names, in `check` and in `fix`; a caption that only the copy has comes along."""
    folder = tmp_path / "set"
    add(folder, f"{original}.png")
    (folder / f"{copy}.png").write_bytes((folder / f"{original}.png").read_bytes())
    (folder / f"{copy}.txt").write_text("a cat")
    dataset = LocalDataset(folder)
    same = [p for p in dataset.problems if p.code is Code.DUPLICATE]
    assert [(p.file, p.other) for p in same] == [(f"{copy}.png", f"{original}.png")]
    report = dataset.fix(tmp_path / "fixed")
    assert report.left_out == (f"{copy}.png",)
    assert list(report.dataset.captions.values()) == ["a cat"]
    assert f"caption taken from '{copy}.png'" in {change.text for change in report.changes}


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Été à la plage", "Ete_a_la_plage"),
        ("Ete\u0301", "Ete"),
        ("Straße", "Strasse"),
        ("Øl og æbler", "Ol_og_aebler"),
        ("Łódź", "Lodz"),
        ("İstanbul'da", "Istanbul_da"),
        ("кот на пляже", "kot_na_plyazhe"),
        ("γάτα", "gata"),
        ("½ cat", "1_2_cat"),
        ("cat\uff081\uff09", "cat_1_"),
        ("_MG_1234", "_MG_1234"),
        ("con", "_con"),
    ],
)
def test_names_stay_readable(tmp_path: Path, name: str, plain: str) -> None:
    """Letters become those of ASCII that are read alike; the caption goes along."""
    folder = tmp_path / "set"
    add(folder, f"{name}.png", f"{name}.txt")
    fixed = LocalDataset(folder).fix(tmp_path / "fixed").dataset
    assert {path.name for path in fixed.files} == {f"{plain}.png", f"{plain}.txt"}


@pytest.mark.parametrize("name", ["a.gif", "a.bmp", "a.tiff", "a.TIF", "a.jfif", "a.avif"])
def test_check_says_of_foreign_formats_what_fix_does(tmp_path: Path, name: str) -> None:
    """The trainer skips it; `fix` converts it, and keeps its caption."""
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow is built without AVIF")
    folder, suffix = tmp_path / "set", Path(name).suffix
    folder.mkdir()
    image("a").save(folder / name, "JPEG" if suffix == ".jfif" else None)
    add(folder, "a.txt", "b.png", "b.txt")
    dataset = LocalDataset(folder)
    assert [p.message for p in dataset.problems] == [
        f"{name!r} is left out with its caption: the trainer skips {suffix.lower()} files"
    ]
    assert dataset.captions == {"b.png": "a cat"}
    report = dataset.fix(tmp_path / "fixed")
    assert {change.file for change in report.changes} == {name}
    assert set(report.dataset.captions.values()) == {"a cat"}
    assert len(report.dataset.images) == len(report.dataset.captions) == 2
    assert report.dataset.problems == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic"),
        ("a.jxl", b"\xff\x0a"),
        ("a.gif", b"GIF89a"),
        ("a.bmp", b""),
    ],
)
def test_what_cannot_be_converted_is_said_by_both(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """With the same reason."""
    folder = tmp_path / "set"
    add(folder, "a.txt", "b.png", "b.txt")
    (folder / name).write_bytes(content)
    dataset = LocalDataset(folder)
    (problem,) = dataset.problems
    report = dataset.fix(tmp_path / "fixed")
    change, caption = report.changes
    assert problem.file == change.file == name
    assert ("a.txt", "") == (caption.file, caption.name)
    assert change.text.startswith("is left out: it ")
    assert problem.remedy == f"export it again as PNG or JPEG: {change.text[13:]}"


def test_words_agree_with_their_number(tmp_path: Path) -> None:
    """One is one."""
    folder = tmp_path / "set"
    add(folder, "a.png")
    (folder / "metadata.csv").write_text("file_name,text\na.png,a cat\n")
    (told,) = (p for p in LocalDataset(folder).problems if p.code is Code.CAPTION_TABLE)
    assert told.message.endswith("has captions of 1 image, which the trainer does not read there")
    picture(folder / "b.png")
    (folder / "metadata.csv").write_text("file_name,text\na.png,a cat\nb.png,a dog\n")
    (told,) = (p for p in LocalDataset(folder).problems if p.code is Code.CAPTION_TABLE)
    assert "captions of 2 images" in told.message


def test_an_animation_in_a_foreign_format_keeps_one_frame(tmp_path: Path) -> None:
    """Both say so."""
    folder = tmp_path / "set"
    folder.mkdir()
    later = [image("d"), image("e")]
    for name in ("a.gif", "b.tif"):
        image(name).save(folder / name, save_all=True, append_images=later)
    dataset = LocalDataset(folder)
    remedies = {p.file: p.remedy for p in dataset.problems if p.file}
    assert remedies == dict.fromkeys(("a.gif", "b.tif"), Code.ANIMATION.remedy)
    report = dataset.fix(tmp_path / "fixed")
    assert [change.text.partition(",")[0] for change in report.changes] == [
        "reduced to its first frame"
    ] * 2
    assert [path.name for path in report.dataset.images] == ["a.png", "b.png"]


def test_large_jpegs_are_made_smaller(tmp_path: Path) -> None:
    """One of 100 megapixels is decoded at a fraction; such a PNG is left out."""
    folder = tmp_path / "set"
    add(folder, "a.png")
    Image.new("L", (10_000, 10_000), 90).save(folder / "large.jpg")
    Image.new("1", (10_000, 10_000)).save(folder / "large.png")
    report = LocalDataset(folder).fix(tmp_path / "fixed")
    looks = {path.name: look for path, look in report.dataset.image_info.items()}
    assert (looks["large.jpg"].width, looks["large.jpg"].height) == (2500, 2500)
    assert report.left_out == ("large.png",)
    assert report.dataset.errors == ()


def test_controls_and_media_come_along(tmp_path: Path) -> None:
    """Under the names of their images."""
    folder = tmp_path / "set"
    add(folder, "my cat.png", "my cat.txt")
    add(folder / "control_1", "my cat.jpg", "of nobody.png")
    add(folder / "control_2", "my cat.png")
    (folder / "a clip.MP4").write_bytes(b"\0" * 10)
    (folder / "empty.mp4").touch()
    report = LocalDataset(folder).fix(tmp_path / "fixed")
    names = {str(path.relative_to(tmp_path / "fixed")) for path in report.folder.rglob("*.*")}
    assert names - {MARK} == {
        "my_cat.png",
        "my_cat.txt",
        "a_clip.mp4",
        str(Path("control_1", "my_cat.jpg")),
        str(Path("control_2", "my_cat.png")),
    }


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(
            st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters='/\\\0:*?"<>|'),
            min_size=1,
            max_size=40,
        ).filter(lambda name: name.strip(". ") == name),
        min_size=1,
        max_size=6,
        unique_by=str.casefold,
    ),
    st.sampled_from(list(Flavour)),
)
def test_any_names_become_names_that_no_server_changes(
    tmp_path_factory: pytest.TempPathFactory, stems: list[str], flavour: Flavour
) -> None:
    """Whatever they are called, the copy has no error, and keeps every picture and caption."""
    folder = tmp_path_factory.mktemp("names")
    for stem in stems:
        picture(folder / f"{stem}.png", (20, 20))
        (folder / f"{stem}.txt").write_text(f"caption {stem}", encoding="utf-8")
    requirements = Requirements(flavour=flavour)
    report = LocalDataset(folder).check(requirements).fix(folder.parent / f"{folder.name}-x")
    assert report.dataset.errors == ()
    duplicates = sum(change.name == "" for change in report.changes)
    assert len(report.dataset.images) == len(stems) - duplicates
    assert all(requirements.stored(path.name) == path.name for path in report.dataset.files)
    assert Code.COLLISION not in {problem.code for problem in report.dataset.problems}


@settings(suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["a.gif", "a.bmp", "a.tif", "a.png", "a.jpg"]), st.data())
def test_damaged_pictures_are_left_out_or_converted(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """Whatever bytes they have, the copy has no unreadable picture."""
    folder = tmp_path_factory.mktemp("damaged")
    picture(folder / "sound.png", (20, 20))
    raw = bytearray(picture(folder / name, (24, 20)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(raw)
    report = LocalDataset(folder).fix(folder.parent / f"{folder.name}-fixed")
    assert report.dataset.errors == ()
    assert "sound.png" in {path.name for path in report.dataset.images}
