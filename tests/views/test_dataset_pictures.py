"""Contact sheets and pictures of buckets: the same bytes again, safe with odd pictures."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aitk_nb.datasets.local.buckets import plan
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.errors import BadInput
from aitk_nb.views import contact_sheet, plot_buckets
from aitk_nb.views.plots.thumbnails import Thumbnails


def opened(raw: bytes) -> Image.Image:
    """Return the picture in some bytes."""
    return Image.open(io.BytesIO(raw)).convert("RGB")


def test_a_sheet_of_a_dataset(photos: Path) -> None:
    """One JPEG with every picture, and what is left out is counted."""
    dataset = LocalDataset(photos)
    sheet = contact_sheet(dataset)
    assert repr(sheet) == "<contact sheet: 12 images>"
    assert sheet.items[0][1] == "a photograph of an officer, part 1"
    assert sheet.jpeg() == contact_sheet(dataset).jpeg()
    data, about = sheet._repr_mimebundle_()
    assert set(data) == {"image/jpeg", "text/plain"}
    assert "part 1" in about["image/jpeg"]["alt"]
    few = contact_sheet(dataset, most=5, columns=2)
    assert repr(few) == "<contact sheet: 5 of 12 images>"
    assert opened(few.jpeg()).width < opened(sheet.jpeg()).width
    # Every place is filled: no two places of the sheet look alike.
    page = np.asarray(opened(sheet.jpeg()).convert("L"), dtype=float)
    places = [page[14:146, at * 146 + 14 : at * 146 + 146] for at in range(6)]
    assert all(place.std() > 10 for place in places)


def test_a_sheet_of_pairs(tmp_path: Path, photos: Path) -> None:
    """Thumbnails of a server; what is no picture is an empty place, and long texts are cut."""
    good = (photos / "photo_00.jpg").read_bytes()
    pairs = [(good, "a " * 400), (b"<html>", "<script>alert(1)</script>"), (b"", "")]
    sheet = contact_sheet(iter(pairs), most=2)
    assert (len(sheet.items), sheet.more) == (2, 1)
    saved = sheet.save(tmp_path / "sub" / "sheet.jpg")
    assert saved.read_bytes() == sheet.jpeg()
    light, dark = (contact_sheet(pairs, theme=theme).jpeg() for theme in ("light", "dark"))
    assert opened(light).getpixel((2, 2)) > opened(dark).getpixel((2, 2))
    assert opened(contact_sheet([]).jpeg()).size
    with pytest.raises(BadInput, match=r"saved as \.jpg"):
        sheet.save(tmp_path / "sheet.png")
    with pytest.raises(BadInput, match="at least 1"):
        contact_sheet(pairs, columns=0)
    with pytest.raises(BadInput, match="light"):
        contact_sheet(pairs, theme="pink")  # type: ignore[arg-type]


def test_buckets_are_drawn_to_scale() -> None:
    """The counts stand in the boxes; many buckets are counted and not drawn."""
    sizes = {f"{at}.png": (600 + 40 * at, 600) for at in range(20)}
    found = plan(sizes, (512, 256), batch_size=2)
    figure = plot_buckets(found)
    assert repr(figure) == "<buckets of 20 images>"
    assert figure.png() == plot_buckets(found).png()
    first, second = figure.figure.axes
    assert len([one for one in first.texts if "more" in one.get_text()]) == 1
    widths = {axes.get_xlim() for axes in (first, second)}
    assert len(widths) == 1
    boxes = [patch for patch in first.patches if patch.get_fill()]
    drawn = found.buckets[: len(boxes)]
    assert [box.get_width() * 512 for box in boxes] == pytest.approx([b.width for b in drawn])
    assert "steps of 2 images" in figure.alt
    dark = opened(plot_buckets(found, theme="dark").png())
    assert max(dark.getpixel((0, 0))) < 60
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
