"""`DatasetForm` in JupyterLab with a thousand images: pages, captions, problems, buckets."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Photograph
from tests.browser.notebook_page import Cell, NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab
from tests.datasets.pictures import picture

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
        form.shows("1 error", seconds=60)
        expect(form.output.locator("figure img")).to_have_count(12)
        photograph(notebook.page, "dataset-form")

        find_and_mend(form, folder)
        photograph_in_both(notebook, photograph, "dataset-form-problem")
        edit_one_caption(form, folder)
        edit_all_captions(form, folder)
        photograph_in_both(notebook, photograph, "dataset-form-bulk")
        form.output.get_by_role("tab", name="Buckets").click()
        form.shows("steps per epoch")
        form.output.locator("img.widget-image").wait_for()
        photograph_in_both(notebook, photograph, "dataset-form-buckets")

        value = notebook.cell("len(form.value")
        value.run()
        value.shows(str(MANY))
        assert notebook.errors == []


def find_and_mend(form: Cell, folder: Path) -> None:
    """A problem leads to its image, which then comes first."""
    form.output.locator("select").select_option(index=0)
    form.shows("export it again")
    form.shows("▶ img_0777.jpg")
    picture(folder / "img_0777.jpg", (320, 240))
    form.press("Read again")
    form.shows("1 warning", seconds=60)


def edit_one_caption(form: Cell, folder: Path) -> None:
    """A caption is written when its field is left."""
    form.output.locator("textarea").first.fill("a caption by hand")
    form.press("Next ▶")
    form.shows("img_0777.jpg saved")
    text = (folder / "img_0777.txt").read_text(encoding="utf-8")
    assert text == "a caption by hand\n"
    form.shows("img_0789.jpg")


def edit_all_captions(form: Cell, folder: Path) -> None:
    """All are written, and written back."""
    form.output.get_by_role("tab", name="Change all captions").click()
    form.fill_in("Add before", "old film, ")
    form.press("Change 1000 captions")
    form.shows("1000 captions saved.", seconds=60)
    caption = folder / "img_0500.txt"
    assert caption.read_text(encoding="utf-8").startswith("old film, ")
    form.press("Undo")
    form.shows("The captions are restored.", seconds=60)
    expect(form.output.get_by_role("button", name="Undo")).to_be_disabled()
    assert caption.read_text(encoding="utf-8").startswith("a photograph")


def photograph_in_both(notebook: NotebookPage, photograph: Photograph, name: str) -> None:
    """Keep pictures of the page in both themes."""
    for theme in ("dark", "light"):
        notebook.wear(theme)
        photograph(notebook.page, f"{name}-{theme}")
