"""Draw the pictures of the authentication report anew; needs the extra `browser` and a Chromium."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

import aitk_nb
from aitk_nb import demo

HERE = Path(__file__).parent


def main() -> None:
    """Check an embedded server that has a token, and save the page for light and dark screens."""
    token = secrets.token_hex(8)
    with demo.start(token=token) as server:
        page = aitk_nb.check_auth(server.url, token=token).to_html()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme, name in (("light", "auth.png"), ("dark", "auth-dark.png")):
            shown = browser.new_page(
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": 860, "height": 100},
            )
            shown.set_content(page)
            shown.screenshot(path=HERE / name, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
