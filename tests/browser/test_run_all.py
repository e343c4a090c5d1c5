"""*Run All* in JupyterLab: it waits for people, keeps their edits, and stores what was done."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

import aitk_nb
from aitk_nb.demo import DemoServer
from tests.browser.conftest import Photograph
from tests.browser.notebook_page import App, opened, shipped, write_notebook
from tests.browser.servers import JupyterLab, Theme
from tests.conftest import TOKEN

NOTEBOOK = "run_all.ipynb"
ERRORS = (
    "import aitk_nb",
    "aitk_nb.connect('http://127.0.0.1:9')",
    "aitk_nb.TrainingParams(name='a', dataset='<b>b', steps=0)",
)


def jobs(url: str) -> dict[str, int]:
    """Return the name and the steps of each job on the server."""
    with aitk_nb.connect(url, token=TOKEN) as client:
        return {job.name: job.state.step for job in client.jobs.list()}


@pytest.mark.journey
@pytest.mark.parametrize(
    ("app", "theme", "width"),
    [("lab", "light", 1280), ("notebook", "light", 1280), ("lab", "dark", 640)],
)
def test_from_a_wrong_token_to_a_lora_twice_and_opened_again(
    chromium: Browser,
    lab: JupyterLab,
    token_server: DemoServer,
    photograph: Photograph,
    app: App,
    theme: Theme,
    width: int,
) -> None:
    """Nothing is trained before the button, with the values typed while cells wait, and once."""
    write_notebook(lab.root / NOTEBOOK, shipped("04_train", url=token_server.url, steps=300))
    before, name = jobs(token_server.url), f"by_button_{uuid.uuid4().hex[:6]}"
    where = f"{app}_{theme}_{width}"
    with opened(chromium, lab, NOTEBOOK, app) as notebook:
        notebook.wear(theme)
        notebook.run_all()
        notebook.page.set_viewport_size({"width": width, "height": 1000})
        connection = notebook.cell("ConnectionForm(url")
        waits = notebook.cell("connection.connected(")
        waits.shows("requires a token")
        for token, verdict in (("mistyped-0815", "rejected"), ("again-4711", "rejected")):
            connection.fill_in("Token or password", token)
            connection.press("Check")
            connection.shows(verdict)
            waits.shows("rejects the token")
        photograph(notebook.page, f"{where}_wrong_token")
        connection.fill_in("Token or password", TOKEN)
        connection.press("Check")
        waits.shows("AI Toolkit server")

        form = notebook.cell("TrainingForm.of(")
        start = notebook.cell("form.started(")
        start.shows("Nothing starts until")
        # Each key is an edit of its own.
        form.fill_in("Training Name", name)
        form.fill_in("Steps", "45")
        form.shows("45 steps")
        assert before == jobs(token_server.url)
        form.press("Start training")
        notebook.cell("SavedFiles(").shows(f"{name}.safetensors")
        assert before | {name: 45} == jobs(token_server.url)

        last = notebook.cell("SavedFiles(")
        last.note()
        notebook.page.set_viewport_size({"width": 1280, "height": 1000})
        notebook.run_all()
        last.wait()
        assert before | {name: 45} == jobs(token_server.url)
        form.shows(name)
        with notebook.page.expect_download() as got:
            last.output.get_by_role("link").click()
        assert f"{name}.safetensors" == got.value.suggested_filename
        assert_stored(notebook.save())
        # Notebook 7 misses plugins of JupyterLab in its own pages.
        assert app == "notebook" or [] == notebook.errors

    with opened(chromium, lab, NOTEBOOK, app) as notebook:
        form = notebook.cell("TrainingForm.of(")
        form.shows(name)
        form.shows("To edit it, run its cell again.")
        expect(notebook.page.get_by_text("Error displaying widget")).to_have_count(0)
        notebook.cell("ConnectionForm(url").shows(token_server.url)
        form.place.scroll_into_view_if_needed()
        photograph(notebook.page, f"{where}_opened_again")
        assert app == "notebook" or [] == notebook.errors


def assert_stored(book: dict[str, Any]) -> None:
    """Nothing that needs a kernel is in the file, and no word of waiting."""
    text = str([cell.get("outputs") for cell in book["cells"]])
    assert "widget-view" not in text
    assert "Nothing starts until" not in text
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
            waits.shows("Nothing starts until")
            notebook.choose("Kernel", "Interrupt Kernel")
            waits.wait()
            assert "Stopped waiting; nothing was done. Run the cell again to continue." == (
                waits.output.inner_text().strip()
            )
