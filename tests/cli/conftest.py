"""Fixtures of the command line's tests: embedded servers and photographs."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitk_nb import demo
from tests.cli.command import run

TOKEN = "a-token-that-must-not-be-seen"

FOLDER = "Été à Besançon 🌻 (2024)"


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one embedded server for all tests of the command line."""
    with demo.start(tmp_path_factory.mktemp("serve")) as server:
        yield server.url


@pytest.fixture(scope="session")
def closed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one that requires `TOKEN`."""
    with demo.start(tmp_path_factory.mktemp("closed"), token=TOKEN) as server:
        yield server.url


@pytest.fixture(scope="session")
def odd_folder(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs under names with spaces, accents and an emoji."""
    folder = tmp_path_factory.mktemp("odd names") / FOLDER
    folder.mkdir()
    for path in sorted(photos.iterdir()):
        shutil.copy(path, folder / path.name.replace("photo_", "Tournesol géant 🌻 n° "))
    return folder


@pytest.fixture(scope="session")
def dataset(url: str, photos: Path) -> str:
    """The name of a dataset on the server."""
    return str(run("dataset", "upload", photos, "--name", "plain", "--url", url).out.strip())


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address of this machine at which nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
