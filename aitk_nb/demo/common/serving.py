"""An ASGI application that answers on loopback, in a thread of its own."""

import contextlib
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Server


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of loopback; 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    # Without the protocol asyncio does not switch Nagle off: 40 ms for each small answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as exc:
        listener.close()
        raise OSError(exc.errno, f"Cannot listen on 127.0.0.1:{port}: {exc}") from exc
    return listener


def serve(app: "ASGIApp", listener: socket.socket, undo: contextlib.ExitStack) -> None:
    """Let the application answer until `undo` is closed."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=_run, args=(server, listener), name="aitk-nb demo server", daemon=True
    )
    thread.start()
    undo.callback(_end, server, thread)
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("The demo server ended while it was starting.")
        time.sleep(0.002)


def _run(server: "Server", listener: socket.socket) -> None:
    import asyncio

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(server.serve(sockets=[listener]))


def _end(server: "Server", thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(10)
