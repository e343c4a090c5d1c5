"""Runs one case of the Gradio contract on one server."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.contract import contents
from tests.contract.cases import fill
from tests.contract.gradio_cases import GradioCase, GradioStep
from tests.contract.replies import judge
from tests.contract.runner import pick
from tests.contract.wire import Reply, Request, multipart
from tests.contract.world import Part
from tests.gradio_servers import Form, file_data

_TIMEOUT = 20.0
_HANGING = 2.0
_PATIENCE = 10
"""What a case waits for takes longer on a busy machine."""
_PAUSE = 0.1
_CAPTIONS = 150
_END = b'"close_stream"'


@dataclass(frozen=True)
class GradioTarget:
    """A Gradio server to run cases on."""

    url: str
    login: tuple[str, str] | None = None
    embedded: bool = True


@dataclass
class GradioWorld:
    """A session on one server, and what the placeholders of a case stand for."""

    target: GradioTarget
    values: dict[str, Any] = field(default_factory=dict)
    cookie: str = ""
    major: str = ""

    def open(self, needs: dict[str, Any]) -> None:
        """Log in, look at the server, and upload what the case needs."""
        if self.target.login is not None:
            reply = self._login(*self.target.login)
            assert 200 == reply.status, "the login of the target is not accepted"
            self.cookie = reply.headers["set-cookie"].split(";")[0]
            # Two cookies were joined by a comma; over plain HTTP only the second is sent.
            unsecure = reply.headers["set-cookie"].partition("access-token-unsecure-")[2]
            self.cookie = f"access-token-unsecure-{unsecure.split(';')[0]}"
        config = self._send({"path": "/config"}).json()
        self.major = config["version"].split(".")[0]
        prefix = config.get("api_prefix", "")
        self.values |= {
            "p": prefix,
            "session": uuid.uuid4().hex[:11],
            "user": self.target.login[0] if self.target.login else "",
            "password": self.target.login[1] if self.target.login else "",
            "fn": {entry["api_name"]: n for n, entry in enumerate(config["dependencies"])},
        }
        uploads = {
            key: self._upload(spec["name"], spec.get("content", ""))
            for key, spec in needs.get("uploads", {}).items()
        }
        self.values["upload"] = uploads

    def call(self, raw: dict[str, Any]) -> Reply:
        """Return the answer to one request of a case."""
        if "queue" in raw:
            return self._queue(raw["queue"], self._data(raw["queue"], raw))
        if "run" in raw:
            body = {"data": self._data(raw["run"], raw), "session_hash": self.values["session"]}
            path = f"{self.values['p']}/run/{raw['run']}"
            return self._send({"method": "POST", "path": path, "json": body})
        return self._send(raw)

    def _login(self, user: str, password: str) -> Reply:
        parts = {"username": user, "password": password}
        form = [{"field": name, "value": value} for name, value in parts.items()]
        return self._send({"method": "POST", "path": "/login", "multipart": form})

    def _upload(self, name: str, content: Any) -> str:
        part = {"file": name, "content": content}
        path = f"{self.values['p']}/upload"
        paths = self._send({"method": "POST", "path": path, "multipart": [part]}).json()
        return str(paths[0])

    def _data(self, name: str, raw: dict[str, Any]) -> list[Any]:
        """Return the raw values of a call."""
        if "data" in raw:
            return list(raw["data"])
        if name == "start_training":
            return Form(**{"name": "", **raw.get("form", {})}).data()
        files = raw.get("files")
        listed = None if files is None else [file_data(path) for path in files]
        captions = [""] * raw.get("captions", _CAPTIONS)
        return [listed, *captions] if name == "create_dataset" else [listed, "trigger", *captions]

    def _queue(self, name: str, data: list[Any]) -> Reply:
        """Join the queue and return its messages as one JSON list."""
        session = self.values["session"]
        body = {"data": data, "fn_index": self.values["fn"][name], "session_hash": session}
        path = f"{self.values['p']}/queue"
        joined = self._send({"method": "POST", "path": f"{path}/join", "json": body})
        if joined.status != 200:
            return joined
        stream = {"path": f"{path}/data?session_hash={session}", "read_until": _END.decode()}
        reply = self._send(stream)
        lines = [line[5:] for line in reply.text().splitlines() if line.startswith("data:")]
        return Reply(200, reply.headers, f"[{','.join(lines)}]".encode())

    def _send(self, raw: dict[str, Any]) -> Reply:
        cookie = "" if raw.get("anonymous") else self.cookie
        return send(self.target.url, build(raw, cookie), raw.get("timeout", _TIMEOUT))


def run(case: GradioCase, target: GradioTarget) -> str:
    """Prepare, send every request and compare.

    Returns why the case does not hold for this server; empty when it was run.
    """
    if case.real and not target.embedded:
        return f"not on a real server: {case.real}"
    if case.server in {"open", "login"} and (case.server == "login") != bool(target.login):
        return f"needs a server that is {case.server}"
    world = GradioWorld(target)
    world.open(case.needs)
    if world.major not in case.only:
        return f"says nothing of Gradio {world.major}"
    for number, step in enumerate(case.steps, 1):
        problems = _perform(step, world)
        label = f"{case.name}, step {number}, Gradio {world.major}"
        assert not problems, "\n  ".join([label, *problems])
    return ""


def _perform(step: GradioStep, world: GradioWorld) -> list[str]:
    expect = fill(step.expect.of(world.major, world.target.embedded), world.values)
    request = fill(step.request, world.values)
    if expect.get("hangs"):
        request = {"timeout": _HANGING, **request}
    deadline = time.monotonic() + step.poll * _PATIENCE
    while problems := compare(reply := world.call(request), expect):
        if time.monotonic() >= deadline:
            return problems
        time.sleep(_PAUSE)
    for name, place in step.capture.items():
        world.values[name] = pick(reply, place)
    return []


def compare(reply: Reply, expect: dict[str, Any]) -> list[str]:
    """Return what is not as expected; an answer that never ended has the header `hung`."""
    hung = "hung" in reply.headers
    problems = judge(reply, {**expect, "truncated": reply.truncated})
    if hung != bool(expect.get("hangs")):
        problems.append("it never ended" if hung else "it came to an end")
    return problems


def build(raw: dict[str, Any], cookie: str) -> Request:
    """Return the request that a filled-in case describes."""
    headers = {str(name).lower(): str(value) for name, value in raw.get("headers", {}).items()}
    if cookie:
        headers.setdefault("cookie", cookie)
    body: bytes | None = None
    if "json" in raw:
        body = json.dumps(raw["json"]).encode()
        headers.setdefault("content-type", "application/json")
    elif "multipart" in raw:
        kind, body = multipart([_part(part) for part in raw["multipart"]])
        headers.setdefault("content-type", kind)
    elif "raw" in raw:
        body = raw["raw"].encode()
    until = raw.get("read_until")
    return Request(
        method=raw.get("method", "GET"),
        path=raw["path"],
        headers=tuple(headers.items()),
        body=body,
        read_until=until.encode() if until else None,
    )


def _part(raw: dict[str, Any]) -> Part:
    if "file" in raw:
        name = raw["file"]
        return Part("files", contents.make(raw.get("content", ""), name), name)
    return Part(raw["field"], str(raw["value"]).encode())


def send(url: str, request: Request, timeout: float) -> Reply:
    """Return the answer to one request; what came until `timeout` if it does not end."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value)
        if request.body is not None:
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        return _read(connection.getresponse(), request.read_until)
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, until: bytes | None) -> Reply:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    body = b""
    try:
        while chunk := response.read1(65536):
            body += chunk
            if until is not None and until in body:
                break
    except TimeoutError:
        headers["hung"] = "yes"
    except (http.client.IncompleteRead, ConnectionResetError):
        return Reply(response.status, headers, body, truncated=True)
    return Reply(response.status, headers, body)
