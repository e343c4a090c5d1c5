"""Real Gradio servers for tests: the embedded app under Gradio 6, 5 or 4; and bare calls to it.

Gradio 6 is in the environment of the tests. The others live in side environments, which
`.ci/gradio-env 5` and `.ci/gradio-env 4` make; `make test-gradio` does so first.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from aitk_nb.demo import GradioServer

ROOT = Path(__file__).parents[1]
MAJORS = ("6", "5", "4")

LOGIN = ("somebody", "a password of the tests")
"""User name and password of the servers that demand them."""

HOLD = "hold"
"""The file in a server's folder that holds up its trainings."""

CAPTIONS = 150
PROMPTS = ("", "", "")
TIMEOUT = 20.0


def interpreter(major: str) -> str:
    """Return the Python that has this generation of Gradio; skip the test if nobody made it."""
    if major == "6":
        return sys.executable
    folder = "Scripts" if os.name == "nt" else "bin"
    python = ROOT / ".venv-gradio" / major / folder / "python"
    if not python.exists():
        pytest.skip(f"no Gradio {major} here: sh .ci/gradio-env {major} makes it")
    return str(python)


def server(
    major: str = "6",
    data: Path | None = None,
    *,
    port: int = 0,
    login: tuple[str, str] | None = None,
    step_seconds: float = 0.0,
    flush_seconds: float = 0.25,
    captioner: bool = True,
    allow: Sequence[str] = (),
) -> GradioServer:
    """Return a server that answers; use it in a `with`, or call `stop`.

    `step_seconds` makes trainings slow enough to be looked at, and `flush_seconds` 0 writes the
    losses of each step at once; `hold` and `release` stop them and let them go on at a step.
    `server.process.kill()` is a crash; a new server on the same
    `data` and `port` is its restart.
    """
    options = ["--step-seconds", str(step_seconds), "--flush-seconds", str(flush_seconds)]
    options += ["--hold", HOLD]
    options += [] if captioner else ["--no-captioner"]
    for path in allow:
        options += ["--allow", path]
    python = interpreter(major)
    return GradioServer(data, port=port, login=login, options=options, python=python).start()


def hold(server: GradioServer, step: int = 1) -> None:
    """Let no training of a server go beyond a step; config and loss log are there before step 1."""
    part = server.data / f"{HOLD}.part"
    part.write_text(str(step), "ascii")
    part.replace(server.data / HOLD)


def release(server: GradioServer) -> None:
    """Let the trainings of a server go on."""
    (server.data / HOLD).unlink(missing_ok=True)


@dataclass(frozen=True)
class Form:
    """The 13 values of a training, most of them as the page has them at first."""

    name: str
    steps: float = 30
    advanced: str = ""
    """YAML; an empty one leaves the box unticked."""
    trigger: str = ""
    rate: float = 4e-4
    rank: float = 4
    model: str = "dev"
    prompts: Sequence[str] = PROMPTS

    def data(self) -> list[Any]:
        """Return the values in the order of the wire; the one of the State is null."""
        first = [self.name, self.trigger, self.steps, self.rate, self.rank, self.model, True, None]
        return [*first, *self.prompts, bool(self.advanced), self.advanced]


class Caller:
    """One browser's worth of requests: a session of its own, and nothing clever."""

    def __init__(self, url: str, login: tuple[str, str] | None = None) -> None:
        """Log in if a login is given, and read the server's `/config`."""
        self.http = httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False)
        if login is not None:
            user, password = login
            done = self.http.post("/login", data={"username": user, "password": password})
            assert 200 == done.status_code, done.text
        self.session = uuid.uuid4().hex[:11]
        self.config: dict[str, Any] = self.http.get("/config").json()
        self.prefix: str = self.config.get("api_prefix", "")
        names = self.config["dependencies"]
        self.indices = {entry["api_name"]: place for place, entry in enumerate(names)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def upload(self, files: Mapping[str, bytes]) -> list[str]:
        """Upload files, and return the server's absolute paths in the same order."""
        parts = [("files", (name, content)) for name, content in files.items()]
        paths: list[str] = self.http.post(f"{self.prefix}/upload", files=parts).json()
        return paths

    def root(self) -> str:
        """Return the folder below which the server gives every file."""
        (path,) = self.upload({"root.txt": b"where?"})
        return str(Path(path).parent.parent)

    def run(self, name: str, data: Sequence[Any]) -> httpx.Response:
        """Call a function at once, past the queue, in this session."""
        body = {"data": list(data), "session_hash": self.session}
        return self.http.post(f"{self.prefix}/run/{name}", json=body)

    def create_dataset(self, files: Mapping[str, bytes]) -> httpx.Response:
        """Upload, and make the session's dataset of it."""
        entries = [file_data(path) for path in self.upload(files)]
        return self.run("create_dataset", [entries, *[""] * CAPTIONS])

    def join(self, name: str, data: Sequence[Any]) -> str:
        """Put a call into the queue, and return its event."""
        body = {"data": list(data), "fn_index": self.indices[name], "session_hash": self.session}
        reply = self.http.post(f"{self.prefix}/queue/join", json=body)
        event: str = reply.json()["event_id"]
        return event

    def messages(self, timeout: float = TIMEOUT) -> Iterator[dict[str, Any]]:
        """Yield what the queue says in this session, until it closes the stream."""
        path = f"{self.prefix}/queue/data"
        params = {"session_hash": self.session}
        with self.http.stream("GET", path, params=params, timeout=timeout) as reply:
            for line in reply.iter_lines():
                if line.startswith("data:"):
                    message = json.loads(line.removeprefix("data:"))
                    yield message
                    # After an error the server breaks off in the middle of its answer.
                    if message["msg"] in {"close_stream", "unexpected_error"}:
                        return

    def finish(self, name: str, data: Sequence[Any]) -> dict[str, Any]:
        """Queue a call, wait for its end, and return the last message about it."""
        event = self.join(name, data)
        *_, last = (m for m in self.messages() if m.get("event_id") == event)
        return last

    def file(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """Ask the file route for a path."""
        url = f"{self.prefix}/file={path}"
        return self.http.request(
            method, url, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


def file_data(path: str) -> dict[str, Any]:
    """Return how an uploaded file is named in a call."""
    return {"path": path, "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}
