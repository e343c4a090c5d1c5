"""`DryRunReport`: the requests that starting a job would send."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aitk_nb._display import html
from aitk_nb.models.job import StartResult
from aitk_nb.models.report import JsonReport


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request that would change something on the server; it never holds a token."""

    method: str
    """The server's own choice: AI Toolkit's web UI starts and stops jobs with GET."""
    path: str
    """Path below the server's address."""
    body: Mapping[str, Any] | None = None
    """The JSON body, if any."""

    def __str__(self) -> str:
        if self.body is None:
            return f"{self.method} {self.path}"
        text = json.dumps(self.body, indent=2, ensure_ascii=False)
        return f"{self.method} {self.path}\nContent-Type: application/json\n\n{text}"


@dataclass(frozen=True, slots=True)
class DryRunReport(JsonReport):
    """What `client.jobs.start` would do, found without changing anything on the server.

    Example:
        >>> plan = client.jobs.plan(job.params(name="planned"))
        >>> [f"{request.method} {request.path}" for request in plan.requests]
        ['POST /api/jobs', 'GET /api/jobs/NEW_ID/start', 'GET /api/queue/0/start']
    """

    name: str
    """Name the job would have."""
    url: str
    """The server's address."""
    start_result: StartResult | None
    """What the start would do."""
    outcome: str
    """The same in one sentence."""
    requests: tuple[PlannedRequest, ...]
    """The requests in the order in which they would be sent; empty if none is needed."""

    def __str__(self) -> str:
        lines = [f"{self.outcome} Nothing was changed on {self.url}."]
        if any("NEW_ID" in request.path for request in self.requests):
            lines.append("NEW_ID stands for the id that the server gives the new job.")
        return "\n\n".join([*lines, *map(str, self.requests)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        first, *rest = str(self).split("\n\n", 1)
        return html.join([html.message(first, "info"), *map(html.code, rest)])
