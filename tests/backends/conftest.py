"""Fixtures for tests of the backends."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitk_nb import demo
from aitk_nb.backends.base import Backend
from aitk_nb.backends.gradio.backend import Gradio
from aitk_nb.backends.gradio.journal import Journal
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.models.server import Ability
from tests.backends.abilities import until
from tests.proxy import FaultProxy

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(scope="session")
def stand_in_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """An embedded server whose trainer is the stand-in."""
    data = tmp_path_factory.mktemp("stand-in")
    with demo.DemoServer(data, command=(sys.executable, str(STAND_IN))).start() as server:
        yield server


@pytest.fixture(params=["webui", "gradio"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each backend in turn, with a server behind it."""
    backend: Backend
    if request.param == "webui":
        server: demo.DemoServer = request.getfixturevalue("stand_in_server")
        backend = WebUI(Http(Connection(server.url)))
    else:
        app: demo.GradioServer = request.getfixturevalue("gradio_server")
        http = GradioHttp(Connection(app.url), attempts=2)
        backend = Gradio(http, journal=Journal(app.url, tmp_path / "journal"))
    yield backend
    if Ability.DELETE in backend.abilities:
        for state in backend.list_jobs():
            backend.stop_job(state)
            until(backend, state.name, backend.has_exited)
            backend.delete_job(state)
    backend.close()


@pytest.fixture(scope="session")
def major() -> str:
    """Which generation of Gradio; the folder `tests/gradio` has others."""
    return "6"


@pytest.fixture(scope="session")
def many_steps() -> int:
    """Enough for the trainer's log to be begun anew seven times."""
    return 1_500


@pytest.fixture(scope="session")
def any_server(gradio_server: demo.GradioServer) -> demo.GradioServer:
    """An open server of that generation."""
    return gradio_server


@pytest.fixture(scope="session")
def any_login_server(gradio_login_server: demo.GradioServer) -> demo.GradioServer:
    """A server of that generation that asks for `gradio_servers.LOGIN`."""
    return gradio_login_server


@pytest.fixture
def proxy(demo_server: demo.DemoServer) -> Iterator[FaultProxy]:
    """A line to the embedded server that can go bad."""
    with FaultProxy(demo_server.url) as proxy:
        yield proxy


@pytest.fixture
def line(proxy: FaultProxy) -> Iterator[WebUI]:
    """A backend behind that line."""
    backend = WebUI(Http(Connection(proxy.url)))
    yield backend
    backend.close()


@pytest.fixture
def remote(demo_server: demo.DemoServer) -> Iterator[Path]:
    """A file of 300 kB in a job's folder on the server."""
    folder = demo_server.data / "output" / "transferred"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lora.safetensors"
    path.write_bytes(random.Random(1).randbytes(300_000))
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def output(stand_in_server: demo.DemoServer) -> Path:
    """Return the server's own folder of outputs."""
    return stand_in_server.data / "output"
