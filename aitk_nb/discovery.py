"""What a server offers: its endpoints, the calls behind each operation, and told claims checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitk_nb import _html
from aitk_nb.backends.claims import claim_probes, claims_from
from aitk_nb.backends.detect import detect
from aitk_nb.backends.probes import Probe, ask_all
from aitk_nb.backends.webui_catalogue import CATALOGUE, OPERATIONS
from aitk_nb.locate import locate
from aitk_nb.models import Claim, Endpoint, Flavour
from aitk_nb.settings import Connection, Credentials, Secret, hidden
from aitk_nb.tables import Table

__all__ = ["DiscoveryReport", "discover"]

MIME = "application/vnd.aitk.discovery+json"

HEADERS = ("endpoint", "method", "path", "does", "since", "state")


@dataclass(frozen=True, slots=True)
class DiscoveryReport:
    """What was found out about a server without changing anything on it."""

    url: str
    flavour: Flavour
    endpoints: tuple[Endpoint, ...]
    """Every known endpoint and whether the server has it; empty for Gradio as yet."""
    operations: Mapping[str, tuple[str, ...]]
    """The endpoints behind each operation, in the order of calls."""
    claims: tuple[Claim, ...]
    """What people are told about AI Toolkit servers, held against this one."""

    @property
    def newest(self) -> str:
        """Date of the newest endpoint that the server has: it is at least that young."""
        return max((e.since for e in self.endpoints if e.state == "present"), default="")

    @property
    def endpoints_table(self) -> Table:
        """Every known endpoint, what it does, since when, and whether this server has it."""
        rows = tuple((e.name, e.method, e.path, e.does, e.since, e.state) for e in self.endpoints)
        return Table(HEADERS, rows, caption=repr(self).strip("<>"))

    @property
    def operations_table(self) -> Table:
        """What people want to do, and the endpoints behind it in the order of calls."""
        rows = tuple((name, " → ".join(calls)) for name, calls in self.operations.items())
        return Table(("operation", "endpoints"), rows)

    @property
    def claims_table(self) -> Table:
        """The claims, whether they are true here, the evidence, and what to use instead."""
        rows = tuple((c.claim, c.verdict, c.evidence, c.instead) for c in self.claims)
        return Table(("claim", "here", "evidence", "use instead"), rows)

    def _summary(self) -> list[tuple[str, str]]:
        present = sum(endpoint.state == "present" for endpoint in self.endpoints)
        true = sum(claim.verdict == "true" for claim in self.claims)
        return [
            ("flavour", self.flavour.value),
            ("endpoints", f"{present} of {len(self.endpoints)} known ones"),
            ("at least as young as", self.newest or "not known"),
            ("operations", ", ".join(self.operations) or "not known"),
            ("true claims", f"{true} of {len(self.claims)}"),
        ]

    def __repr__(self) -> str:
        present = sum(endpoint.state == "present" for endpoint in self.endpoints)
        return f"<{self.flavour.value} server with {present} of {len(self.endpoints)} endpoints>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        states = {endpoint.name: endpoint.state for endpoint in self.endpoints}
        return {
            "text/plain": repr(self),
            "text/html": _html.definition(self._summary(), caption="What the server offers"),
            MIME: {"flavour": self.flavour.value, "newest": self.newest, "endpoints": states},
        }


def discover(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
) -> DiscoveryReport:
    """Return what the server at `url` offers; changes nothing on it.

    Whether an endpoint exists is told by PUT: no endpoint of the web UI has it, so that one that
    exists answers an empty 405 and one that does not a page. With a token set, the token is
    needed to see that; without it every endpoint is `locked`.

    Raises:
        ConnectionFailed: nobody, or no training server, answers there.
    """
    credentials, headers = hidden(credentials, headers)
    flavour, connection = detect(locate(url, credentials, headers, verify))
    probes = [Probe("PUT", entry.probe_path) for entry in CATALOGUE]
    if flavour is Flavour.GRADIO:
        probes = []
    checks = claim_probes()
    answers = ask_all(connection, [*probes, *checks])
    states = [_state(answer.status) for answer in answers[: len(probes)]]
    endpoints = tuple(
        Endpoint(entry.name, entry.method, entry.path, entry.does, entry.since, state, entry.acts)
        for entry, state in zip(CATALOGUE, states, strict=False)
    )
    return DiscoveryReport(
        url=connection.url,
        flavour=flavour,
        endpoints=endpoints,
        operations=OPERATIONS if flavour is Flavour.WEBUI else {},
        claims=claims_from(flavour, answers[len(probes) :]),
    )


def _state(status: int) -> str:
    if status == 405:
        return "present"
    if status == 401:
        return "locked"
    return "absent" if status == 404 else "unknown"
