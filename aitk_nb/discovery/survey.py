"""`Survey`: what was found out about a server, as values and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aitk_nb._display.table import Table
from aitk_nb.models.checklist import Check, Checklist
from aitk_nb.models.endpoint import Endpoint, Operation, described
from aitk_nb.models.report import JsonReport
from aitk_nb.models.server import Ability, Flavour

if TYPE_CHECKING:
    import pandas as pd

HEADERS = (
    "endpoint", "method", "path", "state", "auth", "parameters", "returns", "since", "known by",
)  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Survey(JsonReport):
    """What was found out about a server, read-only."""

    url: str
    """The address that was asked."""
    flavour: Flavour | None = None
    """The kind of server; None if no AI Toolkit answers, and `failure` says why."""
    version: str = ""
    """Gradio's version; the web UI reports none."""
    newest: str = ""
    """Date of the web UI's newest endpoint: the server is at least of that version."""
    lacking: tuple[str, ...] = ()
    """Older endpoints that are missing all the same: a fork, or a proxy that hides them."""
    prefix: str = ""
    """Path in front of every address of a Gradio app's API."""
    auth: str = "unknown"
    """What the server requires: `token`, `login`, `none` or `unknown`."""
    abilities: frozenset[Ability] = frozenset()
    """What the server can do."""
    endpoints: tuple[Endpoint, ...] = ()
    """Every known endpoint, and whether the server has it."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """The tasks, and the calls for each."""
    claims: Checklist[Check] = field(default=Checklist())
    """Common claims about AI Toolkit servers, checked against this one."""
    failure: str = ""
    """Why nothing was found out; empty if something was."""
    product: str = ""
    """What answers, as far as can be told, such as "AI Toolkit's web UI"."""

    @property
    def is_hidden(self) -> bool:
        """True if a login or a token hides what the server has."""
        hidden = self.auth == "login" and not self.version
        return hidden or any(endpoint.state == "locked" for endpoint in self.endpoints)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-compatible values, always in the same order."""
        document = JsonReport.as_dict(self)
        return {**document, "abilities": sorted(document["abilities"])}

    @property
    def endpoints_table(self) -> Table:
        """Every known endpoint, how to call it, how it is known, and whether the server has it."""
        rows = tuple(
            (
                e.name,
                e.method,
                e.path,
                f"{e.state}: {e.note}" if e.note else e.state,
                e.auth,
                described(e.parameters),
                e.result,
                e.since,
                e.known_by,
            )
            for e in self.endpoints
        )
        return Table(HEADERS, rows, caption=repr(self).strip("<>"))

    def frame(self) -> pd.DataFrame:
        """Return the endpoints as a pandas table, with what each does."""
        frame = self.endpoints_table.frame()
        frame.insert(3, "does", [endpoint.does for endpoint in self.endpoints])
        return frame

    @property
    def absent(self) -> str:
        """The words for an operation without calls."""
        return "cannot be seen without a login" if self.is_hidden else "not on this server"

    @property
    def operations_table(self) -> Table:
        """The tasks, the endpoints for each in the order of calls, and why these."""
        rows = tuple(
            (
                operation.name,
                " → ".join(operation.calls) or self.absent,
                f"{operation.confidence:.0%}",
                "; ".join(operation.reasons),
            )
            for operation in self.operations.values()
        )
        return Table(("operation", "endpoints", "confidence", "reasons"), rows)

    @property
    def summary(self) -> list[tuple[str, str]]:
        """The report in a few lines: a name and a value each."""
        if self.flavour is None:
            return [("address", self.url), ("found", self.failure)]
        present = sum(endpoint.exists for endpoint in self.endpoints)
        lines = [
            ("found", self.product),
            ("flavour", f"{self.flavour.value} {self.version}".strip()),
            ("required credentials", self.auth),
            (
                "endpoints",
                self.absent
                if self.is_hidden and not present
                else f"{present} of {len(self.endpoints)} known ones",
            ),
        ]
        if self.flavour is Flavour.WEBUI:
            lines.append(("minimum version", self.newest or "unknown"))
        if self.lacking:
            lines.append(("missing endpoints", ", ".join(self.lacking)))
        operations = ", ".join(each.name for each in self.operations.values() if each.calls)
        true = sum(not claim.remedy for claim in self.claims)
        return [
            *lines,
            ("operations", operations or (self.absent if self.is_hidden else "none")),
            ("true claims", f"{true} of {len(self.claims)}"),
        ]

    def __repr__(self) -> str:
        if self.flavour is None:
            return "<no training server>"
        present = sum(endpoint.exists for endpoint in self.endpoints)
        return f"<{self.flavour.value} server with {present} of {len(self.endpoints)} endpoints>"
