"""`DryRunHttp`: sends requests that only read, and lists those that change something."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aitk_nb.backends.webui.catalog import ServerEndpoints
from aitk_nb.backends.wire.http import Http
from aitk_nb.models.dry_run import PlannedRequest

_QUEUE = re.compile(r"/api/queue/(?P<gpu_ids>[^/]+)/start")
_START = re.compile(r"/api/jobs/(?P<id>[^/]+)/start")
_LAST = 10**9
"""A queue position behind all others."""


class DryRunHttp(Http):
    """The web UI's server, read-only.

    Rows that would have been saved are kept, so that later reads find them.
    """

    def __init__(self, http: Http) -> None:
        """Read from the server of `http`."""
        super().__init__(http.connection)
        self.requests: list[PlannedRequest] = []
        """The requests held back, in order."""
        self._rows: dict[str, dict[str, Any]] = {}
        self._queues: set[str] = set()

    def act(self, path: str, *, what: str) -> Any:  # noqa: ARG002  (nothing can fail)
        """List a GET that changes something."""
        self.requests.append(PlannedRequest("GET", path))
        if match := _QUEUE.fullmatch(path):
            self._queues.add(unquote(match["gpu_ids"]))
        if (match := _START.fullmatch(path)) and (row := self._row(unquote(match["id"]))):
            begun: dict[str, Any] = {"status": "running", "info": "Starting job..."}
            if "queue_position" in row:
                position = _LAST + len(self.requests)
                begun = {"status": "queued", "info": "Job queued", "queue_position": position}
            self._rows[row["id"]] = row | begun
        return {}

    def post_json(self, path: str, body: object, *, what: str, repeat: bool = False) -> Any:
        """List a POST that changes something; one that only reads is sent."""
        if repeat:
            return super().post_json(path, body, what=what, repeat=repeat)
        given: Mapping[str, Any] = json.loads(json.dumps(body))
        self.requests.append(PlannedRequest("POST", path, given))
        return self._saved(given) if path == "/api/jobs" else {"success": True}

    def get_json(self, path: str, *, what: str, **options: Any) -> Any:
        """Return the JSON of a GET, with what would have been saved in its place."""
        asked = str((options.get("params") or {}).get("id", ""))
        if path == "/api/jobs" and (row := self._rows.get(asked)):
            return row
        answer = super().get_json(path, what=what, **options)
        queues = [{"gpu_ids": gpu_ids, "is_running": True} for gpu_ids in sorted(self._queues)]
        ours = {"/api/queue": ("queues", queues), "/api/jobs": ("jobs", list(self._rows.values()))}
        key, rows = ours.get(path, ("", ()))
        if not isinstance(answer, dict) or not isinstance(there := answer.get(key), list):
            return answer
        kept = [row for row in there if not (isinstance(row, dict) and row.get("id") in self._rows)]
        return {**answer, key: [*reversed(rows), *kept]}

    def _saved(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row that the server would answer, and keep it."""
        job_id = body["id"] or "NEW_ID" + (str(len(self._rows) + 1) if self._rows else "")
        new: dict[str, Any] = {"id": job_id, "status": "stopped", "step": 0, "info": ""}
        if ServerEndpoints(self).has("/api/queue"):
            new["queue_position"] = 0
        there = self._row(job_id) if body["id"] else None
        changes = {
            "name": body["name"],
            "gpu_ids": body["gpu_ids"],
            "job_config": json.dumps(body["job_config"]),
        }
        self._rows[job_id] = (there or new) | changes
        return self._rows[job_id]

    def _row(self, job_id: str) -> dict[str, Any] | None:
        row = self.get_json("/api/jobs", what="show a job", params={"id": job_id})
        return row if isinstance(row, dict) and row.get("id") == job_id else None
