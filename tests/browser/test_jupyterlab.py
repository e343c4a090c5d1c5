"""A first training by hand in JupyterLab: every form used as somebody uses it, then looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, expect

import aitk_nb
from aitk_nb.demo import DemoServer
from aitk_nb.models.job import JobStatus
from aitk_nb.notebooks.run import find
from tests.browser.conftest import Photograph
from tests.browser.notebook_page import NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab
from tests.conftest import TOKEN

MISTYPED = "mistyped-token-0815"
NOTEBOOK = "by_hand.ipynb"
BOOKS = {path.stem: path for path in find()}


def shipped(words: str) -> str:
    """Return the code of the one cell of 04_train that has these words."""
    cells = nbformat.read(BOOKS["04_train"], as_version=4).cells
    (code,) = (cell.source for cell in cells if cell.cell_type == "code" and words in cell.source)
    return str(code)


def cells() -> tuple[str, ...]:
    """Return the cells of 04_train, with a form for the photos instead of the example's."""
    return (
        shipped("url: str"),
        "import aitk_nb\n"
        "from aitk_nb.views import ConnectionForm, DatasetForm, JobMonitor, TrainingForm",
        shipped("ConnectionForm("),
        shipped("connection.connected("),
        "choose = DatasetForm()\nchoose",
        "sent = client.datasets.upload(choose.value.folder, choose.value.name)\nsent",
        shipped("TrainingForm.of("),
        shipped("form.started("),
        # The training takes some seconds only.
        shipped("JobMonitor(").replace("watch()", "watch(every=0.5)"),
    )


@pytest.fixture
def notebook(chromium: Browser, lab: JupyterLab) -> Iterator[NotebookPage]:
    """A notebook with all forms, open in JupyterLab with nothing executed yet."""
    write_notebook(lab.root / NOTEBOOK, cells())
    with opened(chromium, lab, NOTEBOOK) as page:
        yield page


def test_a_training_by_hand(
    notebook: NotebookPage,
    token_server: DemoServer,
    photos: Path,
    lab: JupyterLab,
    photograph: Photograph,
) -> None:
    """Connect, choose photos, train, stop a second job; nothing of the token is left anywhere."""
    for words in ("url: str", "import aitk_nb"):
        notebook.cell(words).run()
    connect(notebook, token_server.url, photograph)
    choose_photos(notebook, photos)
    train(notebook, photograph)
    photograph_all(notebook, photograph)
    stop_a_long_one(notebook, token_server.url, photograph)

    assert [] == notebook.errors
    stored = notebook.save()
    assert "widgets" not in stored["metadata"]
    assert_no_token(lab.root)

    # What a user may choose, and the most that a notebook can hold.
    notebook.choose("Settings", "Save Widget State Automatically")
    while "widgets" not in (metadata := notebook.save()["metadata"]):
        notebook.page.wait_for_timeout(200)
    assert "too_long" in str(metadata["widgets"])
    assert_no_token(lab.root)


def connect(notebook: NotebookPage, url: str, photograph: Photograph) -> None:
    """Type the address with a wrong token and then with the right one, and check both."""
    form = notebook.cell("ConnectionForm(url")
    form.run()
    form.fill_in("Address", url)
    for token, verdict in ((MISTYPED, "rejected"), (TOKEN, "Connected to")):
        form.fill_in("Token or password", token)
        form.press("Check")
        form.shows(verdict)
        expect(form.field("Token or password")).to_have_value("")
        form.shows("Used: the token that you typed.")
        photograph(notebook.page, f"lab_{verdict.split()[0].lower()}")
    client = notebook.cell("connection.connected(")
    client.run()
    client.shows(url)


def choose_photos(notebook: NotebookPage, photos: Path) -> None:
    """Type the folder's path, see the photos, and upload them."""
    form = notebook.cell("DatasetForm()")
    form.run()
    form.fill_in("Folder", str(photos))
    form.fill_in("Name", "officer")
    last = form.output.locator("textarea").nth(11)
    expect(last).to_have_value("a photograph of an officer, part 12")
    expect(form.output.locator("img")).to_have_count(12)
    upload = notebook.cell("client.datasets.upload(")
    upload.run()
    upload.shows("Dataset officer")


def train(notebook: NotebookPage, photograph: Photograph) -> None:
    """Edit the form by typing, start, and see the picture change while it trains."""
    form = notebook.cell("TrainingForm.of(")
    form.run()
    form.fill_in("Training Name", "by_hand")
    form.fill_in("Steps", "many")
    form.shows("1 error: Steps")
    photograph(notebook.page, "lab_not_usable")
    form.fill_in("Steps", "300")
    expect(form.output).not_to_contain_text("1 error: Steps")
    # One image a step would be over before there is much to see.
    form.press("▸ Training")
    form.fill_in("Batch Size", "8")
    start(notebook)
    watch = notebook.cell("JobMonitor(job)")
    watch.start()
    pictures = watch.different_pictures()
    assert len(pictures) >= 3, f"{len(pictures)} pictures were seen"
    watch.shows("300 of 300")
    watch.shows("completed")


def start(notebook: NotebookPage) -> None:
    """Run the cell that starts, which waits for the button, and press it."""
    cell = notebook.cell("form.started(")
    cell.start()
    cell.shows("Nothing starts until")
    notebook.cell("TrainingForm.of(").press("Start training")
    cell.wait()


def stop_a_long_one(notebook: NotebookPage, url: str, photograph: Photograph) -> None:
    """Start a job that would take minutes, and stop it by the button while the cell awaits."""
    form = notebook.cell("TrainingForm.of(")
    form.run()
    form.shows("Your edits are kept: ")
    form.fill_in("Training Name", "too_long")
    form.fill_in("Steps", "50000")
    start(notebook)
    watch = notebook.cell("JobMonitor(job)")
    watch.start()
    watch.shows("running")
    watch.output.locator("img[alt^='loss/loss']").wait_for()
    for theme in ("dark", "light"):
        notebook.wear(theme)
        watch.output.scroll_into_view_if_needed()
        photograph(notebook.page, f"lab_watching_{theme}")
    assert watch.is_running
    watch.press("Stop the job")
    watch.press("Yes, stop it")
    watch.wait()
    watch.shows("stopped")
    with aitk_nb.connect(url, token=TOKEN) as client:
        assert JobStatus.STOPPED is client.jobs.get("too_long").refresh().status


def photograph_all(notebook: NotebookPage, photograph: Photograph) -> None:
    """Keep pictures of every form in both themes."""
    for theme in ("dark", "light"):
        notebook.wear(theme)
        for name in (
            "ConnectionForm(url",
            "DatasetForm()",
            "TrainingForm.of(",
            "JobMonitor(job)",
        ):
            notebook.cell(name).place.scroll_into_view_if_needed()
            photograph(notebook.page, f"lab_{name.partition('(')[0]}_{theme}")


def assert_no_token(folder: Path) -> None:
    """No file below `folder` holds anything that was typed as a token."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == NOTEBOOK for path in files)
    for token in (TOKEN, MISTYPED):
        assert not [path for path in files if token.encode() in path.read_bytes()]
