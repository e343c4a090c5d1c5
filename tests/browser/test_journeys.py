"""Whole ways to a LoRA in JupyterLab: with a broken photo, and with a kernel that is restarted."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import aitk_nb
from aitk_nb.demo import DemoServer
from tests.browser.conftest import Photograph
from tests.browser.notebook_page import NotebookPage, opened, shipped, write_notebook
from tests.browser.servers import JupyterLab

FIRST, SECOND = "first.ipynb", "second.ipynb"


def trained(notebook: NotebookPage, name: str) -> None:
    """Press the button once nothing else is to be done, and wait for the LoRA."""
    notebook.cell("form.started(").shows("Nothing starts until")
    notebook.cell("TrainingForm.of(").press("Start training")
    notebook.cell("SavedFiles(").shows(f"{name}.safetensors")


@pytest.mark.journey
@pytest.mark.parametrize("remedy", ["Leave out 1", "Fix 1 file"])
def test_a_first_lora_from_photos_of_which_one_is_broken(
    chromium: Browser,
    lab: JupyterLab,
    demo_server: DemoServer,
    photos: Path,
    tmp_path: Path,
    photograph: Photograph,
    remedy: str,
) -> None:
    """The folder is typed, the form says what to do, and all others are trained on."""
    name, url = f"holiday_{uuid.uuid4().hex[:6]}", demo_server.url
    folder = shutil.copytree(photos, tmp_path / "holiday")
    broken = folder / "photo_03.jpg"
    broken.write_bytes(broken.read_bytes()[:3000])
    values = {"url": url, "out": str(tmp_path / "runs")}
    write_notebook(lab.root / FIRST, shipped("03_upload_dataset", **values))
    write_notebook(lab.root / SECOND, shipped("04_train", **values, dataset=name, steps=45))
    with opened(chromium, lab, FIRST) as notebook:
        for words in ("url: str", "import aitk_nb", "ConnectionForm(url", "connection.connected("):
            notebook.cell(words).run()
        form = notebook.cell("DatasetForm(")
        form.run()
        form.fill_in("Folder", str(folder))
        form.fill_in("Name", name)
        form.shows("1 image can't be used")
        photograph(notebook.page, f"lab_broken_{remedy.split()[0].lower()}")
        form.press(remedy)
        expect(form.output).not_to_contain_text("can't be used")
        notebook.cell("choice = form.value").place.locator(".cm-content").click()
        notebook.choose("Run", "Run Selected Cell and All Below")
        notebook.cell("SavedFiles(").shows(f"runs/{name}")
        notebook.cell("datasets.upload(").shows("11")
        assert [] == notebook.errors
    with opened(chromium, lab, SECOND) as notebook:
        notebook.run_all()
        notebook.cell("TrainingForm.of(").fill_in("Training Name", name)
        trained(notebook, name)
        assert [] == notebook.errors
    with aitk_nb.connect(url) as client:
        assert 11 == len(client.datasets.get(name).images)
        assert 45 == client.jobs.get(name).state.step


@pytest.mark.journey
def test_a_kernel_that_is_restarted_in_the_middle_finds_the_job_again(
    chromium: Browser, lab: JupyterLab, demo_server: DemoServer, photograph: Photograph
) -> None:
    """The job goes on without the kernel, and is the one that the next *Run All* ends with."""
    name = f"restarted_{uuid.uuid4().hex[:6]}"
    cells = shipped("04_train", url=demo_server.url, name=name, steps=2000, save_every=500)
    write_notebook(lab.root / FIRST, cells)
    with aitk_nb.connect(demo_server.url) as client, opened(chromium, lab, FIRST) as notebook:
        notebook.run_all()
        notebook.cell("form.started(").shows("Nothing starts until")
        notebook.cell("TrainingForm.of(").press("Start training")
        notebook.cell("JobMonitor(job)").shows("running · step")
        before = client.jobs.get(name).refresh()
        notebook.restart()
        assert not client.jobs.get(name).refresh().status.is_final
        notebook.run_all()
        trained(notebook, name)
        photograph(notebook.page, "lab_restarted")
        after = client.jobs.get(name).refresh()
        assert (before.id, 2000) == (after.id, after.step)
        steps, _ = client.jobs.get(name).losses().columns()
        assert len(set(steps)) == len(steps)
        assert [] == notebook.errors
