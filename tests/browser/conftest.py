"""What the browser tests share: one Chromium, one JupyterLab, and a place for screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from aitk_nb.notebooks.run import find
from tests.browser import servers
from tests.browser.notebook_page import PATIENCE
from tests.browser.servers import JupyterLab, jupyter_lab

# Read at once: no variable of ours reaches a test.
SCREENSHOTS = os.environ.get("AITK_SCREENSHOTS", "")

expect.set_options(timeout=1000 * PATIENCE)
Photograph = Callable[[Page, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let journeys be repeated: `pytest tests/browser --journeys 5`."""
    parser.addoption("--journeys", type=int, default=0, help="run only the journeys, so often")


def pytest_configure(config: pytest.Config) -> None:
    """Select the journeys that are to be repeated, and report how long each takes."""
    if config.option.journeys:
        config.option.markexpr = "journey"
        config.option.durations = 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a journey as often as the option says."""
    if metafunc.config.option.journeys and metafunc.definition.get_closest_marker("journey"):
        metafunc.fixturenames.append("_turn")
        metafunc.parametrize("_turn", range(metafunc.config.option.journeys))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium, or the end of the run if there is none."""
    try:
        with servers.chromium() as browser:
            yield browser
    except servers.NoChromium as exc:
        pytest.exit(str(exc), returncode=1)


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
