"""A monitor in JupyterLab: nothing moves, samples stay, and a stalled job is repaired."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import aitk_nb
from aitk_nb.demo import DemoServer
from aitk_nb.models.job import JobStatus
from tests.browser.conftest import Photograph
from tests.browser.notebook_page import SHIFTS, Cell, NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab, Theme

NOTEBOOK = "watching.ipynb"
CELLS = (
    "import aitk_nb\nfrom aitk_nb.views import JobMonitor\n"
    "job = aitk_nb.connect({url!r}).jobs.get({name!r})",
    "await JobMonitor(job, price_per_hour=0.4).watch(every=0.5)",
    "job.samples()",
)
PROMPTS = ("a photograph of an officer", "a portrait, <b>smiling</b>")

MOST_SHIFT = 0.05
THEMES: tuple[Theme, Theme] = ("dark", "light")


Start = Callable[[str], aitk_nb.Job]
Watching = Callable[[str], AbstractContextManager[NotebookPage]]


@pytest.fixture
def start(demo_server: DemoServer, photos: Path) -> Iterator[Start]:
    """Starts jobs that make samples and take long; they are gone afterwards."""
    jobs: list[aitk_nb.Job] = []
    with aitk_nb.connect(demo_server.url) as client:
        client.datasets.upload(photos, "stalling")

        def begin(name: str) -> aitk_nb.Job:
            given = {
                "name": name,
                "dataset": "stalling",
                "steps": 10**6,
                "resolution": 64,
                "sample_every": 150,
                "prompts": PROMPTS,
            }
            jobs.append(client.jobs.start(aitk_nb.TrainingParams.model_validate(given)))
            return jobs[-1]

        yield begin
        for job in jobs:
            job.delete()


@pytest.fixture
def watching(chromium: Browser, lab: JupyterLab, demo_server: DemoServer) -> Watching:
    """Opens a notebook that is to watch a job."""

    def watch(name: str) -> AbstractContextManager[NotebookPage]:
        cells = tuple(cell.format(url=demo_server.url, name=name) for cell in CELLS)
        write_notebook(lab.root / NOTEBOOK, cells)
        return opened(chromium, lab, NOTEBOOK)

    return watch


def look(notebook: NotebookPage, cell: Cell, photograph: Photograph, name: str) -> None:
    """Keep pictures of an output, wide and narrow, dark and light."""
    looks: tuple[tuple[int, Theme], ...] = ((1440, "dark"), (640, "dark"), (640, "light"))
    for width, theme in looks:
        notebook.page.set_viewport_size({"width": width, "height": 1000})
        notebook.wear(theme)
        cell.output.scroll_into_view_if_needed()
        photograph(notebook.page, f"{name}_{width}_{theme}")
    notebook.page.set_viewport_size({"width": 1280, "height": 1000})


def shifts(page: Page) -> float:
    """Return how much has moved by itself so far."""
    page.wait_for_timeout(600)
    return float(page.evaluate("window.shifts"))


def test_nothing_moves_and_samples_stay(
    start: Start, watching: Watching, chromium: Browser, lab: JupyterLab, photograph: Photograph
) -> None:
    """From the first picture to the end, which the button brings; and when it is opened again."""
    start("moves")
    with watching("moves") as notebook:
        notebook.cell("import aitk_nb").run()
        watch = notebook.cell("JobMonitor(job")
        watch.start()
        watch.output.locator("img[alt^='loss/loss']").wait_for()
        notebook.page.wait_for_timeout(600)
        notebook.page.evaluate(SHIFTS)
        expect(watch.output.locator("details img").nth(4)).to_be_visible(timeout=60_000)
        watch.shows("GPU 0")
        watch.shows("cost 0.")
        assert shifts(notebook.page) <= MOST_SHIFT
        look(notebook, watch, photograph, "lab_monitor")

        watch.press("Save now")
        watch.shows("written at the end of the next step")
        expect(watch.output).not_to_contain_text("end of the next step")
        watch.press("Stop the job …")
        watch.shows("steps since the last checkpoint are lost")
        photograph(notebook.page, "lab_monitor_stop")
        before = shifts(notebook.page)
        watch.press("Yes, stop it")
        watch.wait()
        assert shifts(notebook.page) - before <= MOST_SHIFT
        watch.shows("Last lines of the log")
        look(notebook, watch, photograph, "lab_monitor_end")

        samples = notebook.cell("job.samples")
        samples.place.scroll_into_view_if_needed()
        samples.run()
        picture = samples.output.locator("summary").first
        small = picture.bounding_box()
        picture.click()
        large = picture.bounding_box()
        assert small is not None
        assert large is not None
        assert large["width"] > 3 * small["width"]
        photograph(notebook.page, "lab_samples")
        stored = json.dumps(notebook.save())
        assert "widget-view" not in stored
        assert [] == notebook.errors
    with opened(chromium, lab, NOTEBOOK) as again:
        kept = again.cell("JobMonitor(job").output
        expect(kept.locator("details img").first).to_be_visible()
        expect(kept.get_by_text(PROMPTS[1], exact=True)).to_be_visible()


def test_an_interrupted_watch_says_when_it_saw_the_job(
    start: Start, watching: Watching, photograph: Photograph
) -> None:
    """And promises nothing anymore, with the samples of then."""
    start("interrupted")
    with watching("interrupted") as notebook:
        notebook.cell("import aitk_nb").run()
        watch = notebook.cell("JobMonitor(job")
        watch.start()
        watch.shows(" left")
        notebook.choose("Kernel", "Interrupt Kernel")
        watch.wait()
        watch.shows("when last seen, 20")
        expect(watch.output).not_to_contain_text(" left")
        photograph(notebook.page, "lab_monitor_interrupted")


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_stalled_job_is_told_and_repaired(
    start: Start, watching: Watching, photograph: Photograph
) -> None:
    """Once in the line and why below; the repair asks first, and then ends the watching."""
    job = start("stalls")
    with watching("stalls") as notebook:
        notebook.cell("import aitk_nb").run()
        watch = notebook.cell("JobMonitor(job")
        watch.start()
        watch.shows(" left")
        pid = job.refresh().pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            expect(watch.output).to_contain_text("hangs or has died")
            expect(watch.output).to_contain_text("stalled · step")
            expect(watch.output).not_to_contain_text(" left")
            watch.press("Mark as stopped …")
            watch.shows("no signal is sent")
            for theme in THEMES:
                notebook.wear(theme)
                photograph(notebook.page, f"lab_repair_{theme}")
            watch.press("Yes, mark it")
            watch.wait()
            watch.shows("stopped")
            assert JobStatus.STOPPED is job.refresh().status
        finally:
            os.kill(pid, signal.SIGKILL)
        assert [] == notebook.errors


SLOW = """
import time
from aitk_nb._display.progress import reporting
with reporting("auto", "uploading") as progress:
    for second in range(12):
        progress(second * 4_000_000, 44_000_000)
        time.sleep(0.5)
"""


def test_a_bar_is_seen_and_leaves_nothing(
    chromium: Browser, lab: JupyterLab, photograph: Photograph
) -> None:
    """While something is sent; the stored cell is as if there had been no bar."""
    write_notebook(lab.root / NOTEBOOK, (SLOW,))
    with opened(chromium, lab, NOTEBOOK) as notebook:
        cell = notebook.cell("reporting")
        cell.start()
        cell.shows(" left")
        expect(cell.output.get_by_role("progressbar", name="uploading")).to_be_visible()
        photograph(notebook.page, "lab_progress")
        cell.wait()
        expect(cell.output).not_to_contain_text("uploading")
        (output,) = notebook.save()["cells"][0]["outputs"]
        assert {} == output["data"]
        assert [] == notebook.errors
