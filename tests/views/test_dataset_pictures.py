"""Contact sheets and pictures of buckets: the same bytes again, safe with odd pictures."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from aitk_nb._display.images import Thumbnails
from aitk_nb.datasets.local.buckets import plan
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.errors import BadInput
from aitk_nb.views import contact_sheet, plot_buckets


def opened(raw: bytes) -> Image.Image:
    """Return the picture in some bytes."""
    return Image.open(io.BytesIO(raw)).convert("RGB")


def test_a_sheet_of_a_dataset(photos: Path) -> None:
    """Every picture over its caption, in the page's own letters; what is left out is counted."""
    dataset = LocalDataset(photos)
    sheet = contact_sheet(dataset)
    assert repr(sheet) == "<contact sheet: 12 images>"
    assert sheet.items[0][1] == "a photograph of an officer, part 1"
    page = sheet._repr_html_()
    assert page == contact_sheet(dataset)._repr_html_()
    assert page.count("data:image/jpeg;base64,") == 12
    assert "a photograph of an officer, part 1</figcaption>" in page
    assert {max(opened(content).size) for content, _ in sheet.items} == {160}
    few = contact_sheet(dataset, most=5, columns=2)
    assert repr(few) == "<contact sheet: 5 of 12 images>"
    assert "and 7 more" in few._repr_html_()
    assert repr(contact_sheet(dataset, most=1).items[:1]) == repr(few.items[:1])


def test_a_sheet_of_pairs(tmp_path: Path, photos: Path) -> None:
    """Thumbnails of a server; what is no picture is an empty place, and long texts are cut."""
    good = (photos / "photo_00.jpg").read_bytes()
    pairs = [(good, "a " * 400), (b"<html>", "<script>alert(1)</script>"), (b"", "")]
    sheet = contact_sheet(iter(pairs), most=2)
    assert (len(sheet.items), sheet.more) == (2, 1)
    page = sheet.save(tmp_path / "sub" / "sheet.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("<figure") == 2
    assert page.count("<img") == 1
    assert "<script" not in page
    assert "a " * 31 not in page
    assert contact_sheet([]).save(tmp_path / "none.html").exists()
    with pytest.raises(BadInput, match=r"saved as \.html"):
        sheet.save(tmp_path / "sheet.png")
    with pytest.raises(BadInput, match="at least 1"):
        contact_sheet(pairs, columns=0)


def test_buckets_are_drawn_to_scale() -> None:
    """The counts stand below the boxes; many buckets are counted and not drawn."""
    sizes = {f"{at}.png": (600 + 40 * at, 600) for at in range(20)}
    found = plan(sizes, (512, 256), batch_size=2)
    figure = plot_buckets(found)
    assert repr(figure) == "<buckets of 20 images>"
    assert figure.png() == plot_buckets(found).png()
    (axes,) = figure.figure.axes
    assert len([one for one in axes.texts if "more" in one.get_text()]) == 2
    boxes = [patch for patch in axes.patches if patch.get_fill()]
    squares = [patch for patch in axes.patches if not patch.get_fill()]
    drawn = [*found.buckets[:5], *[one for one in found.buckets if one.resolution == 256][:5]]
    sides = [
        square.get_width() / one.resolution for square, one in zip(squares, drawn, strict=True)
    ]
    wide = [side * one.width for side, one in zip(sides, drawn, strict=True)]
    assert [box.get_width() for box in boxes] == pytest.approx(wide)
    assert max(wide) < 1
    assert {f"{len(one.images)} images" for one in drawn if len(one.images) > 1} <= {
        text.get_text() for text in axes.texts
    }
    assert "steps of 2 images" in figure.alt
    dark = opened(plot_buckets(found, theme="dark").png())
    assert max(dark.getpixel((0, 0))) < 60
    one = plot_buckets(plan({"a.png": (512, 512)}, (512,)))
    assert one.alt.startswith("1 image, 1 step per epoch; ")
    with pytest.raises(BadInput, match="no image"):
        plot_buckets(plan({}, (512,)))
    with pytest.raises(BadInput, match="light"):
        plot_buckets(found, theme="pink")  # type: ignore[arg-type]


def test_thumbnails_are_made_once(photos: Path, tmp_path: Path) -> None:
    """Until the picture changes; only some are kept."""
    path = tmp_path / "a.jpg"
    path.write_bytes((photos / "photo_00.jpg").read_bytes())
    kept = Thumbnails(most=2)
    first = kept.get(path)
    assert kept.get(path) is first
    path.write_bytes((photos / "photo_05.jpg").read_bytes() + b"\0")
    assert kept.get(path) != first
    for number in range(3):
        kept.get(photos / f"photo_{number:02}.jpg")
    assert kept._made.cache_info().currsize == 2
    assert kept.get(tmp_path / "gone.jpg") == b""
