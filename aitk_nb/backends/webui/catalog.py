"""Every endpoint that a web UI may have, since when (`api.yaml`), and which of them one server has.

Why it is so: docs/behavior.md#authentication
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aitk_nb._yaml import facts
from aitk_nb.backends.webui import catalog
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.errors import NotSupported, UnexpectedReply
from aitk_nb.models import Ability, Endpoint, Operation, Parameter


def document() -> Mapping[str, Any]:
    """Return the OpenAPI document of everything that a web UI may have."""
    found: Mapping[str, Any] = facts("aitk_nb.backends.webui", "api")
    return found


def operation_objects() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Return the path, method and operation object of each endpoint, as OpenAPI has them."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def resolved(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a `$ref` of the document stands for, and anything else as it is."""
    if "$ref" not in item:
        return item
    found = document()
    for key in item["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return found


def _endpoint(path: str, method: str, operation: Mapping[str, Any]) -> Endpoint:
    return Endpoint(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        does=operation["summary"],
        parameters=tuple(_parameters(operation)),
        returns=operation["responses"]["200"]["description"],
        auth="public" if "security" in operation else "token",
        known_by="catalog, probe",
        since=operation["x-since"],
        acts=operation.get("x-changes-something", False),
    )


def _parameters(operation: Mapping[str, Any]) -> Iterator[Parameter]:
    for raw in map(resolved, operation.get("parameters", ())):
        needed = raw.get("required", False)
        yield _parameter(raw["name"], raw["in"], needed, {**raw, **raw["schema"]})
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        place = "body" if media == "application/json" else "form"
        body = content["schema"]
        for name, schema in body["properties"].items():
            yield _parameter(name, place, name in body.get("required", ()), schema)


def _parameter(name: str, place: str, required: bool, schema: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name,
        type=_type(schema),
        where=place,
        required=required,
        default=schema.get("default"),
        choices=tuple(schema.get("enum", ())),
        about=schema.get("description", ""),
        example=next(iter(schema.get("examples", ())), None),
    )


def _type(schema: Mapping[str, Any]) -> str:
    schema = resolved(schema)
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return "file" if "contentMediaType" in schema else schema.get("type", "any")


CATALOG: tuple[Endpoint, ...] = tuple(_endpoint(*found) for found in operation_objects())
"""Every endpoint in its newest form, in the order in which somebody meets them."""
PATHS: Mapping[str, str] = {endpoint.name: endpoint.path for endpoint in CATALOG}
"""The path of each, with its parameters in braces."""
OPTIONAL = tuple(
    found["operationId"]
    for *_, found in operation_objects()
    if "x-ability" in found and found["x-since"] > "2025-03-20"
)
"""Endpoints with an ability that are younger than `auth`, by which a web UI is known."""
_CATCH_ALL = tuple(path.partition("{path}")[0] for path in PATHS.values() if "{path}" in path)


def probe_method(endpoint: Endpoint) -> str:
    """Return the method that shows whether an endpoint exists: PUT, which none has, gets 405.

    Where a path would also match `/api/files/{path}` or the like, that says 405 in its place; there
    OPTIONS tells the methods of what answers.
    """
    prefixes = (start for start in _CATCH_ALL if endpoint.path.startswith(start))
    return "OPTIONS" if any(prefixes) and "{path}" not in endpoint.path else "PUT"


def endpoints(states: Mapping[str, str], auth: str) -> tuple[Endpoint, ...]:
    """Return every endpoint with its state on one server.

    Args:
        states: what the probe of each endpoint found, by name.
        auth: `token`, `none` or `unknown`: what the server asks for where it asks at all.
    """
    newest = max((e.since for e in CATALOG if states[e.name] == "present"), default="")
    before = {found["operationId"]: found.get("x-before", {}) for *_, found in operation_objects()}
    found = []
    for endpoint in CATALOG:
        state, note = states[endpoint.name], ""
        if state == "present":
            older = before[endpoint.name].items()
            note = "; ".join(f"before {day}: {text}" for day, text in older if day > newest)
            state = "changed" if note else state
        needed = "public" if endpoint.auth == "public" and auth != "none" else auth
        found.append(replace(endpoint, state=state, note=note, auth=needed))
    return tuple(found)


def era(found: tuple[Endpoint, ...]) -> tuple[str, tuple[str, ...]]:
    """Return the date of the newest endpoint that exists, and the older ones that are absent.

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
        for name, calls in document()["x-operations"].items()
    }


def _operation(name: str, calls: list[Endpoint]) -> Operation:
    there = [call for call in calls if call.state != "absent"]
    reasons = ["AI Toolkit's web UI is known; each endpoint was probed"]
    reasons += [f"{e.name} is absent: newer than this server" for e in calls if e not in there]
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
    unseen = {endpoint.name for endpoint in found if not endpoint.exists}
    able: set[Ability] = set()
    unable: set[Ability] = set()
    for _, _, operation in operation_objects():
        group = unable if operation["operationId"] in unseen else able
        group.update(Ability[name] for name in operation.get("x-ability", ()))
    sure = able - unable
    # Where no endpoint tells the losses, the progress bars in the log do.
    return frozenset(sure | {Ability.LOSSES} if Ability.LOG in sure else sure)


UPDATE = "Update AI Toolkit on the server."
"""What to do where nothing else helps."""


class ServerEndpoints:
    """Finds out what one web UI has, when that matters."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._abilities: frozenset[Ability] | None = None

    def has(self, path: str) -> bool:
        """Return whether the endpoint exists: no endpoint has PUT, and one that exists says 405.

        Where something in front of the server answers anything but 404, it counts as existing.
        """
        return self._http.raw("PUT", path).status_code != 404

    @contextmanager
    def required(self, path: str, action: str, instead: str = UPDATE) -> Iterator[None]:
        """Raise `NotSupported` where the block gets an answer that only a missing endpoint has."""
        try:
            yield
        except UnexpectedReply as exc:
            if self.has(path):
                raise
            raise NotSupported(action, "dated web UI", instead) from exc

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the server can do; everything, as long as it does not tell."""
        if self._abilities is not None:
            return self._abilities
        probed = [entry for entry in catalog.CATALOG if entry.name in {"auth", *catalog.OPTIONAL}]
        answers = each(lambda entry: self.has(entry.probe_path), probed)
        there = {entry.name: answer for entry, answer in zip(probed, answers, strict=True)}
        states = dict.fromkeys(catalog.PATHS, "present")
        if there["auth"] is True:  # else something in front of it answers to PUT
            states |= {name: "absent" for name, answer in there.items() if answer is False}
        found = catalog.abilities(catalog.endpoints(states, "unknown"))
        if {*map(type, answers)} == {bool}:
            self._abilities = found
        return found
