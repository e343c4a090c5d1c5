"""What a server offers: its endpoints, the calls behind each operation, and told claims checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aitk_nb import _html
from aitk_nb.backends.claims import claim_probes, claims_from
from aitk_nb.backends.detect import detect
from aitk_nb.backends.probes import Probe, ask_all
from aitk_nb.backends.webui_catalogue import CATALOGUE, OPERATIONS
from aitk_nb.locate import locate
from aitk_nb.models import Claim, Endpoint, Flavour
from aitk_nb.settings import Connection, Credentials, Secret

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DiscoveryReport", "discover"]

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

    def frame(self) -> pd.DataFrame:
        """Return the endpoints as a table."""
        import pandas as pd

        return pd.DataFrame(self._endpoint_rows(), columns=list(HEADERS))

    def operations_frame(self) -> pd.DataFrame:
        """Return the operations as a table: which endpoints, in which order."""
        import pandas as pd

        rows = [(name, " → ".join(calls)) for name, calls in self.operations.items()]
        return pd.DataFrame(rows, columns=["operation", "endpoints"])

    def claims_frame(self) -> pd.DataFrame:
        """Return the claims as a table: true or false here, the evidence, and what holds."""
        import pandas as pd

        rows = [(c.claim, c.verdict, c.evidence, c.instead) for c in self.claims]
        return pd.DataFrame(rows, columns=["claim", "here", "evidence", "use instead"])

    def _endpoint_rows(self) -> list[tuple[str, ...]]:
        return [(e.name, e.method, e.path, e.does, e.since, e.state) for e in self.endpoints]

    def __repr__(self) -> str:
        present = sum(endpoint.state == "present" for endpoint in self.endpoints)
        return f"<{self.flavour.value} server with {present} of {len(self.endpoints)} endpoints>"

    def _repr_html_(self) -> str:
        return _html.table(HEADERS, self._endpoint_rows(), caption=repr(self).strip("<>"))


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
