"""`DryRun`: the requests that a call would make, listed and not sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aitk_nb import _html

__all__ = ["DryRun", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request that would change something on the server; it never holds a token."""

    method: str
    """As the server wants it: AI Toolkit's web UI starts and stops by GET."""
    path: str
    """Below the server's address."""
    body: Mapping[str, Any] | None = None
    """What is sent as JSON; None where nothing is."""

    def __str__(self) -> str:
        if self.body is None:
            return f"{self.method} {self.path}"
        text = json.dumps(self.body, indent=2, ensure_ascii=False)
        return f"{self.method} {self.path}\nContent-Type: application/json\n\n{text}"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What starting a training would do, found out by reading alone."""

    name: str
    """The job's name, as it would be."""
    url: str
    """The server's address."""
    outcome: str
    """What would come of it, in one sentence."""
    requests: tuple[Request, ...]
    """What would be sent, in this order; empty when there is nothing to do."""

    def __str__(self) -> str:
        lines = [f"{self.outcome} Nothing was changed on {self.url}."]
        if any("NEW_ID" in request.path for request in self.requests):
            lines.append("NEW_ID stands for the id that the server gives the new job.")
        return "\n\n".join([*lines, *map(str, self.requests)])

    __repr__ = __str__

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "name": self.name,
            "url": self.url,
            "outcome": self.outcome,
            "requests": [
                {"method": request.method, "path": request.path, "body": request.body}
                for request in self.requests
            ],
        }

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        first, *rest = str(self).split("\n\n", 1)
        page = [_html.message(first, "info"), *(_html.code(text) for text in rest)]
        return {"text/plain": str(self), "text/html": _html.join(page)}
