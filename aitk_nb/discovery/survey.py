"""`DiscoveryReport`: what was found out about a server, as tables, files and snippets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aitk_nb import _html
from aitk_nb._files import replacing
from aitk_nb._table import Table
from aitk_nb.models.endpoint import Claim, Endpoint, Operation, described
from aitk_nb.models.server import Ability, Flavour

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DiscoveryReport"]

MIME = "application/vnd.aitk.discovery+json"

HEADERS = (
    "endpoint", "method", "path", "state", "auth", "parameters", "returns", "since", "known by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiscoveryReport:
    """What was found out about a server without changing anything on it."""

    url: str
    flavour: Flavour | None = None
    """Which face of AI Toolkit answers; None when none does, and `failure` says why."""
    version: str = ""
    """Gradio's version; the web UI tells none."""
    newest: str = ""
    """Date of the newest endpoint of the web UI: the server is at least that young."""
    lacking: tuple[str, ...] = ()
    """Older endpoints that are not there all the same: a fork, or a proxy that hides them."""
    prefix: str = ""
    """Path before every address of a Gradio app's API."""
    auth: str = "unknown"
    """What the server asks for: `token`, `login`, `none` or `unknown`."""
    abilities: frozenset[Ability] = frozenset()
    """What the server can do."""
    endpoints: tuple[Endpoint, ...] = ()
    """Every known endpoint, and whether the server has it."""
    operations: Mapping[str, Operation] = field(default_factory=dict)
    """What people want to do, and the calls behind it."""
    claims: tuple[Claim, ...] = ()
    """What people are told about AI Toolkit servers, held against this one."""
    failure: str = ""
    """Why nothing was found out; empty when something was."""

    # -- tables ------------------------------------------------------------------------------

    @property
    def endpoints_table(self) -> Table:
        """Every known endpoint, how to call it, how we know, and whether this server has it."""
        rows = tuple(
            (
                e.name,
                e.method,
                e.path,
                f"{e.state}: {e.note}" if e.note else e.state,
                e.auth,
                described(e.parameters),
                e.returns + (", bit by bit" if e.generator else ""),
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
    def operations_table(self) -> Table:
        """What people want to do, the endpoints behind it in the order of calls, and why these."""
        rows = tuple(
            (
                operation.name,
                " → ".join(operation.calls) or "not on this server",
                f"{operation.confidence:.0%}",
                "; ".join(operation.reasons),
            )
            for operation in self.operations.values()
        )
        return Table(("operation", "endpoints", "sure", "because"), rows)

    @property
    def claims_table(self) -> Table:
        """The claims, whether they are true here, the evidence, and what to use instead."""
        rows = tuple((c.claim, c.verdict, c.evidence, c.instead) for c in self.claims)
        return Table(("claim", "here", "evidence", "use instead"), rows)

    # -- files -------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON holds it; `schemas/discovery.json` says what is where."""
        return {
            "url": self.url,
            "flavour": self.flavour.value if self.flavour else None,
            "version": self.version or None,
            "newest": self.newest or None,
            "lacking": list(self.lacking),
            "auth": self.auth,
            "abilities": sorted(ability.value for ability in self.abilities),
            "endpoints": [_plain(asdict(endpoint)) for endpoint in self.endpoints],
            "operations": {
                name: {key: value for key, value in _plain(asdict(each)).items() if key != "name"}
                for name, each in self.operations.items()
            },
            "claims": [asdict(claim) for claim in self.claims],
            "failure": self.failure or None,
        }

    def to_json(self, path: str | Path | None = None) -> str:
        """Return everything as JSON text; with `path`, write it there as well."""
        return _kept(json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n", path)

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return the report as Markdown; with `path`, write it there as well."""
        from aitk_nb.discovery.pages import markdown

        return _kept(markdown(self), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as a page that needs nothing else; with `path`, write it there."""
        from aitk_nb.discovery.pages import page

        return _kept(str(page(self)), path)

    def openapi(self) -> dict[str, Any]:
        """Return an OpenAPI 3.1 document of the web UI's endpoints that this server has.

        Raises:
            NotSupported: a Gradio app, which describes its functions by itself.
        """
        from aitk_nb.discovery.openapi import openapi

        return openapi(self)

    def save(self, path: str | Path) -> None:
        """Write the operations as YAML, to be corrected and given to `connect(operations=…)`."""
        _kept(self.operations_yaml(), path)

    def operations_yaml(self) -> str:
        """Return what `save` writes."""
        from aitk_nb.discovery.operations_file import dumped

        return dumped(self.operations, self.url, self.flavour)

    # -- code --------------------------------------------------------------------------------

    def snippet(
        self, name: str, language: str = "curl", values: Mapping[str, object] | None = None
    ) -> str:
        """Return code that calls an endpoint or does an operation, as it can be run.

        Secrets are read from AITK_TOKEN, or AITK_USERNAME and AITK_PASSWORD, when it runs.

        Args:
            name: an endpoint or an operation of this report.
            language: `curl`, `python`, `gradio_client`, `javascript` or `typescript`.
            values: values to put in, by parameter; for operations, by our own words.

        Raises:
            BadInput: there is no such endpoint, operation, language or value.
        """
        from aitk_nb.discovery.snippets import snippet

        return snippet(self, name, language, values or {})

    def typescript_client(self) -> str:
        """Return a TypeScript file with a class `AIToolkitClient` for the four operations.

        Raises:
            BadInput: no training server answered.
        """
        from aitk_nb.discovery.snippets import typescript_client

        return typescript_client(self)

    # -- looks -------------------------------------------------------------------------------

    @property
    def summary(self) -> list[tuple[str, str]]:
        """The report in a few lines: a name, and what holds."""
        if self.flavour is None:
            return [("address", self.url), ("found", self.failure)]
        present = sum(endpoint.exists for endpoint in self.endpoints)
        true = sum(claim.verdict == "true" for claim in self.claims)
        lines = [
            ("flavour", f"{self.flavour.value} {self.version}".strip()),
            ("asks for", self.auth),
            ("endpoints", f"{present} of {len(self.endpoints)} known ones"),
            (
                "operations",
                ", ".join(o.name for o in self.operations.values() if o.calls) or "none",
            ),
            ("true claims", f"{true} of {len(self.claims)}"),
        ]
        if self.flavour is Flavour.WEBUI:
            lines.insert(3, ("at least as young as", self.newest or "not known"))
        if self.lacking:
            lines.insert(4, ("though it lacks", ", ".join(self.lacking)))
        return lines

    def __repr__(self) -> str:
        if self.flavour is None:
            return "<no training server>"
        present = sum(endpoint.exists for endpoint in self.endpoints)
        return f"<{self.flavour.value} server with {present} of {len(self.endpoints)} endpoints>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        states = {endpoint.name: endpoint.state for endpoint in self.endpoints}
        flavour = self.flavour.value if self.flavour else None
        return {
            "text/plain": repr(self),
            "text/html": _html.definition(self.summary, caption="What the server offers"),
            MIME: {"flavour": flavour, "newest": self.newest, "endpoints": states},
        }


def _kept(text: str, path: str | Path | None) -> str:
    if path is not None:
        with replacing(path) as draft:
            # A server's text may hold half a character, which no file can.
            draft.write_bytes(text.encode("utf-8", "replace"))
    return text


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: a server's own may be anything."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
