"""The inference engines of the web UI: their jobs, and the proxy to them.

Contract: AI Toolkit 0.13. Why it is so: docs/behavior.md#outputs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import quote

from aitk_nb.backends.base import Progress
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import UnexpectedReply
from aitk_nb.models import Engine, JobState

if TYPE_CHECKING:
    from aitk_nb.backends.webui.backend import WebUI

ROOT = "/api/inference"


@runtime_checkable
class SupportsInference(Protocol):
    """A backend whose server has inference engines."""

    @property
    def inference(self) -> WebUIInference:
        """What starts them, and hands requests to them."""
        ...


class WebUIInference:
    """Starts and stops engines, and hands requests to them."""

    def __init__(self, http: Http, backend: WebUI) -> None:
        self._http = http
        self._backend = backend

    @property
    def url(self) -> str:
        """The server's address."""
        return self._http.url

    @property
    def outage(self) -> float:
        """Seconds that a server may be away."""
        return self._http.connection.outage

    def engines(self) -> tuple[Engine, ...]:
        """Return all engines that run, wait or still stop."""
        what = "list its inference engines"
        body = self._http.get_json(f"{ROOT}/status", what=what)
        try:
            return tuple(
                Engine(
                    str(one["jobName"]),
                    str(one["gpuIds"]),
                    str(one["status"]),
                    is_ready=one["ready"] is True,
                    id=str(one["jobId"]),
                )
                for one in body["engines"]
            )
        except (KeyError, TypeError) as exc:
            raise UnexpectedReply(what, "not a list of engines") from exc

    def jobs(self) -> tuple[JobState, ...]:
        """Return the jobs of all types."""
        return self._backend.all_jobs()

    def start(self, gpu_ids: str) -> None:
        """Start the engine of some GPUs, which has one job for good."""
        name = f"inference_engine_gpu{gpu_ids}"
        there = next((job for job in self.jobs() if job.name == name), None)
        process = {
            "type": "InferenceEngine",
            "sqlite_db_path": "./aitk_db.db",
            "device": "cuda",
            "engine": {"dtype": "bf16"},
        }
        row = {
            "id": there.id if there else None,
            "name": name,
            "gpu_ids": gpu_ids,
            "job_type": "inference",
            "job_config": {"job": "extension", "config": {"name": name, "process": [process]}},
        }
        self._http.post_json("/api/jobs", row, what="save the job of the inference engine")
        self._backend.start_job(next(job for job in self.jobs() if job.name == name))

    def stop(self, engine: Engine) -> None:
        """Ask an engine to end; one that waits is taken out of its queue."""
        self._backend.stop_job(self._state(engine))

    def kill(self, engine: Engine) -> None:
        """Kill the process of an engine that does not end."""
        self._backend.kill_job(self._state(engine))

    def _state(self, engine: Engine) -> JobState:
        return next(job for job in self.jobs() if job.name == engine.name)

    def needs_control_image(self, engine: Engine, arch: str) -> bool:
        """Return whether an engine refuses an architecture without a control image."""
        path = f"{ROOT}/models?job={quote(engine.id, safe='')}"
        body = self._http.get_json(path, what="list the engine's models")
        try:
            needs = {str(one["arch"]) for one in body["archs"] if one["needs_control_image"]}
        except (KeyError, TypeError) as exc:
            raise UnexpectedReply("list the engine's models", "not a list of models") from exc
        # Architectures are listed without what follows a colon.
        return arch.partition(":")[0] in needs

    @contextmanager
    def generate(
        self, engine: Engine, body: Mapping[str, Any]
    ) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Send a request, once, and yield its id and the pieces of its frames."""
        # Never with `wait`: the proxy before a pod cuts that after 100 s.
        path = f"{ROOT}/generate?job={quote(engine.id, safe='')}"
        with self._http.stream(path, what="generate", method="POST", json=body) as answer:
            yield answer.headers.get("x-request-id", ""), answer.iter_bytes()

    @contextmanager
    def reattach(self, engine: Engine, request_id: str) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of the frames of a request from its beginning."""
        path = f"{ROOT}/stream/{quote(request_id, safe='')}?job={quote(engine.id, safe='')}"
        with self._http.stream(path, what="go on with a generation") as answer:
            yield answer.iter_bytes()

    def cancel(self, engine: Engine, request_id: str) -> None:
        """Cancel a request."""
        path = f"{ROOT}/cancel/{quote(request_id, safe='')}?job={quote(engine.id, safe='')}"
        self._http.post_json(path, {}, what="cancel a generation", repeat=True)

    def upload_asset(self, engine: Engine, name: str, content: bytes) -> str:
        """Send a control image, and return its path on the server, where it stays."""
        params = {"name": name, "job": engine.id}
        answer = self._http.read(
            "POST", f"{ROOT}/assets", what=f"take {name}", params=params, content=content
        )
        with suppress(ValueError, KeyError, TypeError):
            return str(answer.json()["path"])
        raise UnexpectedReply(f"take {name}", "no path")

    def fetch(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file that an engine has made; return its bytes."""
        return self._backend.download(path, target, progress)

    def delete(self, paths: Sequence[str]) -> tuple[str, ...]:
        """Delete files that engines have made, and return those that are still there."""
        what = "delete what an engine has made"
        body = self._http.post_json(
            f"{ROOT}/outputs/delete", {"paths": [*paths]}, what=what, repeat=True
        )
        if not isinstance(body, dict) or not isinstance(body.get("deleted"), list):
            raise UnexpectedReply(what, "not a list of files")
        return tuple(path for path in paths if path not in body["deleted"])
