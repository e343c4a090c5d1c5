"""The inference engines: what the UI itself tells of them, and the proxy to one."""

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from aitk_nb.demo.common.store import Store, resolve_inside
from aitk_nb.demo.common.tables import Job
from aitk_nb.demo.webui.wire import Call, answer

_ALIVE = ("running", "queued", "stopping")
_NOT_SENT = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "authorization"}
)
Engine = dict[str, object]


def status(call: Call) -> Response:
    """Answer all engines, always fresh."""
    engines = _engines(call)
    chosen = _chosen(engines, call.query("job"))
    return answer(
        {"running": bool(chosen and chosen["ready"]), "engine": chosen, "engines": engines}
    )


def delete_outputs(call: Call) -> Response:
    """Delete what engines have made, and nothing else."""
    try:
        paths = call.fields().get("paths")
    except (TypeError, ValueError):
        paths = None
    jobs = call.store.db.jobs("inference")
    roots = [folder / "outputs" for job in jobs if (folder := call.store.job_folder(job.name))]
    deleted, refused = [], []
    for path in paths if isinstance(paths, list) else ():
        found = resolve_inside(str(path), *roots)
        if found is None or found in roots:
            refused.append(path)
            continue
        try:
            found.unlink(missing_ok=True)
            deleted.append(path)
            if not any(found.parent.iterdir()):
                found.parent.rmdir()
        except OSError as exc:
            # Of a folder that is gone already, the path stands in both lists.
            refused.append(f"{path}: {exc.strerror}")
    return answer({"deleted": deleted, "refused": refused})


def proxy(call: Call) -> Response:
    """Hand a request on to the engine that was ready up to two seconds ago."""
    wanted = call.query("job")
    engine = call.site.engines.get(str(wanted), lambda: _chosen(_engines(call), wanted))
    if not isinstance(engine, dict) or not engine["ready"]:
        told = {"status": engine["status"]} if isinstance(engine, dict) else None
        return answer({"error": "no inference engine is running", "engine": told}, 503)
    note = _note(call.store, str(engine["jobName"]))
    path = call.request.url.path.removeprefix("/api/inference")
    query = urlencode([(k, v) for k, v in call.request.query_params.multi_items() if k != "job"])
    sent = {k: v for k, v in call.request.headers.items() if k.lower() not in _NOT_SENT}
    link = HTTPConnection("127.0.0.1", int(str(note.get("port", 9))))
    try:
        link.request(
            call.request.method,
            f"{quote(path)}?{query}",
            call.body or None,
            {**sent, "x-engine-token": str(note.get("token"))},
        )
        reply = link.getresponse()
    except (OSError, HTTPException):
        link.close()
        return answer({"error": "engine unreachable: fetch failed"}, 502)
    kept = {k: v for k, v in reply.getheaders() if k.lower() not in _NOT_SENT}
    headers = {**kept, "cache-control": "no-store", "x-accel-buffering": "no"}
    return _Relay(link, reply, headers)


class _Relay(StreamingResponse):
    """Hands an engine's answer on, and closes its line however that ends."""

    def __init__(
        self, link: HTTPConnection, reply: HTTPResponse, headers: Mapping[str, str]
    ) -> None:
        super().__init__(iter(lambda: reply.read1(65536), b""), reply.status, headers)
        self._open = (reply, link)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            for line in self._open:
                line.close()


def _chosen(engines: list[Engine], wanted: str | None) -> Engine | None:
    if wanted:
        return next((one for one in engines if one["jobId"] == wanted), None)
    return next((one for one in engines if one["ready"]), engines[0] if engines else None)


def _engines(call: Call) -> list[Engine]:
    alive = call.site.worker.pids
    found: list[tuple[str, Engine]] = []
    for job in call.store.db.jobs("inference"):
        ready = _note(call.store, job.name).get("pid") in alive
        if job.status in _ALIVE or ready:
            found.append((job.updated_at, _engine(job, ready=ready)))
    return [engine for _, engine in sorted(found, key=lambda one: one[0], reverse=True)]


def _engine(job: Job, *, ready: bool) -> Engine:
    lives_on = ready and job.status not in _ALIVE
    return {
        "jobId": job.id,
        "jobName": job.name,
        "gpuIds": job.gpu_ids,
        "status": "stopping" if lives_on else job.status,
        "ready": ready,
    }


def _note(store: Store, name: str) -> dict[str, object]:
    """Return what an engine has noted of itself; nothing if it has not."""
    folder = store.job_folder(name)
    try:
        found = json.loads(Path(folder or "", "engine.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
