"""Every endpoint that the web UI is known to have, and since when (`api.yaml`)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any
from urllib.parse import quote

import yaml

from aitk_nb.models.endpoint import Endpoint, Operation, Parameter
from aitk_nb.models.server import Ability

__all__ = ["CATALOGUE", "Entry", "abilities", "document", "endpoints", "era", "operations"]

PLACES = ("path", "query", "body", "form")


@functools.cache
def document() -> Mapping[str, Any]:
    """Return the catalogue as it is written."""
    text = resources.files("aitk_nb.backends.webui").joinpath("api.yaml").read_text("utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


@dataclass(frozen=True, slots=True)
class Entry:
    """One endpoint of the web UI in its newest form."""

    endpoint: Endpoint
    changes: Mapping[str, str]
    """Date of a change, and what was different before."""
    ok: Mapping[str, Any]
    """The good answer as JSON Schema, or `{"media": …}`."""
    also: str
    """Another content type of the good answer."""
    errors: Mapping[int, tuple[str, ...]]
    """Status, and the forms that its answer has: `json`, `text`, `bare`, `empty`."""

    @property
    def name(self) -> str:
        """The name of the endpoint."""
        return self.endpoint.name

    @property
    def method(self) -> str:
        """GET or POST."""
        return self.endpoint.method

    @property
    def since(self) -> str:
        """Date of the upstream commit that first had it."""
        return self.endpoint.since

    @property
    def acts(self) -> bool:
        """True when a request to it changes something, whatever the method."""
        return self.endpoint.acts

    @property
    def probe_path(self) -> str:
        """A path to ask about its existence with PUT, which no endpoint has."""
        path = self.endpoint.path
        for parameter in self.endpoint.parameters:
            if parameter.where == "path":
                path = path.replace(
                    f"{{{parameter.name}}}", "x" if parameter.name == "path" else "0"
                )
        return path

    def as_of(self, newest: str) -> Endpoint:
        """Return the endpoint as a server has it whose newest endpoint is of the day `newest`."""
        older = [f"{text} ({date})" for date, text in self.changes.items() if date > newest]
        if not older:
            return replace(self.endpoint, state="present")
        return replace(self.endpoint, state="changed", note="; ".join(older))


def _entry(raw: Mapping[str, Any]) -> Entry:
    method = "post" if "post" in raw else "get"
    parameters = tuple(
        _parameter(name, place, dict(about or {}))
        for place in PLACES
        for name, about in raw.get(place, {}).items()
    )
    public = raw.get("auth") == "public"
    errors = {status: _forms(forms) for status, forms in raw.get("errors", {}).items()}
    if not public or method == "post":
        errors[401] = ("json",)
    endpoint = Endpoint(
        name=raw["name"],
        method=method.upper(),
        path=raw[method],
        does=raw["does"],
        parameters=parameters,
        returns=raw["returns"],
        auth="public" if public else "token",
        known_by="catalogue",
        since=str(raw["since"]),
        acts=raw.get("acts", method == "post"),
    )
    changes = {str(date): text for date, text in raw.get("changed", {}).items()}
    return Entry(endpoint, changes, raw["ok"], raw.get("also", ""), errors)


def _parameter(name: str, place: str, raw: dict[str, Any]) -> Parameter:
    choices = tuple(raw.pop("choices", ()))
    return Parameter(name, where=place, choices=choices, **raw)


def _forms(forms: str | list[str]) -> tuple[str, ...]:
    return (forms,) if isinstance(forms, str) else tuple(forms)


CATALOGUE: tuple[Entry, ...] = tuple(_entry(raw) for raw in document()["endpoints"])
"""In the order in which somebody meets them."""


def endpoints(states: Mapping[str, str], auth: str) -> tuple[Endpoint, ...]:
    """Return every endpoint with its state.

    Args:
        states: what the probe of each endpoint said, by name.
        auth: `token`, `none` or `unknown`: what the server asks for where it asks at all.
    """
    newest = max(
        (entry.since for entry in CATALOGUE if states[entry.name] == "present"), default=""
    )
    found = []
    for entry in CATALOGUE:
        state = states[entry.name]
        endpoint = entry.endpoint if state != "present" else entry.as_of(newest)
        needed = "public" if endpoint.auth == "public" and auth != "none" else auth
        found.append(
            replace(
                endpoint,
                state=endpoint.state if state == "present" else state,
                auth=needed,
                known_by="catalogue, probe",
            )
        )
    return tuple(found)


def era(found: tuple[Endpoint, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the date of the newest endpoint that is there, and those older ones that are not.

    A server as it was released has everything up to its newest endpoint; a fork, or a proxy in
    front of it, may lack some.
    """
    newest = max((endpoint.since for endpoint in found if endpoint.exists), default="")
    odd = [e.name for e in found if e.state == "absent" and e.since < newest]
    return newest, tuple(odd)


def operations(found: tuple[Endpoint, ...]) -> dict[str, Operation]:
    """Return the calls behind each operation, as far as the server has them."""
    by_name = {endpoint.name: endpoint for endpoint in found}
    return {
        name: _operation(name, [by_name[call] for call in calls])
        for name, calls in document()["operations"].items()
    }


def _operation(name: str, calls: list[Endpoint]) -> Operation:
    there = [call for call in calls if call.state != "absent"]
    reasons = ["AI Toolkit's web UI is known; each endpoint was asked for"]
    reasons += [
        f"{call.name} is not there: newer than this server" for call in calls if call not in there
    ]
    reasons += [f"{call.name}: {call.note}" for call in there if call.note]
    unseen = [call.name for call in there if not call.exists]
    if unseen:
        reasons.append(f"not seen: {', '.join(unseen)}")
    return Operation(
        name,
        calls=tuple(call.name for call in there),
        confidence=0.5 if unseen else 1.0,
        reasons=tuple(reasons),
    )


def abilities(found: tuple[Endpoint, ...]) -> frozenset[Ability]:
    """Return what a server with these endpoints can do."""
    there = {endpoint.name for endpoint in found if endpoint.state != "absent"}
    needed: Mapping[str, list[str]] = document()["abilities"]
    return frozenset(Ability(name) for name, calls in needed.items() if there.issuperset(calls))


def fill(path: str, values: Mapping[str, object]) -> str:
    """Return a path with its parameters put in, each percent-encoded whole."""
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return path
