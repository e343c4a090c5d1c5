"""What the engine answers: an ASGI application behind the web UI's proxy."""

import hmac
import json
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as Call
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from aitk_nb.demo.trainer.engine.painter import (
    NEED_A_CONTROL_IMAGE,
    REGISTRY,
    SAMPLE,
    Painter,
)
from aitk_nb.demo.trainer.engine.requests import Request, Requests


def build(requests: Requests, painter: Painter, folder: Path, token: str) -> Starlette:
    """Return the application of one engine."""
    site = _Site(requests, painter, folder, token)
    routes = {
        "/health": (site.health, "GET"),
        "/models": (site.models, "GET"),
        "/queue": (site.queue, "GET"),
        "/cancel/{id}": (site.cancel, "POST"),
        "/unload": (site.unload, "POST"),
        "/assets": (site.assets, "POST"),
        "/outputs/{path:path}": (site.outputs, "GET"),
        "/generate": (site.generate, "POST"),
        "/stream/{id}": (site.stream, "GET"),
    }
    return Starlette(
        routes=[Route(path, route, methods=[way]) for path, (route, way) in routes.items()],
        exception_handlers={HTTPException: _refused, Exception: _broken},
    )


class _Site:
    def __init__(self, requests: Requests, painter: Painter, folder: Path, token: str) -> None:
        self._requests = requests
        self._painter = painter
        self._folder = folder
        self._token = token

    async def health(self, _call: Call) -> Response:
        """Answer to anybody."""
        current = self._requests.current
        return JSONResponse(
            {
                "ok": True,
                "busy": current is not None,
                "queue": self._requests.waiting,
                "current": current.info if current else None,
                "active": self._painter.active,
                "device": "cpu",
                "vram": None,
            }
        )

    async def models(self, call: Call) -> Response:
        """Answer what can be asked for."""
        self._check(call)
        archs = [
            {
                "arch": arch,
                "modality": "image",
                "model": REGISTRY.get(arch, {}),
                "sample": SAMPLE,
                "needs_control_image": arch in NEED_A_CONTROL_IMAGE,
                "size_locked": False,
            }
            for arch in sorted({*REGISTRY, *NEED_A_CONTROL_IMAGE})
        ]
        return JSONResponse({"archs": archs})

    async def queue(self, call: Call) -> Response:
        """Answer what waits, runs and was."""
        self._check(call)
        return JSONResponse(self._requests.listing())

    async def cancel(self, call: Call) -> Response:
        """Cancel a request."""
        self._check(call)
        return JSONResponse({"ok": self._requests.cancel(call.path_params["id"])})

    async def unload(self, call: Call) -> Response:
        """Forget the model, unless it is used."""
        self._check(call)
        if self._requests.current is not None:
            raise HTTPException(409, "busy")
        self._painter.unload()
        return JSONResponse({"ok": True})

    async def assets(self, call: Call) -> Response:
        """Keep a control image."""
        self._check(call)
        body = await call.body()
        if not body:
            raise HTTPException(400, "empty body")
        name = Path(re.sub(r"[^A-Za-z0-9._-]+", "_", call.query_params.get("name", "asset.png")))
        kept = f"{name.stem}_{uuid.uuid4().hex[:8]}{name.suffix or '.bin'}"
        path = self._folder / "assets" / kept
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        return JSONResponse({"id": kept, "path": str(path), "bytes": len(body)})

    async def outputs(self, call: Call) -> Response:
        """Answer a picture."""
        self._check(call)
        root = self._folder / "outputs"
        path = root / call.path_params["path"]
        if not path.is_file() or root not in path.resolve().parents:
            raise HTTPException(404, "not found")
        return FileResponse(path)

    async def generate(self, call: Call) -> Response:
        """Take a request, and answer its frames, or with `wait` how it ended."""
        self._check(call)
        body = json.loads(await call.body())
        model = body.get("model") or {}
        arch = model.get("arch")
        if not arch:
            raise HTTPException(400, "model.arch is required")
        if not isinstance(arch, str):
            os._exit(1)  # as the real one: nothing catches what this raises
        request = Request(body)
        self._requests.add(request)
        if body.get("wait"):
            await run_in_threadpool(request.wait)
            return JSONResponse(request.info, 200 if request.info["status"] == "done" else 500)
        return _frames(request)

    async def stream(self, call: Call) -> Response:
        """Answer the frames of a request from its beginning, and what follows."""
        self._check(call)
        request = self._requests.get(call.path_params["id"])
        if request is None:
            raise HTTPException(404, "unknown request")
        return _frames(request)

    def _check(self, call: Call) -> None:
        sent = call.headers.get("x-engine-token", "")
        if not hmac.compare_digest(sent.encode(), self._token.encode()):
            raise HTTPException(401, "bad engine token")


def _frames(request: Request) -> Response:
    frames: Iterator[bytes] = request.frames()
    headers = {"X-Request-Id": request.id, "Cache-Control": "no-store"}
    return StreamingResponse(frames, headers=headers, media_type="application/octet-stream")


async def _refused(_call: Call, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # the only one that it is given for
    return JSONResponse({"detail": exc.detail}, exc.status_code)


async def _broken(_call: Call, _exc: Exception) -> Response:
    return PlainTextResponse("Internal Server Error", 500)
