"""`DatasetForm` in JupyterLab: a thousand images, and sixty of which two can't be used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Photograph
from tests.browser.notebook_page import Cell, NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab
from tests.datasets.pictures import image, picture

MANY = 1000
NOTEBOOK = "thousand.ipynb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand small pictures, nearly all with captions, two of them broken."""
    folder = tmp_path_factory.mktemp("sets") / "blotches"
    folder.mkdir()
    for number in range(MANY):
        shape = ((320, 240), (240, 320), (300, 300))[number % 3]
        picture(folder / f"img_{number:04}.jpg", shape)
        text = f"a photograph of blotches number {number}"
        (folder / f"img_{number:04}.txt").write_text(text, encoding="utf-8")
    (folder / "img_0777.jpg").write_bytes(b"<html>")
    (folder / "img_0003.txt").unlink()
    return folder


def test_a_thousand_images_by_hand(
    chromium: Browser, lab: JupyterLab, folder: Path, photograph: Photograph
) -> None:
    """Somebody looks for what is wrong, mends it, edits captions and looks at the buckets."""
    write_notebook(
        lab.root / NOTEBOOK,
        (
            "from aitk_nb.views import DatasetForm",
            f"form = DatasetForm({str(folder)!r}, name='blotches')\nform",
            "len(form.value.local.images)",
        ),
    )
    with opened(chromium, lab, NOTEBOOK) as notebook:
        notebook.cell("import DatasetForm").run()
        form = notebook.cell("DatasetForm(")
        form.run()
        form.shows("1 image can't be used")
        expect(form.output.locator("img")).to_have_count(12)
        photograph(notebook.page, "dataset-form")

        find_and_mend(form, folder)
        photograph_in_both(notebook, photograph, "dataset-form-problem")
        edit_one_caption(form, folder)
        edit_all_captions(form, folder)
        photograph_in_both(notebook, photograph, "dataset-form-bulk")
        form.output.get_by_role("tab", name="Buckets").click()
        form.shows("steps per epoch")
        photograph_in_both(notebook, photograph, "dataset-form-buckets")

        value = notebook.cell("len(form.value")
        value.run()
        value.shows(str(MANY))
        assert notebook.errors == []


def find_and_mend(form: Cell, folder: Path) -> None:
    """A problem leads to its image, which then comes first."""
    form.field("Problems").select_option(index=0)
    form.shows("export it again")
    expect(form.output.locator("textarea").first).to_have_accessible_name("img_0777.jpg")
    picture(folder / "img_0777.jpg", (320, 240))
    form.press("Rescan")
    expect(form.output).not_to_contain_text("can't be used")


def edit_one_caption(form: Cell, folder: Path) -> None:
    """A caption is written when its field is left."""
    form.field("img_0777.jpg").fill("a caption by hand")
    form.press("Next ▶")
    form.shows("img_0777.jpg saved")
    text = (folder / "img_0777.txt").read_text(encoding="utf-8")
    assert text == "a caption by hand\n"
    form.shows("img_0789.jpg")


def edit_all_captions(form: Cell, folder: Path) -> None:
    """All are written, and written back."""
    form.output.get_by_role("tab", name="Change all captions").click()
    form.fill_in("Prefix", "old film, ")
    form.shows("1 image without a caption is skipped.")
    form.press("Change 999 captions")
    form.shows("999 captions saved.")
    caption = folder / "img_0500.txt"
    assert caption.read_text(encoding="utf-8").startswith("old film, ")
    form.press("Undo")
    form.shows("The captions are restored.")
    expect(form.output.get_by_role("button", name="Undo")).to_be_disabled()
    assert caption.read_text(encoding="utf-8").startswith("a photograph")


def photograph_in_both(notebook: NotebookPage, photograph: Photograph, name: str) -> None:
    """Keep pictures of the page in both themes."""
    for theme in ("dark", "light"):
        notebook.wear(theme)
        photograph(notebook.page, f"{name}-{theme}")


@pytest.fixture
def sixty(tmp_path: Path) -> Path:
    """Sixty photos, one cut off, one with a Latin-1 caption, some without one."""
    folder = tmp_path / "portraits"
    folder.mkdir()
    for number in range(60):
        shape = ((1600, 1200), (1200, 1600), (1500, 1500))[number % 3]
        image(str(number), shape).save(folder / f"IMG_{2300 + number}.jpg", quality=80)
        if number % 8:
            text = f"a photograph of an officer, part {number}"
            (folder / f"IMG_{2300 + number}.txt").write_text(text, encoding="utf-8")
    cut = folder / "IMG_2311.jpg"
    cut.write_bytes(cut.read_bytes()[:20_000])
    (folder / "IMG_2321.txt").write_bytes("Frau Müller im Hof".encode("latin-1"))
    return folder


def test_sixty_photos_of_which_two_cannot_be_used(
    chromium: Browser, lab: JupyterLab, sixty: Path, photograph: Photograph
) -> None:
    """Look at them, enlarge, leave out, put back, fix: and the value follows."""
    make = f"form = DatasetForm({str(sixty)!r})\nform"
    write_notebook(
        lab.root / "sixty.ipynb",
        ("from aitk_nb.views import DatasetForm", "DatasetForm()", make, "form.value"),
    )
    with opened(chromium, lab, "sixty.ipynb") as notebook:
        notebook.cell("import DatasetForm").run()
        empty = notebook.cell("DatasetForm()")
        empty.run()
        empty.shows("Images, each with a .txt caption")
        expect(empty.output).not_to_contain_text("✕")
        form, value = notebook.cell(f"DatasetForm({str(sixty)!r}"), notebook.cell("form.value")
        form.run()
        form.shows("2 images can't be used")
        form.press("Look at them")
        first = form.output.locator("textarea").first
        expect(first).to_have_accessible_name(re.compile("IMG_2311.jpg|IMG_2321.jpg"))
        expect(form.field("IMG_2321.jpg")).to_have_value("Frau Müller im Hof")
        form.press("Enlarge IMG_2308.jpg")
        wide = form.output.get_by_alt_text("IMG_2308.jpg")
        expect(wide).to_have_js_property("naturalWidth", 1120)
        form.press("Shrink IMG_2308.jpg")
        photograph_at_all_widths(notebook, form, photograph)

        form.press("Leave out 2")
        form.shows("left out: IMG_2311.jpg, IMG_2321.jpg")
        form.press("Put 2 back")
        form.press("Fix 2 files")
        form.shows("Corrected copy in portraits_fixed")
        value.run()
        value.shows("<DatasetChoice 'portraits': 59 images>")
        assert notebook.errors == []
    shutil.rmtree(sixty.parent / "portraits_fixed")


def photograph_at_all_widths(notebook: NotebookPage, form: Cell, photograph: Photograph) -> None:
    """Keep pictures of the form in both themes, also where it is narrow; nothing is cut off."""
    for theme in ("dark", "light"):
        notebook.wear(theme)
        for width in (640, 1024, 1440):
            notebook.page.set_viewport_size({"width": width, "height": 1400})
            form.place.scroll_into_view_if_needed()
            photograph(notebook.page, f"dataset-form-sixty-{theme}-{width}")
            frame = form.output.locator(".widget-tab-contents").bounding_box()
            field = form.output.locator("textarea").first.bounding_box()
            assert frame is not None
            assert field is not None
            assert field["x"] + field["width"] <= frame["x"] + frame["width"]
