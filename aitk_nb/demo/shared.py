"""Embedded servers that a whole process shares."""

import os
import threading
from pathlib import Path

from aitk_nb.demo.gradio.server import GradioServer, start_gradio
from aitk_nb.demo.webui.server import PREFIX, DemoServer, start

__all__ = []


GRADIO = "demo:gradio"
"""The address of the Gradio flavour; `demo:gradio:PATH` keeps its data in PATH."""


_shared: dict[tuple[int, bool, str], "DemoServer | GradioServer"] = {}


_shared_guard = threading.Lock()


def shared(address: str = PREFIX) -> DemoServer | GradioServer:
    """Return this process's server for an embedded address, started at the first call.

    `demo:` and `demo:PATH` are web UIs, `demo:gradio` and `demo:gradio:PATH` Gradio apps.
    """
    if not address.startswith(PREFIX):
        raise ValueError(f"{address!r} is not demo:, demo:PATH, demo:gradio or demo:gradio:PATH")
    gradio, path = split(address)
    folder = str(Path(path).expanduser().resolve()) if path else ""
    with _shared_guard:
        key = (os.getpid(), gradio, folder)
        server = _shared.get(key)
        if server is None or not server.alive:
            server = start_gradio(folder or None) if gradio else start(folder or None)
            _shared[key] = server
        return server


def split(address: str) -> tuple[bool, str]:
    """Return of an embedded address whether it means the Gradio flavour, and its folder or ""."""
    if address == GRADIO or address.startswith(f"{GRADIO}:"):
        return True, address.removeprefix(GRADIO).removeprefix(":")
    return False, address.removeprefix(PREFIX)
