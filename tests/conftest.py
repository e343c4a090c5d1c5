"""Fixtures that every test may use: embedded servers, photographs, a clean environment."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from PIL import Image

from aitk_nb import demo
from tests import gradio_servers

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell that starts us in the background makes us deaf to Ctrl-C, and all that we start with us.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# They need more than the extra `test`, and time: `make test-browser`, `make test-gradio`.
# A folder that is named on the command line is collected all the same.
collect_ignore = ["browser", "gradio"]

# `--hypothesis-profile` names another one. A busy machine is no reason to fail: no deadline.
hypothesis.settings.register_profile("fast", max_examples=25, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=100, deadline=None)
hypothesis.settings.load_profile("fast")

TOKEN = "token-of-the-tests"
"""The token of `token_server`."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CROP = 256


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Say which tests stay together when two processes share the work: those of a file."""
    from tests.groups import Groups

    config.option.loadscopereorder = False
    return Groups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, where processes share the work."""
    if hasattr(config, "workerinput"):
        from tests.groups import place

        items.sort(key=lambda item: place(item.nodeid))


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """An embedded server without a token, one for the whole run."""
    with demo.start(tmp_path_factory.mktemp("open")) as server:
        yield server


@pytest.fixture(scope="session")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """An embedded server that asks for `TOKEN`, one for the whole run."""
    with demo.start(tmp_path_factory.mktemp("closed"), token=TOKEN) as server:
        yield server


@pytest.fixture(scope="session")
def major() -> str:
    """The first figure of the Gradio that is tested; tests/gradio has them all in turn."""
    return "6"


@pytest.fixture(scope="session")
def gradio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.GradioServer]:
    """A Gradio 6 server without a login, one for the whole run; see `tests.gradio_servers`."""
    with gradio_servers.server(data=tmp_path_factory.mktemp("gradio")) as server:
        yield server


@pytest.fixture(scope="session")
def gradio_login_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.GradioServer]:
    """A Gradio 6 server that asks for `gradio_servers.LOGIN`, one for the whole run."""
    data = tmp_path_factory.mktemp("gradio-login")
    with gradio_servers.server(data=data, login=gradio_servers.LOGIN) as server:
        yield server


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dozen small JPEG crops of one photograph, each with a caption."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    folder = tmp_path_factory.mktemp("photos")
    with Image.open(source) as photograph:
        photograph.load()
        for number in range(12):
            left = (number % 4) * (photograph.width - _CROP) // 3
            top = (number // 4) * (photograph.height - _CROP) // 2
            crop = photograph.crop((left, top, left + _CROP, top + _CROP))
            crop.save(folder / f"photo_{number:02d}.jpg", quality=85)
            caption = f"a photograph of an officer, part {number + 1}"
            (folder / f"photo_{number:02d}.txt").write_text(caption, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing of the machine reaches a test: no address, token, keyring or proxy, nor its home."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in list(os.environ):
        ours = name.startswith("AITK_") or name == "AI_TOOLKIT_AUTH"
        if ours or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AITK_JOURNAL", str(tmp_path_factory.getbasetemp() / "journal"))


@pytest.fixture(autouse=True)
def _presets_of_the_package() -> None:
    """What the server of one test lists is not known to the next."""
    if presets := sys.modules.get("aitk_nb.training.presets"):
        presets.use({})


@pytest.fixture(autouse=True)
def _no_widget_stays_open() -> Iterator[None]:
    """A test that makes widgets closes them."""
    before = _open_widgets()
    yield
    left = _open_widgets() - before
    assert not left, f"{len(left)} widgets are still open; close() them"


def _open_widgets() -> set[str]:
    if "ipywidgets" not in sys.modules:
        return set()
    # A private name, but the public one is deprecated and may not be touched without a warning.
    instances = getattr(sys.modules.get("ipywidgets.widgets.widget"), "_instances", {})
    # Closing a widget leaves its layout and style to the garbage collector.
    return {
        key
        for key, widget in instances.items()
        if not type(widget).__name__.endswith(("Layout", "Style"))
    }
