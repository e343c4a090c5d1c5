"""axe-core finds nothing serious in our views, light and dark, and every caption has its name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Locator, expect

from aitk_nb.demo import DemoServer
from tests.browser.notebook_page import Cell, NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab
from tests.browser.test_saved_pages import FAINT_TEXTS, LEAST_CONTRAST

NOTEBOOK = "all_views.ipynb"
START = """
import aitk_nb
from aitk_nb import views
from IPython.display import display
client = aitk_nb.connect({url!r})
sent = client.datasets.upload({photos!r}, "axe")
given = dict(dataset="axe", resolution=64, sample_every=100, prompts=["a [trigger]"])
def params(name, steps):
    return aitk_nb.TrainingParams(name=name, steps=steps, **given)
"""
FORMS = (
    "views.ConnectionForm('htp:/x', on_check=aitk_nb.check_auth)",
    "accepted = views.ConnectionForm(client.url, on_check=aitk_nb.check_auth)\naccepted",
    "photos = views.DatasetForm({folder!r})\nphotos",
    "form = views.TrainingForm.of(client, params('axe', 200))\nform",
)
REPORTS = """
job = client.jobs.start(params("axe", 200))
job.wait()
local = aitk_nb.LocalDataset({folder!r}).check()
plan, losses = local.buckets([64]), job.losses()
display(local, views.contact_sheet(local), plan, views.plot_buckets(plan), job, job.summary())
display(losses, views.plot_loss([losses, losses]), job.samples(), client.jobs.list())
display(client.jobs.preflight(params("axe2", 100)), client.jobs.plan(params("axe2", 100)))
display(client.datasets.verify({photos!r}, "axe"), client.doctor(), client.check_auth())
display(aitk_nb.discover({url!r}), aitk_nb.inspect_lora(job.download({folder!r} + "_lora").path))
"""
WATCH = """
long = client.jobs.start(params("axe_long", 10**6))
await views.JobMonitor(long).watch(every=0.5)
"""
AXE = """async output => {
    const found = await axe.run(output, {resultTypes: ['violations']});
    const serious = found.violations.filter(one => ['serious', 'critical'].includes(one.impact));
    const told = serious.flatMap(one => one.nodes.map(node => `${one.id}: ${node.html} `
        + node.any.concat(node.all, node.none).map(check => check.message).join('; ')));
    return [told, found.passes.map(one => one.id)];
}"""
"""A function of the page: what axe-core calls serious or critical in an element, and its rules."""


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    """Photos of which one is broken and one has no caption."""
    folder = shutil.copytree(photos, tmp_path / "axe")
    (folder / "photo_03.jpg").write_bytes(b"<html>")
    (folder / "photo_05.txt").unlink()
    return folder


@pytest.fixture
def notebook(
    chromium: Browser, lab: JupyterLab, demo_server: DemoServer, photos: Path, folder: Path
) -> Iterator[NotebookPage]:
    """A notebook with every view."""
    values = {"url": demo_server.url, "photos": str(photos), "folder": str(folder)}
    cells = (START, *FORMS, REPORTS, "aitk_nb.connect('http://127.0.0.1:9')", WATCH)
    write_notebook(lab.root / NOTEBOOK, tuple(cell.strip().format(**values) for cell in cells))
    with opened(chromium, lab, NOTEBOOK) as page:
        yield page


def open_everything(notebook: NotebookPage) -> Cell:
    """Run all, and show what is hidden at first, with something to complain about."""
    for number in range(1 + len(FORMS) + 2):
        Cell(notebook.page.locator(".jp-CodeCell").nth(number)).run()
    watch = notebook.cell("JobMonitor(long")
    watch.start()
    watch.shows("running · step")
    notebook.cell("accepted = ").press("Check")
    notebook.cell("accepted = ").shows("Connected to")
    form = notebook.cell("TrainingForm.of(")
    for title in ("Model", "Network", "Datasets", "Training", "Saving and samples", "Advanced"):
        form.press(f"▸ {title}")
    form.press("▸ Request")
    form.fill_in("Steps", "many")
    form.shows("1 error: Steps")
    watch.press("Stop the job …")
    return watch


def serious(output: Locator) -> list[str]:
    """Return what axe-core finds in an output, which it has to see for that."""
    output.scroll_into_view_if_needed()
    found, rules = output.evaluate(AXE)
    assert len(rules) >= 8, f"axe-core did not see the output: {rules}"
    return [one[:500] for one in found]


def test_axe_finds_nothing_serious(notebook: NotebookPage) -> None:
    """In all forms, the monitor and every report, in both themes; the names of captions differ."""
    watch = open_everything(notebook)
    notebook.page.evaluate(AXE_SCRIPT)
    # JupyterLab lets the browser skip what is out of sight, and axe-core would skip it too.
    notebook.page.add_style_tag(content="* {content-visibility: visible !important}")
    photos = notebook.cell("DatasetForm(")
    names = photos.output.locator(".widget-textarea label").all_text_contents()
    assert {f"photo_{number:02}.jpg" for number in range(12)} == set(names)
    for name in names:
        expect(photos.field(name)).to_have_accessible_name(name)
    found = []
    for theme in ("light", "dark"):
        notebook.wear(theme)
        for output in notebook.page.locator(
            ".jp-Cell-outputWrapper", has_text=re.compile(".")
        ).all():
            found += [f"{theme}: {one}" for one in serious(output)]
        for tab in ("Change all captions", "Buckets", "Images and captions"):
            photos.output.get_by_role("tab", name=tab).click()
            found += [f"{theme} {tab}: {one}" for one in serious(photos.output)]
        # axe-core passes over the contrast of most outputs: it cannot tell their mixed colors.
        found += [f"{theme}: {one}" for one in notebook.page.evaluate(FAINT_TEXTS, LEAST_CONTRAST)]
    assert [] == found
    watch.press("Yes, stop it")
    watch.wait()
