"""Take the README's pictures: the form and the monitor in JupyterLab, in both themes.

Run by `make screenshots`; ARGS names another folder than docs. `ARGS="--all build/views"` takes
every view at two widths into a folder to look at.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator

import aitk_nb
from aitk_nb import demo
from tests.browser import every_view
from tests.browser.notebook_page import NotebookPage, opened, write_notebook
from tests.browser.servers import JupyterLab, Theme, chromium, jupyter_lab

DOCS = Path(__file__).parents[2] / "docs"
THEMES: tuple[Theme, Theme] = ("light", "dark")
WIDTHS = {"form": 1160, "monitor": 900}
"""Of the window, so that the output is about as wide as a README."""
SCALE = 1.5
STEPS = 12_000
"""Enough that the training goes on while its pictures are taken."""
PROMPTS = ("portrait of [trigger]",)


@contextmanager
def _cells(
    browser: Browser, lab: JupyterLab, name: str, *cells: str
) -> Iterator[tuple[NotebookPage, Locator]]:
    """Open a notebook in which all cells but the last have run; yield the last one's output."""
    write_notebook(lab.root / f"{name}.ipynb", cells)
    with opened(browser, lab, f"{name}.ipynb", scale=SCALE) as notebook:
        # Nothing is to be cut off by the window or by the panels beside the notebook.
        notebook.page.set_viewport_size({"width": WIDTHS[name], "height": 2000})
        notebook.choose("View", "Appearance", "Show Left Sidebar")
        *first, last = (notebook.cell(cell.splitlines()[-1]) for cell in cells)
        for cell in first:
            cell.run()
        last.start()
        yield notebook, last.output.locator(".jp-OutputArea-output").first


def _keep(notebook: NotebookPage, output: Locator, folder: Path, name: str) -> None:
    """Take a picture of an output in each theme, small enough for a README."""
    for theme in THEMES:
        notebook.wear(theme)
        output.scroll_into_view_if_needed()
        notebook.page.wait_for_timeout(500)
        picture = Image.open(io.BytesIO(output.screenshot())).convert("RGB")
        ending = "-dark" if theme == "dark" else ""
        path = folder / f"{name}{ending}.png"
        # Coverage keeps rare colors, and the means the ground's own.
        kept = Image.Quantize.MAXCOVERAGE
        picture = picture.quantize(256, kept, kmeans=3, dither=Image.Dither.NONE)
        picture.save(path, optimize=True)


def main(folder: Path) -> None:
    """Take the README's pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, demo.start(Path(place, "server")) as server:
        root = Path(place, "notebooks")
        root.mkdir()
        with aitk_nb.connect(server.url) as client:
            dataset = client.datasets.upload(aitk_nb.example_photos(), "photos")
        form = (
            "import aitk_nb\nfrom aitk_nb.views import TrainingForm\n"
            f"client = aitk_nb.connect({server.url!r})",
            "params = aitk_nb.TrainingParams(name='my_cat', trigger_word='mycat', "
            f"dataset={dataset.name!r}, prompts={PROMPTS!r})\n"
            f"TrainingForm.of(client, params, images={len(dataset.images)})",
        )
        monitor = (
            "import aitk_nb\nfrom aitk_nb.views import JobMonitor\n"
            f"client = aitk_nb.connect({server.url!r})\n"
            f"params = aitk_nb.TrainingParams(name='my_cat', dataset={dataset.name!r}, "
            f"trigger_word='grace', steps={STEPS}, learning_rate=3e-4, resolution=[64], "
            f"sample_every={STEPS // 8}, save_every={STEPS // 4}, prompts={PROMPTS!r})\n"
            "job = client.jobs.start(params)",
            "await JobMonitor(job, price_per_hour=0.4).watch()",
        )
        with chromium() as browser, jupyter_lab(Path(place), root) as lab:
            with _cells(browser, lab, "form", *form) as (notebook, output):
                output.get_by_role("button", name="Start training").wait_for()
                _keep(notebook, output, folder, "form")
            with _cells(browser, lab, "monitor", *monitor) as (notebook, output):
                output.locator("img").nth(4).wait_for(state="attached")
                _keep(notebook, output, folder, "monitor")
        shutil.rmtree(root)


def take_every_view(folder: Path) -> None:
    """Take pictures of every view into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "notebooks")
        root.mkdir()
        with chromium() as browser, jupyter_lab(Path(place), root) as lab:
            every_view.take(browser, lab, Path(place), folder)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--all"]
    take = main if words == sys.argv[1:] else take_every_view
    take(Path(*words) if words else DOCS)
