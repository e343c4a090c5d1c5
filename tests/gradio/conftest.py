"""Servers under each generation of Gradio in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aitk_nb import demo
from tests import gradio_servers


@pytest.fixture(scope="session", params=gradio_servers.MAJORS)
def major(request: pytest.FixtureRequest) -> str:
    """Each generation of Gradio: its first figure."""
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def any_server(major: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.GradioServer]:
    """An open server under that generation."""
    data = tmp_path_factory.mktemp(f"gradio-{major}")
    with gradio_servers.server(major, data) as server:
        yield server


@pytest.fixture(scope="session")
def any_login_server(
    major: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[demo.GradioServer]:
    """A server under that generation that asks for `gradio_servers.LOGIN`."""
    data = tmp_path_factory.mktemp(f"gradio-{major}-login")
    with gradio_servers.server(major, data, login=gradio_servers.LOGIN) as server:
        yield server


@pytest.fixture(scope="session")
def many_steps() -> int:
    """Enough for the trainer's log to be begun anew seven times."""
    return 1_500
