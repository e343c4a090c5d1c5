"""What the browser tests share: one Chromium, one JupyterLab, and a place for screenshots."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from aitk_nb.notebooks.run import find
from tests.browser.servers import JupyterLab, jupyter_lab

ROOT = Path(__file__).parents[2]
# Read at once: no variable of ours reaches a test.
SCREENSHOTS = os.environ.get("AITK_SCREENSHOTS", "")

Photograph = Callable[[Page, str], None]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium without a window and without the machine's proxies."""
    script = ["sh", str(ROOT / ".ci" / "chromium")]
    found = subprocess.run(script, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.exit(found.stderr.strip(), returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.stdout.strip(),
            args=["--disable-dev-shm-usage", "--no-proxy-server"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """A JupyterLab with a copy of the shipped notebooks."""
    root = tmp_path_factory.mktemp("notebooks")
    for notebook in find():
        shutil.copy(notebook, root)
    with jupyter_lab(tmp_path_factory.mktemp("home"), root) as running:
        yield running


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for screenshots: AITK_SCREENSHOTS, or one among pytest's own."""
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def photograph(album: Path) -> Photograph:
    """Keeps a picture of what is seen, for people to look at."""

    def keep(page: Page, name: str) -> None:
        # What has just been scrolled to is drawn a little later.
        page.wait_for_timeout(200)
        page.screenshot(path=album / f"{name}.png", full_page=True)

    return keep
