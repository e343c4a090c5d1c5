"""Take pictures of every view in JupyterLab, to be looked at after a visual change.

Run by `make screenshots ARGS="--all build/views"`: each view in both themes and two widths.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

import aitk_nb
from aitk_nb import demo
from tests.browser.notebook_page import Cell, NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab, Theme

WIDTHS = (1200, 640)
THEMES: tuple[Theme, Theme] = ("light", "dark")
HEIGHT = 3600
"""Enough that no view has to scroll."""
TOKEN = "shown-in-no-picture"
NOTEBOOK = "every_view.ipynb"

START = """
import aitk_nb
from aitk_nb import views
client = aitk_nb.connect({url!r})
sent = client.datasets.upload({photos!r}, "photos")
common = dict(dataset="photos", resolution=64, save_every=100, sample_every=100)
prompts = ["portrait of [trigger], smiling", "a white cap, on a table"]
def params(name, steps=400, **more):
    given = dict(name=name, steps=steps, trigger_word="grace", prompts=prompts)
    return aitk_nb.TrainingParams(**common, **given | more)
rates = (1e-4, 5e-4, 2e-3)
runs = client.jobs.start_all(params(f"grace_{{one:g}}", learning_rate=one) for one in rates)
done = [run.wait() for run in runs]
job = runs[-1]
local = aitk_nb.LocalDataset({folder!r}).check()
plan, losses = local.buckets([512, 768]), job.losses()
compared = aitk_nb.compare_jobs(runs)
lora = job.download({downloads!r}).path
"""
FORM = "views.TrainingForm.of(client, params('my_cat'), images=12)"

VIEWS = {
    "client": "client",
    "connection": "views.ConnectionForm({closed!r}, on_check=aitk_nb.check_auth)",
    "connection-rejected": "views.ConnectionForm({closed!r}, on_check=aitk_nb.check_auth)  # no",
    "connection-accepted": "views.ConnectionForm({closed!r}, on_check=aitk_nb.check_auth)  # yes",
    "connection-open": "views.ConnectionForm({url!r}, on_check=aitk_nb.check_auth)",
    "connection-nonsense": "views.ConnectionForm('htp:/x', on_check=aitk_nb.check_auth)",
    "dataset-empty": "views.DatasetForm()",
    "dataset": "views.DatasetForm({folder!r}, name='portraits')",
    "dataset-captions": "views.DatasetForm({folder!r}, name='captions')",
    "dataset-buckets": "views.DatasetForm({folder!r}, name='buckets')",
    "training": FORM,
    "training-open": f"{FORM}  # open",
    "training-wrong": f"{FORM}  # wrong",
    "monitor-ended": "await views.JobMonitor(job, price_per_hour=0.4).watch()",
    "samples": "job.samples()",
    "sample-grid": "views.sample_grid(job)",
    "loss": "views.plot_loss(losses, checkpoints=job.checkpoints(), learning_rate=True)",
    "loss-several": "views.plot_loss(compared.histories, title='Loss by learning rate')",
    "losses": "losses",
    "compare": "compared",
    "buckets": "views.plot_buckets(plan)",
    "bucket-table": "plan",
    "contact-sheet": "views.contact_sheet(local)",
    "dataset-report": "local",
    "verify": "client.datasets.verify({photos!r}, 'photos', verify='full')",
    "jobs": "client.jobs.list()",
    "job": "job.summary()",
    "lora": "aitk_nb.inspect_lora(lora)",
    "lora-plot": "views.plot_lora(lora)",
    "saved": "views.SavedFiles(lora)",
    "preflight": "client.jobs.preflight(params('next'))",
    "dry-run": "client.jobs.plan(params('next'))",
    "auth": "aitk_nb.check_auth({closed!r}, token=" + repr(TOKEN) + ")",
    "doctor": "client.doctor()",
    "discover": "aitk_nb.discover({url!r})",
    "error-unreachable": "aitk_nb.connect('http://127.0.0.1:9')",
    "error-params": "aitk_nb.TrainingParams(name='a', dataset='<b>b', steps=0)",
    "error-taken": "client.jobs.start(params(job.name, steps=300))",
    "monitor": "await views.JobMonitor(client.jobs.start(params('long', 10**6))).watch(every=0.5)",
    "monitor-stop": "",
}
"""Each view's cell, in the order in which they run; the last two are one cell that goes on."""


def _reject(cell: Cell) -> None:
    cell.fill_in("Token or password", "mistyped-0815")
    cell.press("Check")
    cell.shows("rejected")


def _accept(cell: Cell) -> None:
    cell.fill_in("Token or password", TOKEN)
    cell.press("Check")
    cell.shows("Connected to")


def _check(cell: Cell) -> None:
    cell.press("Check")
    cell.output.locator("text=/Connected|http/").first.wait_for()
    cell.place.page.wait_for_timeout(1500)


def _tab(title: str) -> Callable[[Cell], None]:
    def open_it(cell: Cell) -> None:
        cell.output.get_by_role("tab", name=title).click()
        if title == "Buckets":
            cell.shows("per epoch")
        else:
            cell.fill_in("Prefix", "old film, ")
            cell.shows("skipped")

    return open_it


def _open(cell: Cell) -> None:
    for toggle in cell.output.get_by_role("button").filter(has_text="▸").all_text_contents():
        cell.press(toggle)
    cell.press("Check")
    cell.shows("GPU 0")


def _spoil(cell: Cell) -> None:
    cell.fill_in("Steps", "many")
    cell.fill_in("Learning Rate", "0")
    cell.shows("2 errors")


ACTS: dict[str, Callable[[Cell], None]] = {
    "connection-rejected": _reject,
    "connection-accepted": _accept,
    "connection-open": _check,
    "connection-nonsense": _check,
    "dataset": lambda cell: cell.shows("can't be used"),
    "dataset-captions": _tab("Change all captions"),
    "dataset-buckets": _tab("Buckets"),
    "training-open": _open,
    "training-wrong": _spoil,
}
"""What somebody does with a view before its picture is taken."""


def take(browser: Browser, lab: JupyterLab, place: Path, folder: Path) -> None:
    """Take all pictures into `folder`; datasets and servers have their files in `place`."""
    photos = aitk_nb.example_photos()
    closed = demo.start(place / "closed", token=TOKEN)
    with closed, demo.start(place / "open") as server:
        values = {
            "url": server.url,
            "closed": closed.url,
            "photos": str(photos),
            "folder": str(_broken(photos, place / "portraits")),
            "downloads": str(lab.root / "runs"),
        }
        codes = [code.strip().format(**values) for code in (START, *VIEWS.values()) if code]
        write_notebook(lab.root / NOTEBOOK, tuple(codes))
        with opened(browser, lab, NOTEBOOK) as notebook:
            _take(notebook, folder)


def _broken(photos: Path, folder: Path) -> Path:
    """Copy photos: one is cut off, one has a caption in Latin-1, and two have none."""
    shutil.copytree(photos, folder)
    images = sorted(folder.glob("*.jpg"))
    images[3].write_bytes(images[3].read_bytes()[:5000])
    images[4].with_suffix(".txt").write_bytes("Frau Müller im Hof".encode("latin-1"))
    for image in images[5:7]:
        image.with_suffix(".txt").unlink()
    return folder


def _take(notebook: NotebookPage, folder: Path) -> None:
    page = notebook.page
    notebook.choose("View", "Appearance", "Show Left Sidebar")
    page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
    places = page.locator(".jp-CodeCell")
    start = Cell(places.first)
    start.run(300)
    cells: dict[str, Cell] = {}
    for number, (name, code) in enumerate(VIEWS.items(), 1):
        cell = Cell(places.nth(number)) if code else cells["monitor"]
        cell.place.scroll_into_view_if_needed()
        if name == "monitor":
            cell.start()
            cell.output.locator("details img").nth(3).wait_for(timeout=60_000)
        elif code:
            cell.run()
            ACTS.get(name, lambda _cell: None)(cell)
        else:
            _pictures(notebook, cells, folder)
            cell.press("Stop the job …")
            _pictures(notebook, {name: cell}, folder)
            cell.press("Yes, stop it")
            cell.wait()
        cells[name] = cell


def _pictures(notebook: NotebookPage, cells: dict[str, Cell], folder: Path) -> None:
    for width in WIDTHS:
        notebook.page.set_viewport_size({"width": width, "height": HEIGHT})
        for theme in THEMES:
            notebook.wear(theme)
            for name, cell in cells.items():
                cell.output.scroll_into_view_if_needed()
                notebook.page.wait_for_timeout(200)
                cell.output.screenshot(path=folder / f"{name}-{width}-{theme}.png")
