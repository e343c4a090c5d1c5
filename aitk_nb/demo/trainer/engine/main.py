"""The engine's life: its file, its row, its server, and one request after the other."""

import contextlib
import json
import os
import secrets
import signal
import socket
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from aitk_nb.demo.trainer.engine.app import build
from aitk_nb.demo.trainer.engine.painter import Cancelled, Painter
from aitk_nb.demo.trainer.engine.requests import Request, Requests
from aitk_nb.demo.trainer.job_row import JobRow, Nobody

TYPE = "InferenceEngine"
_EVERY = 0.1


class _Stopping(Exception):
    """The web side wants the engine to end."""


def serve(process: Mapping[str, Any], out: TextIO, row: JobRow | None, lives_on: float) -> int:
    """Answer requests until the job is stopped, and return the exit code."""
    folder = Path(process["engine"]["job_folder"])
    watcher = row or Nobody()
    watcher.info("Starting server")
    requests, token = Requests(), secrets.token_hex(16)
    painter = Painter(folder, watcher.info)
    listener = socket.create_server(("127.0.0.1", 0))
    _listen(listener, build(requests, painter, folder, token))
    note = folder / "engine.json"
    _write(note, listener.getsockname()[1], token, process, folder)
    out.write(f"Inference engine on port {listener.getsockname()[1]}\n")
    out.flush()
    watcher.info("Idle - no model loaded")
    with contextlib.suppress(KeyboardInterrupt, _Stopping):
        while True:
            flags = watcher.flags()
            # Of a stopped queue too: an engine does not go back to it.
            if flags.stop or flags.return_to_queue:
                raise _Stopping
            if (request := requests.take(_EVERY)) is not None:
                _perform(request, painter)
                requests.current = None
                watcher.info(_idle(painter))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests.end_all()
    if row is not None:
        row.end("stopped", "Engine stopped")
    # It answers as long as its process is there.
    time.sleep(lives_on)
    note.unlink(missing_ok=True)
    return 0


def _perform(request: Request, painter: Painter) -> None:
    try:
        painter.paint(request)
    except Cancelled:
        painter.drop(request)
        request.end("cancelled", "cancelled")
    except KeyboardInterrupt:
        painter.drop(request)
        request.end("cancelled", "engine stopping")
        raise
    except Exception as exc:  # noqa: BLE001  (whatever it is, the stream must tell it)
        painter.drop(request)
        request.end("error", f"{type(exc).__name__}: {exc}", traceback.format_exc())
    else:
        request.end("done")


def _idle(painter: Painter) -> str:
    if painter.active is None:
        return "Idle - no model loaded"
    model = painter.active["model"]
    assert isinstance(model, dict)  # `Painter` wrote it
    return f"Idle - {model['arch']} ({model['name_or_path']})"


def _listen(listener: socket.socket, app: Any) -> None:
    import uvicorn

    config = uvicorn.Config(
        app, http="h11", loop="asyncio", ws="none", lifespan="off", log_config=None,
        log_level="critical", access_log=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    # Not the main thread, which keeps the signals.
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    while not server.started:
        time.sleep(0.005)


def _write(note: Path, port: int, token: str, process: Mapping[str, Any], folder: Path) -> None:
    facts = {
        "host": "127.0.0.1",
        "port": port,
        "token": token,
        "pid": os.getpid(),
        "job_id": os.environ.get("AITK_JOB_ID", ""),
        "device": process.get("device", "cuda"),
        "job_folder": str(folder),
        "output_folder": str(folder / "outputs"),
        "started_at": time.time(),
    }
    part = note.with_suffix(".part")
    part.write_text(json.dumps(facts), "utf-8")
    part.replace(note)
