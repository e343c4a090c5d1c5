"""The training form as somebody sees and walks through it: nothing cut off, in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Photograph
from tests.browser.notebook_page import NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab, Theme, voila

NOTEBOOK = "form.ipynb"
CELL = """
from aitk_nb import TrainingParams
from aitk_nb.jobs.preflight_report import PreflightReport, note, ok, problem
from aitk_nb.models.checklist import Checklist
from aitk_nb.views import TrainingForm
said = Checklist((
    ok("dataset", "'photos' has 12 files, 12 with a caption."),
    problem("base model", "The weights are given out at a page whose address is long: " + "x" * 90),
    note("GPU", "GPU 0 (a card with a long name, 7.5 GiB free): 2 active jobs there first."),
))
start = TrainingParams(name="cat", dataset="photos", prompts=["a [trigger]"])
form = TrainingForm(start, images=12, on_check=lambda params: PreflightReport(params.name, said))
form
"""
GROUPS = ("Model", "Network", "Datasets", "Training", "Saving and samples", "Advanced", "Request")
WIDTH = 900
CUT_OFF = """() => [...document.querySelectorAll(
    '.widget-text input, .widget-textarea textarea, .widget-dropdown select, .widget-label,'
    + '.jupyter-button, .widget-html-content td, .widget-html-content div')]
  .filter(part => part.offsetParent && !part.closest('pre'))
  .filter(part => {
    const box = part.getBoundingClientRect();
    const text = ['LABEL', 'BUTTON', 'TD', 'DIV'].includes(part.tagName);
    return box.right > window.innerWidth + 1 || box.left < 0
      || (text && part.scrollWidth > part.clientWidth + 1);
  })
  .map(part => part.tagName + ' ' + (part.innerText || part.value).slice(0, 60))"""
"""A function of the page: what is wider than its place, or beyond the window."""
FOCUSED = """() => {
    const part = document.activeElement, box = part.getBoundingClientRect();
    const label = part.closest('.jupyter-widgets')?.querySelector('label');
    const name = part.tagName === 'BUTTON' || !label ? part.innerText : label.innerText;
    return [name, box.top, box.left];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Voilà serves the form alone."""
    home = tmp_path_factory.mktemp("form")
    write_notebook(home / NOTEBOOK, (CELL,))
    with voila(home, home / NOTEBOOK) as url:
        yield url


def open_all(page: Page) -> None:
    """Open every group and the request, and check."""
    for title in GROUPS:
        page.get_by_role("button", name=f"▸ {title}", exact=True).click()
    expect(page.get_by_label("Show as", exact=True)).to_be_visible()
    choose_model(page.get_by_label("Model Architecture", exact=True), "wan22_14b_i2v")
    expect(page.get_by_text("Set with it: ")).to_be_visible()
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("7.5 GiB free")).to_be_visible()


def choose_model(field: Locator, arch: str) -> None:
    """Choose a model by its name in AI Toolkit."""
    field.select_option(field.locator("option", has_text=f"({arch})").inner_text())


@pytest.mark.parametrize("width", [1440, 640])
def test_the_fields_are_in_columns_by_the_width_of_the_page(
    chromium: Browser, address: str, width: int, photograph: Photograph
) -> None:
    """Two where there is room, and one on a narrow page."""
    context = chromium.new_context(viewport={"width": width, "height": 1000})
    page = context.new_page()
    page.goto(address, timeout=120_000)
    name, dataset = (page.get_by_label(label, exact=True) for label in ("Training Name", "Dataset"))
    expect(name).to_have_value("cat")
    places = [part.bounding_box() for part in (name, dataset)]
    assert places[0]
    assert places[1]
    is_beside = places[0]["y"] == places[1]["y"] and places[0]["x"] < places[1]["x"]
    assert is_beside == (width > 900)
    assert is_beside or places[0]["x"] == places[1]["x"]
    photograph(page, f"voila_{width}_columns")
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_in_a_narrow_window(
    chromium: Browser, address: str, theme: Theme, photograph: Photograph
) -> None:
    """With everything open, at 900 pixels, no text is wider than its place."""
    context = chromium.new_context(viewport={"width": WIDTH, "height": 1000}, color_scheme=theme)
    page = context.new_page()
    page.goto(f"{address}?theme={theme}", timeout=120_000)
    expect(page.get_by_label("Training Name", exact=True)).to_have_value("cat")
    photograph(page, f"voila_900_closed_{theme}")
    open_all(page)
    page.get_by_label("Steps", exact=True).fill("many")
    expect(page.get_by_text("should be a valid integer").first).to_be_visible()
    photograph(page, f"voila_900_wrong_{theme}")
    page.get_by_label("Steps", exact=True).fill("600")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("7.5 GiB free")).to_be_visible()
    photograph(page, f"voila_900_open_{theme}")

    assert [] == page.evaluate(CUT_OFF)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    context.close()


def test_the_keyboard_goes_through_it_in_reading_order(
    chromium: Browser, address: str, photograph: Photograph
) -> None:
    """Each press of Tab goes on downwards, and every field and button is reached."""
    # As high as the whole form, whose one column has no fields side by side.
    context = chromium.new_context(viewport={"width": 800, "height": 6000})
    page = context.new_page()
    page.goto(address, timeout=120_000)
    expect(page.get_by_label("Training Name", exact=True)).to_have_value("cat")
    open_all(page)
    photograph(page, "voila_800_whole")
    page.get_by_label("Training Name", exact=True).focus()

    seen: list[tuple[str, float]] = []
    while not seen or seen[-1][0] != "Check":
        where: list[Any] = page.evaluate(FOCUSED)
        seen.append((str(where[0]).strip(), float(where[1])))
        assert len(seen) < 100, seen
        page.keyboard.press("Tab")

    tops = [top for _, top in seen]
    assert sorted(tops) == tops, seen
    reached = {name for name, _ in seen}
    assert {
        "Training Name",
        "Steps",
        "Linear Rank",
        "Optimizer",
        "Sample Prompts",
        "Extra",
    } <= reached
    assert all(any(title in name for name in reached) for title in GROUPS)
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_form_in_jupyterlab(
    chromium: Browser, lab: JupyterLab, theme: Theme, photograph: Photograph, tmp_path: Path
) -> None:
    """Opened as far as it goes, and looked at."""
    write_notebook(lab.root / NOTEBOOK, (CELL,))
    with opened(chromium, lab, NOTEBOOK) as notebook:
        notebook.wear(theme)
        cell = notebook.cell("TrainingForm(")
        cell.run()
        photograph(notebook.page, f"lab_form_closed_{theme}")
        choose_model(cell.field("Model Architecture"), "flux_kontext")
        cell.shows("Set with it: ")
        for title in GROUPS[:2]:
            cell.press(f"▸ {title}")
        cell.press("Check")
        cell.shows("7.5 GiB free")
        cell.output.evaluate("output => output.scrollIntoView()")
        photograph(notebook.page, f"lab_form_open_{theme}")
        assert_fits(notebook)


def assert_fits(notebook: NotebookPage) -> None:
    """Nothing of the form is wider than its place."""
    assert [] == [
        text for text in notebook.page.evaluate(CUT_OFF) if not text.startswith("BUTTON \\n")
    ]
