"""The stored notebooks as pages without any script: values, plots and what to do next are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Page

from aitk_nb.notebooks.run import find
from tests.browser.conftest import Photograph
from tests.browser.servers import Theme

SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
PICTURES = {"image/png"}

LEAST_CONTRAST = 4.5
"""Of text to its background, as WCAG asks of body text."""

FAINT_TEXTS = """least => {
    // A mixed color is told as `color(srgb r g b / a)`, with shares of 1.
    const parts = color => color.match(/[\\d.]+/g)
        .map((v, i) => color.startsWith('color(') && i < 3 ? 255 * v : Number(v));
    const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => .2126 * linear(r) + .7152 * linear(g) + .0722 * linear(b);
    const over = ([r, g, b, a = 1], ground) =>
        [r, g, b].map((v, i) => a * v + (1 - a) * ground[i]);
    const ground = node => {
        for (; node; node = node.parentElement) {
            const color = parts(getComputedStyle(node).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const cells = '.jp-OutputArea :is(th, td, strong, span, div, pre):not([aria-hidden])';
    return [...document.querySelectorAll(cells)]
        .filter(node => [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim()))
        .map(node => {
            const behind = ground(node);
            const text = over(parts(getComputedStyle(node).color), behind);
            const [a, b] = [light(text), light(behind)];
            return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.innerText];
        })
        .filter(([contrast]) => contrast < least);
}"""
"""A function of the page: texts of the outputs with less contrast than `least`."""


FOLDED_TITLES = """() => [...document.querySelectorAll('caption strong')]
    .filter(title => title.getClientRects().length > 1)
    .map(title => title.innerText)"""
"""A function of the page: titles of tables that take more than one line."""


class _Text(HTMLParser):
    """The pieces of text of a fragment."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._is_style = False
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._is_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._is_style = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_style:
            self.pieces.append(" ".join(data.split()))


def as_page(notebook: Any, theme: Theme) -> str:
    """Return the notebook as a page that holds no script."""
    exporter = HTMLExporter(theme=theme)  # type: ignore[no-untyped-call]
    html, _ = exporter.from_notebook_node(notebook)
    page = SCRIPT.sub("", html)
    assert "<script" not in page.lower()
    return page


def bundles(notebook: Any) -> Iterator[dict[str, Any]]:
    """Go through the data of all outputs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield output.get("data", {})


def widths(notebook: Any) -> list[int]:
    """Return how wide each picture of the outputs is to be shown."""
    return [
        output["metadata"][kind]["width"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for kind in PICTURES & output.get("data", {}).keys()
    ]


def written(notebook: Any) -> set[str]:
    """Return every piece of text that the outputs hold for people."""
    pieces: set[str] = set()
    for data in bundles(notebook):
        if "text/html" in data:
            pieces.update(_Text(data["text/html"]).pieces)
        elif not PICTURES & data.keys():
            pieces.add(" ".join(data.get("text/plain", "").split()))
    return pieces


def visible(page: Page) -> str:
    """Return what is read on the page, in one line."""
    return " ".join(page.locator("body").inner_text().split())


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    """Both themes of JupyterLab, in a browser that prefers the same."""
    return "dark" if request.param == "dark" else "light"


@pytest.fixture
def page(chromium: Browser, theme: Theme) -> Iterator[Page]:
    """A page on which no script runs."""
    context = chromium.new_context(
        java_script_enabled=False,
        color_scheme=theme,
        offline=True,
        viewport={"width": 1100, "height": 900},
    )
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", find(), ids=lambda path: path.stem)
def test_a_stored_notebook_shows_all_without_any_script(
    path: Path, theme: Theme, page: Page, photograph: Photograph
) -> None:
    """Values, pictures and next steps are seen, and the text is legible, in either theme."""
    notebook = nbformat.read(path, as_version=4)
    page.set_content(as_page(notebook, theme), wait_until="load")
    photograph(page, f"page_{path.stem}_{theme}")

    seen = visible(page)
    assert not {piece for piece in written(notebook) if piece not in seen}
    measure = "all => all.map(i => [i.naturalWidth, i.width])"
    # A badge comes from the network, which is not there.
    sizes = page.locator("img:not([src^='http'])").evaluate_all(measure)
    # As wide as each was made for, so that none shrinks to the page, and sharp on a finer screen.
    assert widths(notebook) == [w for _, w in page.locator("img[width]").evaluate_all(measure)]
    assert [] == [(drawn, shown) for drawn, shown in sizes if drawn < 1.19 * shown]
    assert page.get_by_role("heading", name="Next").is_visible()
    links = page.locator(".jp-Cell").last.get_by_role("link")
    assert links.count() > 0
    assert all(link.is_visible() for link in links.all())
    assert [] == page.evaluate(FAINT_TEXTS, LEAST_CONTRAST)
    assert [] == page.evaluate(FOLDED_TITLES)
