"""The flavour `webui`: an ASGI application that answers as AI Toolkit's web UI does."""

import functools
import hmac
import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from aitk_nb.demo.webui import (
    javascript,
    model_archs,
    routes_datasets,
    routes_files,
    routes_inference,
    routes_jobs,
    routes_loras,
    routes_media,
)
from aitk_nb.demo.webui import routes_job_files as job_files
from aitk_nb.demo.webui import routes_system as system
from aitk_nb.demo.webui.eras import Era
from aitk_nb.demo.webui.routes_zip import make_zip
from aitk_nb.demo.webui.wire import Call, Site, answer, empty, page

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Route = Callable[[Call], Response] | Callable[[Call], Awaitable[Response]]

_log = logging.getLogger(__name__)
_READ = frozenset({"GET", "HEAD"})
_ANY = ("GET", "POST", "DELETE")
_PUBLIC = (routes_files.MEDIA, routes_files.FILES)
_NOT_FOUND = (
    "<!DOCTYPE html><html><head><title>404: This page could not be found.</title></head>"
    "<body><h1>404</h1><h2>This page could not be found.</h2></body></html>"
)

_JOB_ROUTES: dict[str, Route] = {
    "start": routes_jobs.start,
    "stop": routes_jobs.stop,
    "mark_stopped": routes_jobs.mark_stopped,
    "delete": routes_jobs.delete,
    "save_now": routes_jobs.save_now,
    "sample_now": routes_jobs.sample_now,
    "files": job_files.of_job(job_files.files),
    "samples": job_files.of_job(job_files.samples),
    "log": job_files.of_job(job_files.log),
    "loss": job_files.of_job(job_files.loss),
    "plugin": job_files.of_job(job_files.plugin),
    "kill": routes_jobs.kill,
}
# Fixed paths come before those with a parameter that would match them too.
ROUTES: dict[str, dict[str, Route]] = {
    "/": {"GET": system.front_page},
    "/jobs": {"GET": system.front_page},
    "/settings": {"GET": system.front_page},
    "/api/auth": {"GET": system.auth},
    "/api/jobs": {"GET": routes_jobs.list_jobs, "POST": routes_jobs.save_job},
    **{f"/api/jobs/{{id}}/{name}": {"GET": route} for name, route in _JOB_ROUTES.items()},
    "/api/jobs/{id}/notes": {
        "GET": job_files.of_job(job_files.notes),
        "POST": job_files.of_job(job_files.write_notes),
    },
    "/api/model_archs": {"GET": model_archs.model_archs},
    "/api/queue": {"GET": routes_jobs.list_queues},
    "/api/queue/{id}/start": {"GET": routes_jobs.start_queue},
    "/api/queue/{id}/stop": {"GET": routes_jobs.stop_queue},
    "/api/datasets/list": {"GET": routes_datasets.list_datasets},
    "/api/datasets/create": {"POST": routes_datasets.create},
    "/api/datasets/delete": {"POST": routes_datasets.delete},
    "/api/datasets/listImages": {"POST": routes_datasets.list_images},
    "/api/datasets/upload": {"POST": routes_datasets.upload},
    "/api/caption/get": {"POST": routes_media.read_caption},
    "/api/caption/getBatch": {"POST": routes_media.read_captions},
    "/api/img/caption": {"POST": routes_media.write_caption},
    "/api/img/delete": {"POST": routes_media.delete_image},
    "/api/img/upload": {"POST": routes_media.upload_images},
    "/api/img/{path...}": {"GET": routes_files.serve},
    "/api/files/delete": {"POST": routes_media.delete_file},
    "/api/files/{path...}": {"GET": routes_files.serve},
    "/api/audio/art/{path...}": {"GET": routes_files.album_art},
    "/api/loras": {"GET": routes_loras.list_loras},
    "/api/loras/upload": {"POST": routes_loras.upload},
    "/api/inference/status": dict.fromkeys(_ANY, routes_inference.status),
    "/api/inference/outputs/delete": {
        **dict.fromkeys(_ANY, routes_inference.proxy),
        "POST": routes_inference.delete_outputs,
    },
    "/api/inference/{path...}": dict.fromkeys(_ANY, routes_inference.proxy),
    "/api/settings": {"GET": system.read_settings, "POST": system.write_settings},
    "/api/gpu": {"GET": system.gpu},
    "/api/cpu": {"GET": system.cpu},
    "/api/monitor": {"GET": system.monitor},
    "/api/zip": {"POST": make_zip},
    "/api/scripts": {"POST": system.run_script},
    "/api/ostris_cloud": {"GET": system.cloud},
}


@dataclass(frozen=True)
class _Entry:
    pattern: re.Pattern[str]
    methods: Mapping[str, Route]


def _entry(template: str, methods: Mapping[str, Route]) -> _Entry:
    pattern = template.replace("{path...}", "(?P<path>.+)").replace("{id}", "(?P<id>[^/]+)")
    return _Entry(re.compile(pattern), methods)


@functools.cache
def _entries(era: Era) -> tuple[_Entry, ...]:
    return tuple(_entry(template, methods) for template, methods in era.kept(ROUTES).items())


def build(site: Site) -> "ASGIApp":
    """Return the application of one server."""

    async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        response = await _respond(site, request)
        if response is not None:
            await response(scope, receive, send)

    return app


async def _respond(site: Site, request: Request) -> Response | None:
    try:
        return await _route(site, request)
    except ClientDisconnect:
        return None
    except Exception:  # noqa: BLE001 (see the next line)
        # An uncaught exception in a route of the real server is an empty 500 too.
        _log.debug("%s %s failed", request.method, request.scope["path"], exc_info=True)
        return empty(500)


async def _route(site: Site, request: Request) -> Response:
    path = _raw_path(request)
    reading = request.method in _READ
    if reading and path.startswith(_PUBLIC):
        # The real server's file server takes these before anything else can.
        prefix = next(prefix for prefix in _PUBLIC if path.startswith(prefix))
        call = Call(site, request, {"prefix": prefix, "path": path[len(prefix) :]})
        return await run_in_threadpool(routes_files.serve, call)
    if (clean := _clean(path)) != path:
        return await _unread(request, _moved(clean, request))
    if not _allowed(site.token, path, request):
        return await _unread(request, answer({"error": "Unauthorized"}, 401))
    for entry in _entries(site.era):
        if match := entry.pattern.fullmatch(path):
            return await _call(entry, match, site, request)
    return await _unread(request, page(_NOT_FOUND, 404))


async def _call(entry: _Entry, match: re.Match[str], site: Site, request: Request) -> Response:
    if request.method == "OPTIONS":
        allow = {*entry.methods, "OPTIONS", *(["HEAD"] if "GET" in entry.methods else [])}
        return Response(status_code=204, headers={"allow": ", ".join(sorted(allow))})
    route = entry.methods.get("GET" if request.method == "HEAD" else request.method)
    if route is None:
        return await _unread(request, empty(405))
    params = match.groupdict()
    if "id" in params:
        params["id"] = javascript.decode_component(params["id"])
    if inspect.iscoroutinefunction(route):
        response: Response = await route(Call(site, request, params))
        return response
    body = await request.body() if request.method == "POST" else b""
    return await run_in_threadpool(_sync(route), Call(site, request, params, body))


async def _unread(request: Request, response: Response) -> Response:
    # A caller who is still sending would see a broken connection instead of the answer.
    async for _ in request.stream():
        pass
    return response


def _sync(route: Route) -> Callable[[Call], Response]:
    return route  # type: ignore[return-value]


def _raw_path(request: Request) -> str:
    raw = request.scope.get("raw_path") or request.scope["path"].encode()
    return bytes(raw).decode("latin-1")


def _clean(path: str) -> str:
    single = re.sub(r"[/\\]{2,}|\\", "/", path)
    return single.rstrip("/") or "/"


def _moved(path: str, request: Request) -> Response:
    query = request.scope["query_string"].decode("latin-1")
    target = path + (f"?{query}" if query else "")
    return Response(target, 308, headers={"location": target, "refresh": f"0;url={target}"})


def _allowed(token: str | None, path: str, request: Request) -> bool:
    if not token or not path.startswith("/api/"):
        return True
    if path.startswith(_PUBLIC) and request.method != "POST":
        return True
    words = request.headers.get("authorization", "").strip().split(" ")
    return len(words) > 1 and hmac.compare_digest(words[1].encode(), token.encode())
