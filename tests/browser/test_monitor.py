"""A monitor in JupyterLab: samples, log and GPU beside the plot, and a stalled job repaired."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import aitk_nb
from aitk_nb.demo import DemoServer
from aitk_nb.models.job import JobStatus
from tests.browser.conftest import Photograph
from tests.browser.notebook_page import NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab

NOTEBOOK = "watching.ipynb"
CELLS = (
    "import aitk_nb\nfrom aitk_nb.views import JobMonitor\n"
    "job = aitk_nb.connect({url!r}).jobs.get('stalls')",
    "await JobMonitor(job, price_per_hour=0.4).watch(every=0.5)",
)


@pytest.fixture
def job(demo_server: DemoServer, photos: Path) -> Iterator[aitk_nb.Job]:
    """A job that makes samples and takes long; it is gone afterwards."""
    given = {
        "name": "stalls",
        "dataset": "stalling",
        "steps": 10**6,
        "resolution": 64,
        "sample_every": 150,
        "prompts": ("a photograph of an officer", "a portrait"),
    }
    with aitk_nb.connect(demo_server.url) as client:
        client.datasets.upload(photos, "stalling")
        job = client.jobs.start(aitk_nb.TrainingParams.model_validate(given))
        yield job
        job.delete()


@pytest.fixture
def notebook(chromium: Browser, lab: JupyterLab, demo_server: DemoServer) -> Iterator[NotebookPage]:
    """A notebook that watches it."""
    write_notebook(lab.root / NOTEBOOK, [cell.format(url=demo_server.url) for cell in CELLS])
    with opened(chromium, lab, NOTEBOOK) as page:
        yield page


@pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")
def test_a_stalled_job_is_told_and_repaired(
    notebook: NotebookPage, job: aitk_nb.Job, photograph: Photograph
) -> None:
    """What stands beside the plot is seen; the repair asks first, and then ends the watching."""
    notebook.cell("import aitk_nb").run()
    watch = notebook.cell("JobMonitor(job")
    watch.start()
    expect(watch.output.locator("figure img")).to_have_count(2, timeout=60_000)
    watch.shows("cost 0.")
    watch.shows("GPU 0")
    for theme in ("dark", "light"):
        notebook.wear(theme)
        watch.output.locator("figure img").first.scroll_into_view_if_needed()
        photograph(notebook.page, f"lab_beside_{theme}")

    pid = job.refresh().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        expect(watch.output).to_contain_text("hangs or has died", timeout=60_000)
        watch.press("Mark as stopped …")
        watch.shows("no signal is sent")
        for theme in ("dark", "light"):
            notebook.wear(theme)
            photograph(notebook.page, f"lab_repair_{theme}")
        watch.press("Yes, mark it")
        watch.wait(30)
        watch.shows("stopped")
        assert JobStatus.STOPPED is job.refresh().status
    finally:
        os.kill(pid, signal.SIGKILL)
    assert [] == notebook.errors
