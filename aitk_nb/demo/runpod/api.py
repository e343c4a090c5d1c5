"""The imitation as an ASGI application: RunPod's API below `/v2/`, its proxy below `/proxy/`."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from aitk_nb.demo.runpod.cloud import Cloud, Pod, Problem, catalog
from aitk_nb.demo.runpod.ledger import HOUR

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

_PROXY = re.compile(r"/proxy/(?P<pod>[^/]+)-(?P<port>\d+)(?P<path>/.*)?")
_NO_QUERY: Mapping[str, str] = {}
_BUCKETS = {"hour": HOUR, "day": 24 * HOUR}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, for a test that compares both with RunPod's OpenAPI file."""

    method: str
    route: str
    query: Mapping[str, str]
    body: Any
    status: int
    answer: Any


class RunPodApi:
    """Answers as RunPod's API v2 and its proxy do."""

    def __init__(self, cloud: Cloud, *, cut: float = 100.0) -> None:
        """Let the proxy cut a request after `cut` seconds."""
        self._cloud = cloud
        self.cut = cut
        self.heard: Callable[[Exchange], None] | None = None
        self._routes: dict[tuple[str, str], Callable[..., Any]] = {
            ("GET", "/v2/pods"): lambda: {"pods": [self._pod(p) for p in cloud.listed()]},
            ("POST", "/v2/pods"): self._create,
            ("GET", "/v2/pods/{id}"): lambda id: self._pod(self._find(id)),  # noqa: A006
            ("DELETE", "/v2/pods/{id}"): self._terminate,
            ("POST", "/v2/pods/{id}/action"): self._act,
            ("GET", "/v2/templates"): lambda: {"templates": []},
            ("GET", "/v2/templates/{id}"): self._template,
            ("GET", "/v2/catalog/gpus"): self._gpus,
            ("GET", "/v2/catalog/templates"): self._templates,
            ("GET", "/v2/billing/pods"): self._billing,
        }

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer one request."""
        if match := _PROXY.fullmatch(scope["path"]):
            await self._pass_on(match, scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        logs = re.fullmatch(r"/v2/pods/([^/]+)/logs", scope["path"])
        if logs and request.headers.get("authorization"):
            response: Response = await run_in_threadpool(self._logs, logs[1])
        else:
            response = await run_in_threadpool(self._answer, request, body)
        await response(scope, receive, send)

    # -- the API -----------------------------------------------------------------------------------

    def _answer(self, request: Request, body: bytes) -> Response:
        route, ids = self._route(request.method, request.url.path)
        query = dict(request.query_params)
        sent = json.loads(body) if body else None
        headers: dict[str, str] = {}
        try:
            with self._cloud.lock:
                self._check(request)
                if (request.method, route) not in self._routes:
                    raise Problem(404, "no such endpoint")
                takes = self._routes[request.method, route]
                extra = {"body": sent} if body else {"query": query} if query else {}
                answer, status = takes(**ids, **extra), 201 if route == "/v2/pods" and body else 200
                if answer is None:
                    status = 204
        except Problem as problem:
            status, headers = problem.status, problem.headers
            answer = {"title": "Error", "status": status, "detail": problem.detail}
        if self.heard is not None:
            self.heard(Exchange(request.method, route, query, sent, status, answer))
        if answer is None:
            return Response(status_code=204)
        kind = "application/problem+json" if status >= 400 else "application/json"
        return Response(json.dumps(answer), status, headers, kind)

    def _route(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        for known_method, route in self._routes:
            pattern = route.replace("{id}", "(?P<id>[^/]+)")
            if known_method == method and (match := re.fullmatch(pattern, path)):
                return route, match.groupdict()
        return path, {}

    def _check(self, request: Request) -> None:
        if not re.fullmatch(r"Bearer \S+", request.headers.get("authorization", "")):
            raise Problem(401, "missing bearer token")
        faults = self._cloud.faults
        if faults.rate_limited > 0:
            faults.rate_limited -= 1
            raise Problem(429, "rate limit exceeded", {"Retry-After": f"{faults.retry_after:g}"})

    def _find(self, pod_id: str) -> Pod:
        for pod in self._cloud.listed():
            if pod.id == pod_id:
                return pod
        raise Problem(404, "pod not found")

    def _create(self, body: Any = None) -> Any:
        if not isinstance(body, dict) or not body.get("name"):
            raise Problem(422, "request validation failed")
        if not isinstance(body.get("gpu"), dict):
            raise Problem(400, "exactly one of gpu or cpu must be set")
        return self._pod(self._cloud.create(body))

    def _act(self, id: str, body: Any = None) -> Any:  # noqa: A002  (the name in the path)
        pod = self._find(id)
        self._cloud.act(pod, body["action"])
        return None if body["action"] == "terminate" else self._pod(pod)

    def _terminate(self, id: str) -> None:  # noqa: A002
        self._cloud.act(self._find(id), "terminate")

    def _pod(self, pod: Pod) -> dict[str, Any]:
        cloud, status = self._cloud, self._cloud.status(pod)
        since = cloud.clock() - (pod.on or 0.0)
        started = None if pod.on is None else _time(pod.on)
        return {
            "id": pod.id,
            "name": pod.name,
            "image": pod.template["image"],
            "args": "",
            "disk": pod.template["disk"],
            "ports": pod.template["ports"],
            "env": pod.env,
            "registry": None,
            "status": status,
            "actions": cloud.actions(pod),
            "mounts": pod.mounts,
            "gpu": {"id": pod.gpu["id"], "count": 1},
            "cloud": pod.cloud,
            "dataCenterId": pod.data_center,
            "cudaVersion": None,
            "ssh": {"proxy": None, "direct": None},
            "template": pod.template["id"],
            "cost": cloud.price(pod),
            "locked": False,
            "globalNetworking": {"enabled": False},
            "runtime": {"uptime": int(since)} if status == "RUNNING" else None,
            "createdAt": _time(pod.created),
            "startedAt": started,
        }

    def _template(self, id: str) -> Any:  # noqa: A002
        if id not in catalog()["templates"]:
            raise Problem(404, "template not found")
        made = catalog()["templates"][id]
        return {
            **{key: made[key] for key in ("name", "image", "ports", "env", "disk")},
            "id": id,
            "args": "",
            "mounts": {},
            "registry": None,
            "serverless": False,
            "public": True,
            "category": "NVIDIA",
            "startSsh": False,
            "startJupyter": False,
            "allowedCudaVersions": [],
        }

    def _templates(self, query: Mapping[str, str] = _NO_QUERY) -> Any:
        made = catalog()["templates"].items()
        of = [key for key, one in made if one["source"] == query.get("source", "official")]
        return {"templates": [self._template(key) for key in of]}

    def _gpus(self, query: Mapping[str, str] = _NO_QUERY) -> Any:  # noqa: ARG002  (prices are the same)
        return {"gpus": [self._gpu(one) for one in catalog()["gpus"]]}

    def _gpu(self, gpu: Mapping[str, Any]) -> dict[str, Any]:
        prices = self._cloud.prices
        stock = "NONE" if gpu["id"] in self._cloud.faults.no_gpu else "HIGH"
        centers = catalog()["data_centers"].items()
        rows = [{"id": key, "name": name, "availability": stock} for key, name in centers]
        return {
            **{key: gpu[key] for key in ("id", "name", "memory")},
            "pool": None,
            "manufacturer": "NVIDIA",
            "secure": True,
            "community": True,
            "price": {kind.lower(): prices[gpu["id"], kind] for kind in ("SECURE", "COMMUNITY")},
            "maxCount": {"secure": 8, "community": 4},
            "availability": stock,
            **({} if stock == "NONE" else {"dataCenters": rows}),
        }

    def _billing(self, query: Mapping[str, str] = _NO_QUERY) -> Any:
        cloud, now = self._cloud, self._cloud.clock()
        bucket = query.get("bucketSize", "day")
        found = [
            (pod.id, *part)
            for pod in [*cloud.pods.values(), *cloud.ended.values()]
            if query.get("podId", pod.id) == pod.id and now - pod.created >= cloud.bills_after
            for part in pod.ledger.buckets(now, _BUCKETS[bucket])
        ]
        records = [
            {"podId": pod_id, "startTime": _time(start), "endTime": _time(end)}
            | _amounts(gpu, disk)
            for pod_id, start, end, gpu, disk in found
        ]
        window = {"startTime": query.get("startTime", _time(0)), "endTime": _time(now)}
        return {
            "records": records,
            "metadata": {
                "query": {**window, "bucketSize": bucket, "podId": query.get("podId")},
                "recordCount": len(records),
                "uniquePodCount": len({one[0] for one in found}),
                "totals": _amounts(sum(one[3] for one in found), sum(one[4] for one in found)),
            },
        }

    def _logs(self, pod_id: str) -> Response:
        try:
            pod = self._find(pod_id)
        except Problem as problem:
            answer = {"title": "Error", "status": problem.status, "detail": problem.detail}
            return Response(json.dumps(answer), problem.status, None, "application/problem+json")
        words = ["create container", f"pull {pod.template['image']}"]
        if self._cloud.status(pod) == "RUNNING":
            words.append("start container")
        if pod.never_ready:
            words.append("Error: the server ended with code 1")
        at = _time(pod.created)
        return StreamingResponse(_stream(at, words), media_type="text/event-stream")

    # -- the proxy ---------------------------------------------------------------------------------

    async def _pass_on(
        self, match: "re.Match[str]", scope: "Scope", receive: "Receive", send: "Send"
    ) -> None:
        app = await run_in_threadpool(self._cloud.answering, match["pod"], match["port"])
        if app is None:
            await HTMLResponse("<html><h1>502 Bad gateway</h1></html>", 502)(scope, receive, send)
            return
        path, begun = match["path"] or "/", False
        raw = scope["raw_path"].decode("ascii").partition("-" + match["port"])[2] or "/"

        async def heard(message: "Message") -> None:
            nonlocal begun
            begun = True
            await send(message)

        inner = {**scope, "path": path, "raw_path": raw.encode("ascii"), "root_path": ""}
        try:
            await asyncio.wait_for(app(inner, receive, heard), self.cut)
        except TimeoutError:
            if not begun:
                page = "<html><h1>524 A timeout occurred</h1></html>"
                await HTMLResponse(page, 524)(scope, receive, send)


async def _stream(at: str, words: list[str]) -> AsyncIterator[str]:
    for number, line in enumerate(words):
        data = json.dumps({"ts": at, "source": "container", "line": line})
        yield f"id: {at}/{number:012}\ndata: {data}\n\n"
    # As the real one: it stays open for what comes.
    await asyncio.sleep(3600)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _amounts(gpu: float, disk: float) -> dict[str, float]:
    return {"totalAmount": gpu + disk, "gpuAmount": gpu, "cpuAmount": 0.0, "diskAmount": disk}
