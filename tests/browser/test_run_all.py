"""*Run All* in JupyterLab: it waits for people, keeps their edits, and stores what was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, expect

import aitk_nb
from aitk_nb.demo import DemoServer
from aitk_nb.notebooks.run import find
from tests.browser.conftest import Photograph
from tests.browser.notebook_page import NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab
from tests.conftest import TOKEN

NOTEBOOK = "run_all.ipynb"
(TRAIN,) = (path for path in find() if path.stem == "04_train")
ERRORS = (
    "import aitk_nb",
    "aitk_nb.connect('http://127.0.0.1:9')",
    "aitk_nb.TrainingParams(name='a', dataset='<b>b', steps=0)",
)


def write_train(path: Path, url: str) -> None:
    """Write 04_train with the address of a server, and few steps."""
    book = nbformat.read(TRAIN, as_version=4)
    cells = [cell.source for cell in book.cells if cell.cell_type == "code"]
    cells[0] = cells[0].replace('url: str = ""', f"url: str = {url!r}")
    cells[0] = cells[0].replace("steps: int = 400", "steps: int = 300")
    write_notebook(path, tuple(cells))


def run_all(notebook: NotebookPage) -> None:
    """Choose it from the menu."""
    notebook.choose("Run", "Run All Cells")


def jobs(url: str) -> dict[str, int]:
    """Return the name and the steps of each job on the server."""
    with aitk_nb.connect(url, token=TOKEN) as client:
        return {job.name: job.state.step for job in client.jobs.list()}


def test_from_a_wrong_token_to_a_lora_twice_and_opened_again(
    chromium: Browser,
    lab: JupyterLab,
    token_server: DemoServer,
    photograph: Photograph,
) -> None:
    """Nothing is trained before the button, with the values typed while cells wait, and once."""
    write_train(lab.root / NOTEBOOK, token_server.url)
    before = jobs(token_server.url)
    with opened(chromium, lab, NOTEBOOK) as notebook:
        run_all(notebook)
        connection = notebook.cell("ConnectionForm(url")
        waits = notebook.cell("connection.connected(")
        waits.shows("requires a token")
        for token, verdict in (("mistyped-0815", "rejected"), ("again-4711", "rejected")):
            connection.fill_in("Token or password", token)
            connection.press("Check")
            connection.shows(verdict)
            waits.shows("rejects the token")
        photograph(notebook.page, "lab_wrong_token")
        connection.fill_in("Token or password", TOKEN)
        connection.press("Check")
        waits.shows("AI Toolkit server")

        form = notebook.cell("TrainingForm.of(")
        start = notebook.cell("form.started(")
        start.shows("Nothing is started yet")
        # Each key is an edit of its own.
        form.fill_in("Training Name", "by_button")
        form.fill_in("Steps", "45")
        form.shows("45 steps")
        assert before == jobs(token_server.url)
        form.press("Start training")
        notebook.cell("SavedFiles(").shows("by_button.safetensors", seconds=60)
        assert before | {"by_button": 45} == jobs(token_server.url)

        last = notebook.cell("SavedFiles(")
        last.note()
        run_all(notebook)
        last.wait(60)
        assert before | {"by_button": 45} == jobs(token_server.url)
        form.shows("by_button")
        with notebook.page.expect_download() as got:
            last.output.get_by_role("link").click()
        assert "by_button.safetensors" == got.value.suggested_filename
        assert_stored(notebook.save())
        assert [] == notebook.errors
    lab.shut_kernels_down()

    with opened(chromium, lab, NOTEBOOK) as notebook:
        form = notebook.cell("TrainingForm.of(")
        form.shows("by_button")
        form.shows("To edit it, run its cell again.")
        expect(notebook.page.get_by_text("Error displaying widget")).to_have_count(0)
        notebook.cell("ConnectionForm(url").shows(token_server.url)
        form.place.scroll_into_view_if_needed()
        photograph(notebook.page, "lab_opened_again")
        assert [] == notebook.errors


def assert_stored(book: dict[str, Any]) -> None:
    """Nothing that needs a kernel is in the file, and no word of waiting."""
    text = str([cell.get("outputs") for cell in book["cells"]])
    assert "widget-view" not in text
    assert "Nothing is started yet" not in text
    assert TOKEN not in text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_error_is_one_card(
    chromium: Browser, lab: JupyterLab, theme: Any, photograph: Photograph
) -> None:
    """What happened and what to do; the traceback is a click away, and the cell has failed."""
    write_notebook(lab.root / "errors.ipynb", ERRORS)
    with opened(chromium, lab, "errors.ipynb") as notebook:
        notebook.wear(theme)
        notebook.cell("import aitk_nb").run()
        for words, said in (("connect(", "Can't reach"), ("TrainingParams(", "steps: 0 should be")):
            cell = notebook.cell(words)
            cell.run()
            card = cell.output.get_by_role("alert")
            expect(card).to_contain_text(said)
            assert card.bounding_box()["height"] < 150
            assert cell.output.bounding_box()["height"] < 175
            frames = card.locator("details pre")
            expect(frames).to_be_hidden()
            card.get_by_text("Traceback").click()
            expect(frames).to_contain_text("a cell, line 1")
            card.get_by_text("Traceback").click()
        photograph(notebook.page, f"lab_error_{theme}")
        outputs = [cell["outputs"] for cell in notebook.save()["cells"]]

    kinds = [[output["output_type"] for output in shown] for shown in outputs[1:]]
    assert [["display_data", "error"]] * 2 == kinds
    assert "ConnectionFailed" == outputs[1][1]["ename"]


def test_interrupting_a_waiting_cell_is_one_line(
    chromium: Browser, lab: JupyterLab, token_server: DemoServer
) -> None:
    """Nothing was started, and the cell can be run again."""
    cell = (
        "import aitk_nb\nfrom aitk_nb.views import TrainingForm\n"
        "form = TrainingForm(aitk_nb.TrainingParams(name='x', dataset='y'), on_start=print)\nform"
    )
    write_notebook(lab.root / "interrupted.ipynb", (cell, "job = await form.started()"))
    with opened(chromium, lab, "interrupted.ipynb") as notebook:
        notebook.cell("TrainingForm(").run()
        waits = notebook.cell("form.started(")
        for _ in range(2):
            waits.start()
            waits.shows("Nothing is started yet")
            notebook.choose("Kernel", "Interrupt Kernel")
            waits.wait()
            assert "Stopped waiting; nothing was done. Run the cell again to continue." == (
                waits.output.inner_text().strip()
            )
