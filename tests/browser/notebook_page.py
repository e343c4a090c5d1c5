"""`NotebookPage` and `Cell`: a notebook in JupyterLab or Notebook 7, and what is done with it."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, expect

from aitk_nb.notebooks.run import find
from tests.browser.servers import JupyterLab, Theme

__all__ = ["SHIFTS", "App", "Cell", "NotebookPage", "opened", "shipped", "write_notebook"]

App = Literal["lab", "notebook"]
PATIENCE = 120.0
"""Seconds after which something does not come anymore: no test fails because a machine is slow."""
_THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
_PIXELS = """image => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 350, height: 175});
    canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL();
}"""
"""A function of the page: what an image looks like, as text."""

SHIFTS = """() => {
    window.shifts = 0;
    new PerformanceObserver(list => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts += one.value;
    }).observe({type: 'layout-shift'});
}"""
"""A function of the page: adds up what moves by itself from now on."""


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    """Write a notebook of these cells of code."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(book, path)


def shipped(stem: str, **values: object) -> tuple[str, ...]:
    """Return the code of a shipped notebook, with these values of its parameters."""
    (path,) = (path for path in find() if path.stem == stem)
    cells = nbformat.read(path, as_version=4).cells
    first, *others = (str(cell.source) for cell in cells if cell.cell_type == "code")
    for name, value in values.items():
        pattern = rf"(?m)^({name}: .*? = ).*?(?=  #|$)"
        first, count = re.subn(pattern, lambda found, new=value: f"{found[1]}{new!r}", first)
        assert count == 1, name
    return first, *others


class Cell:
    """One cell of code on the page."""

    def __init__(self, place: Locator) -> None:
        """Look at the cell that is at `place`."""
        self.place = place
        self.output = place.locator(".jp-Cell-outputWrapper")
        self._prompt = place.locator(".jp-InputPrompt").first
        self._before = ""

    def start(self) -> None:
        """Run the cell, and do not wait for its end."""
        self.note()
        self.place.locator(".cm-content").click()
        self.place.page.keyboard.press("Control+Enter")

    def note(self) -> None:
        """Remember the number of the last run, before something else runs the cell again."""
        # The inner text of a cell out of sight is empty.
        self._before = (self._prompt.text_content() or "").strip()

    def wait(self, seconds: float = PATIENCE) -> None:
        """Wait until the cell has run."""
        expect(self._prompt).to_have_text(self._done(), timeout=1000 * seconds)

    def run(self, seconds: float = PATIENCE) -> None:
        """Run the cell and wait for its end."""
        self.start()
        self.wait(seconds)

    @property
    def is_running(self) -> bool:
        """True while what was started has not ended."""
        return not self._done().match(self._prompt.text_content() or "")

    def _done(self) -> re.Pattern[str]:
        """Return the number of an execution that is not the one before."""
        return re.compile(rf"^\s*(?!{re.escape(self._before)})\[\d+\]:\s*$")

    def field(self, label: str) -> Locator:
        """Return the field of a form that has this label."""
        return self.output.get_by_label(label, exact=True)

    def fill_in(self, label: str, text: str) -> None:
        """Type into a field in place of what is there, key by key."""
        field = self.field(label)
        field.click()
        field.press("Control+a")
        field.press_sequentially(text)

    def press(self, button: str) -> None:
        """Press a button of the form."""
        self.output.get_by_role("button", name=button).click()

    def shows(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until the text is seen below the cell."""
        expect(self.output).to_contain_text(text, timeout=1000 * seconds)

    def different_pictures(self, seconds: float = 2 * PATIENCE) -> list[str]:
        """Return the different pictures that are seen while the cell runs, in their order."""
        picture = self.output.locator("img[width='700']")
        seen: list[str] = []
        deadline = time.monotonic() + seconds
        while self.is_running:
            assert time.monotonic() < deadline, f"after {seconds} s the cell still runs"
            try:
                now = picture.evaluate(_PIXELS, timeout=500) if picture.count() else ""
            except Error:
                now = ""  # the picture is just being exchanged
            if now and now not in seen:
                seen.append(now)
            self.place.page.wait_for_timeout(100)
        return seen


class NotebookPage:
    """A notebook in JupyterLab, or in Notebook 7, which is served beside it."""

    def __init__(self, page: Page, lab: JupyterLab, name: str, app: App = "lab") -> None:
        """Open the notebook, and wait until its kernel can run a cell."""
        self.page = page
        self._lab, self._app = lab, app
        self.path = lab.root / name
        self.errors: list[str] = []
        """What the page's scripts complained about."""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # In the workspace of all, the notebooks of other tests would be opened again as well.
        places = {"lab": f"lab/workspaces/{uuid.uuid4().hex}/tree", "notebook": "notebooks"}
        page.goto(f"{lab.url}{places[app]}/{name}?token={lab.token}")
        lab.wait_for_kernel(name)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")

    def cell(self, words: str) -> Cell:
        """Return the cell whose code has these words."""
        code = self.page.locator(".cm-content", has_text=words)
        place = self.page.locator(".jp-CodeCell", has=code)
        expect(place).to_have_count(1)
        return Cell(place)

    def wear(self, theme: Theme) -> None:
        """Choose the theme from the menu."""
        self.choose("Settings", "Theme", _THEMES[theme])
        sign = "false" if theme == "dark" else "true"
        self.page.wait_for_selector(f"body[data-jp-theme-light={sign}]", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def restart(self) -> None:
        """Restart the kernel from the menu, and wait until it can run a cell."""
        self.choose("Kernel", "Restart Kernel…")
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()
        self._lab.wait_for_kernel(self.path.name)

    def choose(self, *entries: str) -> None:
        """Click through the menu."""
        for entry in entries:
            words = re.compile(rf"^{re.escape(entry)}$")
            labels = ".lm-MenuBar-itemLabel, .lm-Menu-itemLabel"
            self.page.locator(labels, has_text=words).click()

    def run_all(self) -> None:
        """Choose *Run All* from the menu."""
        self.choose("Run", "Run All Cells")

    def save(self) -> dict[str, Any]:
        """Save the notebook by its key, and return what is in the file."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        deadline = time.monotonic() + 20
        while self.path.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline, "the notebook was not saved"
            self.page.wait_for_timeout(50)
        self.page.wait_for_timeout(200)
        return dict(json.loads(self.path.read_text(encoding="utf-8")))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")


@contextmanager
def opened(
    chromium: Browser, lab: JupyterLab, name: str, app: App = "lab", scale: float = 1
) -> Iterator[NotebookPage]:
    """Open a notebook in a browser that knows nothing yet; afterwards no kernel is left."""
    view = {"width": 1280, "height": 1000}
    context = chromium.new_context(viewport=view, device_scale_factor=scale)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * PATIENCE)
    try:
        yield NotebookPage(context.new_page(), lab, name, app)
    finally:
        context.close()
        lab.shut_kernels_down()
