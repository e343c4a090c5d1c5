"""JupyterLab, Voilà and a Chromium for one test run, in homes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import matplotlib as mpl
from playwright.sync_api import Browser, sync_playwright

__all__ = ["JupyterLab", "NoChromium", "Theme", "chromium", "jupyter_lab", "voila"]

Theme = Literal["light", "dark"]

_START = 180.0
_NO_NEWS = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
"""Otherwise JupyterLab asks, over the notebook, whether it may fetch news."""


class NoChromium(Exception):
    """None is installed; the text says what to do."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium without a window and without the machine's proxies."""
    script = ["sh", str(Path(__file__).parents[2] / ".ci" / "chromium")]
    found = subprocess.run(script, capture_output=True, text=True, check=False)
    if found.returncode:
        raise NoChromium(found.stderr.strip())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.stdout.strip(),
            args=["--disable-dev-shm-usage", "--no-proxy-server"],
        )
        yield browser
        browser.close()


class JupyterLab:
    """A running JupyterLab and what it says of itself over REST."""

    def __init__(self, url: str, token: str, root: Path) -> None:
        """Speak to the one at `url`, whose notebooks are in `root`."""
        self.url = url
        self.root = root
        self.token = token
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"token {token}"}, trust_env=False
        )

    def close(self) -> None:
        """Close the connections to it."""
        self._http.close()

    def wait_for_kernel(self, notebook: str, timeout: float = 180) -> None:
        """Return when the notebook's kernel has a page connected to it and nothing to do.

        The page's own indicator says so too early, and a cell run then is never executed.
        """
        deadline = time.monotonic() + timeout
        while not any(_is_ready(one, notebook) for one in self._get("api/sessions")):
            assert time.monotonic() < deadline, self._get("api/sessions")
            time.sleep(0.1)

    def shut_kernels_down(self) -> None:
        """End every kernel."""
        for session in self._get("api/sessions"):
            self._http.delete(f"api/sessions/{session['id']}")

    def _get(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()


def _is_ready(session: dict[str, Any], notebook: str) -> bool:
    kernel = session["kernel"] or {}
    return bool(
        session["path"].endswith(notebook)
        and kernel.get("connections")
        and kernel.get("execution_state") == "idle"
    )


@contextlib.contextmanager
def jupyter_lab(home: Path, root: Path) -> Iterator[JupyterLab]:
    """Serve the folder `root`; nothing is read from or written to the user's own settings."""
    config = home / "config" / "labconfig"
    config.mkdir(parents=True)
    (config / "page_config.json").write_text(json.dumps(_NO_NEWS))
    token, port = secrets.token_hex(16), _free_port()
    options = {
        "ServerApp.root_dir": root,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
    }
    url = f"http://127.0.0.1:{port}/"
    with _running(["jupyterlab"], options, home, {"JUPYTER_TOKEN": token}, f"{url}api"):
        lab = JupyterLab(url, token, root)
        try:
            yield lab
        finally:
            lab.shut_kernels_down()
            lab.close()


@contextlib.contextmanager
def voila(home: Path, notebook: Path, *, progressive: bool = False) -> Iterator[str]:
    """Serve one notebook as a page, shown from the start or at the end; give its address."""
    port = _free_port()
    options: dict[str, object] = {
        "Voila.port": port,
        "Voila.port_retries": 0,
        "Voila.open_browser": False,
        "VoilaConfiguration.progressive_rendering": progressive,
    }
    url = f"http://127.0.0.1:{port}/"
    with _running(["voila", str(notebook)], options, home, {}, f"{url}voila/static/voila.js"):
        yield url


@contextlib.contextmanager
def _running(
    command: list[str], options: dict[str, object], home: Path, extra: dict[str, str], ready: str
) -> Iterator[None]:
    """Run a module until the block ends; it starts when `ready` answers anything."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *arguments],
            env=_environment(home) | extra,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(ready, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START
    with httpx.Client(trust_env=False) as http:
        while True:
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
            with contextlib.suppress(httpx.TransportError):
                http.get(url)
                return
            time.sleep(0.1)


def _environment(home: Path) -> dict[str, str]:
    """Return an environment in which Jupyter finds this Python and no settings of the user."""
    kept = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    places = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    return kept | {
        **{f"JUPYTER_{name}": str(home / name.partition("_")[0].lower()) for name in places},
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        # A new one would look through all fonts of the machine first.
        "MPLCONFIGDIR": mpl.get_configdir(),
    }


def _is_setting(name: str) -> bool:
    return name.startswith(("AITK_", "JUPYTER", "PYTEST")) or name == "AI_TOOLKIT_AUTH"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
