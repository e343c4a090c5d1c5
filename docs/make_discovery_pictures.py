"""Draw the pictures of the discovery report anew; needs the extra `browser` and a Chromium."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

import aitk_nb
from aitk_nb import demo

HERE = Path(__file__).parent

HEIGHT = 980
"""Pixels of the page that are shown: the summary, the operations and the first endpoints."""


def main() -> None:
    """Discover an embedded server, and save the top of its page for light and dark screens."""
    with demo.start() as server:
        page = aitk_nb.discover(server.url).to_html()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme, name in (("light", "discovery.png"), ("dark", "discovery-dark.png")):
            shown = browser.new_page(
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": 1000, "height": HEIGHT},
            )
            shown.set_content(page)
            shown.screenshot(path=HERE / name)
        browser.close()


if __name__ == "__main__":
    main()
