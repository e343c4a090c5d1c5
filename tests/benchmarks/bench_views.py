"""How soon a page shows what has changed: `python tests/benchmarks/bench_views.py`.

Measured in JupyterLab in a real Chromium: from a key in the training form to the new summary, from
a click to a redrawn plot of 100,000 points, and how much a monitor moves by itself: CLS, the sum of
`layout-shift` entries. Needs the extra `browser` and a Chromium, and is skipped without them.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)  # the kernel's as well

import aitk_nb  # noqa: E402
from aitk_nb import demo  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.notebook_page import Cell, NotebookPage
    from tests.browser.servers import JupyterLab

RUNS = 21
LIMITS = {"typing to summary": 100, "redraw of 100,000 points": 250, "CLS of the monitor": 0.05}
FORM = """
from aitk_nb import TrainingParams
from aitk_nb.views import TrainingForm
form = TrainingForm(TrainingParams(name="cat", dataset="photos"), images=12)
form
"""
PLOT = """
import ipywidgets as widgets
import numpy as np
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossColumns
from aitk_nb.views import plot_loss
steps = np.arange(100_000)
noise = np.random.default_rng(1).gamma(2, 0.05, len(steps))
values = (0.3 + np.exp(-steps / 25_000) + noise).tolist()
history = LossHistory({"loss/loss": LossColumns(steps.tolist(), (1.7e9 + steps).tolist(), values)})
figure, picture = plot_loss(history), widgets.HTML()
def redraw(button):
    figure.redraw(history, title=button.tooltip)
    picture.value = str(figure.html())
    button.tooltip += "."
again = widgets.Button(description="Redraw", tooltip="Loss")
again.on_click(redraw)
widgets.VBox([again, picture])
"""
WATCH = """
import aitk_nb
from aitk_nb.views import JobMonitor
job = aitk_nb.connect({url!r}).jobs.get("moves")
await JobMonitor(job).watch(every=0.5)
"""
TIMED = """(root, [event, part]) => {
    window.took = [];
    const found = () => [...root.querySelectorAll(part)].at(-1);
    const look = () => found()?.src || found()?.innerText;
    root.addEventListener(event, () => {
        const since = performance.now(), before = look();
        const check = async () => {
            if (look() === before) return requestAnimationFrame(check);
            if (found().decode) await found().decode();
            requestAnimationFrame(() => window.took.push(performance.now() - since));
        };
        check();
    }, true);
}"""
"""A function of the page: notes how long after each event the last such part has changed."""


def main() -> int:
    """Print the figures, and return 1 if one of them is worse than promised."""
    try:
        from tests.browser import servers
    except ImportError as exc:
        _print(f"views: skipped, {exc.name} is missing: sh .ci/venv browser")
        return 0
    if hasattr(os, "getloadavg"):
        _print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, demo.start(Path(folder) / "data") as server:
        home, root = Path(folder) / "home", Path(folder) / "notebooks"
        root.mkdir()
        try:
            with servers.chromium() as browser, servers.jupyter_lab(home, root) as lab:
                return _measure(browser, lab, server.url)
        except servers.NoChromium as exc:
            _print(f"views: skipped. {exc}")
            return 0


def _measure(browser: Browser, lab: JupyterLab, url: str) -> int:
    from tests.browser.notebook_page import opened, write_notebook

    write_notebook(lab.root / "views.ipynb", (FORM, PLOT, WATCH.format(url=url)))
    with opened(browser, lab, "views.ipynb") as notebook, aitk_nb.connect(url) as client:
        form, plot, monitor = map(notebook.cell, ("TrainingForm(", "redraw", "JobMonitor(job)"))
        form.run()
        form.shows("3000 steps")
        steps = form.field("Steps")
        steps.click()
        steps.press("End")
        keys = ("0", "Backspace")
        late = _timed("typing to summary", form, "input", "[role=status]", keys, steps.press)
        plot.run()
        redraw = plot.output.get_by_role("button", name="Redraw")
        redraw.click()
        plot.output.locator("img").wait_for()
        what = "redraw of 100,000 points"
        late += _timed(what, plot, "click", "img", ("",), lambda _key: redraw.click())
        return late + int(_shift(notebook, monitor, client))


def _timed(
    what: str, cell: Cell, event: str, part: str, keys: Sequence[str], act: Callable[[str], None]
) -> int:
    """Do something again and again, and print the median of the milliseconds that it takes."""
    cell.output.evaluate(TIMED, [event, part])
    page = cell.place.page
    for turn in range(RUNS):
        act(keys[turn % len(keys)])
        page.wait_for_function(f"window.took.length > {turn}")
        page.wait_for_timeout(100)
    took = page.evaluate("window.took")
    return _told(what, statistics.median(took), " ms")


def _shift(notebook: NotebookPage, monitor: Cell, client: aitk_nb.AIToolkitClient) -> int:
    """Follow a job that makes samples from its first picture to its end."""
    from tests.browser.notebook_page import SHIFTS

    dataset = client.datasets.upload(aitk_nb.example_photos(), "photos").name
    given = {"name": "moves", "dataset": dataset, "steps": 800, "sample_every": 200}
    given |= {"prompts": ["a portrait", "a photograph"], "resolution": 64}
    client.jobs.start(aitk_nb.TrainingParams.model_validate(given))
    monitor.start()
    monitor.output.locator("img[alt^='loss/loss']").wait_for()
    notebook.page.wait_for_timeout(600)  # what scrolling to the cell moves is not its own
    notebook.page.evaluate(SHIFTS)
    monitor.shows("800 of 800", seconds=120)
    monitor.wait()
    notebook.page.wait_for_timeout(600)
    return _told("CLS of the monitor", notebook.page.evaluate("window.shifts"))


def _told(what: str, value: float, unit: str = "") -> int:
    limit = LIMITS[what]
    verdict = "" if value <= limit else "  MISSED"
    _print(f"{what}: {value:.{0 if unit else 3}f}{unit}, at most {limit:g}{unit}{verdict}")
    return int(value > limit)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
