"""Loads the contract cases from YAML, refuses mistakes in them, and fills in their placeholders.

What the keys mean is told in README.md beside this file.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from tests.contract.matching import OPERATORS, TYPE, TYPE_NAMES
from tests.versions import ERAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aitk_nb.demo import EraName

FOLDER = Path(__file__).parent / "webui"
"""Where the cases are, one YAML file for each family."""

_CASE = {
    "name", "since", "until", "server", "needs", "request", "expect", "expect_embedded", "steps",
    "cleanup", "real", "embedded", "why", "contract",
}  # fmt: skip
_STEP = {"request", "expect", "expect_embedded", "capture", "poll", "after", "gone"}
_REQUEST = {"method", "path", "query", "headers", "json", "multipart", "raw", "read_until"}
_EXPECT = {
    "status", "headers", "json", "shape", "text", "empty", "html", "size", "content", "image",
    "zip", "truncated",
}  # fmt: skip
_NEEDS = {"job", "jobs", "dataset", "datasets", "job_files", "settings", "trainer"}
_PLACEHOLDER = re.compile(r"\{(?:(q|re):)?([A-Za-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*)([+-]\d+)?\}")


class CaseError(Exception):
    """A case is written wrongly."""


@dataclass(frozen=True)
class Step:
    """One request of a case and what must come back."""

    request: dict[str, Any]
    """Method, path and the rest, with placeholders."""

    expect: dict[str, Any]
    """What the contract says comes back."""

    expect_embedded: dict[str, Any] | None = None
    """What the embedded server answers instead, where the real answer does harm."""

    capture: dict[str, str] = field(default_factory=dict)
    """Values of the answer to keep for later steps: name to place."""

    poll: float = 0.0
    """Repeat the request for so many seconds until the answer is as expected."""

    after: float = 0.0
    """Seconds to wait before the request."""

    gone: str = ""
    """A process of this machine to wait for before the request, until it has ended."""


@dataclass(frozen=True)
class Case:
    """One sentence of the contract that can be checked by requests."""

    name: str
    """Unique slug that reads as a sentence."""

    family: str
    """Name of the file it is in."""

    steps: tuple[Step, ...]
    """The requests, in order."""

    eras: tuple[EraName, ...] = ERAS
    """The versions of the web UI that answer so."""

    server: str = "any"
    """`any` server; only one that is `open`; only one with a `token`."""

    needs: dict[str, Any] = field(default_factory=dict)
    """What has to exist before."""

    cleanup: tuple[dict[str, Any], ...] = ()
    """Requests sent at the end, whatever happened."""

    real: str = ""
    """Why this case cannot be run on a real server; empty when it can."""

    why: str = ""
    """Why the embedded server answers differently; empty when it does not."""


@functools.cache
def load(folder: Path = FOLDER) -> list[Case]:
    """Return all cases of a folder, in the order of its files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    cases: list[Case] = []
    for path in sorted(folder.glob("*.yaml")):
        for raw in yaml.load(path.read_text(encoding="utf-8"), loader):
            try:
                cases.append(parse(raw, path.stem))
            except CaseError as exc:
                raise CaseError(f"{path.name}, {raw.get('name')!r}: {exc}") from exc
    return cases


def parse(raw: dict[str, Any], family: str) -> Case:
    """Return one case; raises `CaseError` when it cannot mean anything."""
    _known(raw, _CASE, "case")
    _known(raw.get("needs", {}), _NEEDS, "needs")
    if ("steps" in raw) == ("request" in raw):
        raise CaseError("either steps or one request")
    steps = raw.get("steps") or [
        {key: raw[key] for key in ("request", "expect", "expect_embedded") if key in raw}
    ]
    parsed = tuple(_step(step) for step in steps)
    differs = any(step.expect_embedded is not None for step in parsed)
    if differs != (raw.get("embedded") == "differs") or differs != ("why" in raw):
        raise CaseError("`embedded: differs`, `why` and `expect_embedded` go together")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", raw["name"]):
        raise CaseError("a name is words with dashes")
    return Case(
        name=raw["name"],
        family=family,
        steps=parsed,
        eras=_eras(raw),
        server=raw.get("server", "any"),
        needs=raw.get("needs", {}),
        cleanup=tuple(raw.get("cleanup", ())),
        real=raw.get("real", ""),
        why=raw.get("why", ""),
    )


def _eras(raw: dict[str, Any]) -> tuple[EraName, ...]:
    """Return the versions from the first that answers so to the last one."""
    first, last = raw.get("since", ERAS[0]), raw.get("until", ERAS[-1])
    if first not in ERAS or last not in ERAS or ERAS.index(first) > ERAS.index(last):
        raise CaseError(f"no versions from {first} to {last}")
    return ERAS[ERAS.index(first) : ERAS.index(last) + 1]


def _step(raw: dict[str, Any]) -> Step:
    _known(raw, _STEP, "step")
    _known(raw["request"], _REQUEST, "request")
    for expect in (raw["expect"], raw.get("expect_embedded", {"status": 0})):
        _known(expect, _EXPECT, "expect")
        if "status" not in expect:
            raise CaseError("every expectation names a status")
        for key in ("shape", "headers", "text", "zip"):
            check_shape(expect.get(key))
    return Step(**raw)


def _known(raw: Mapping[str, Any], allowed: set[str], what: str) -> None:
    if unknown := set(raw) - allowed:
        raise CaseError(f"unknown key in {what}: {', '.join(sorted(unknown))}")


def check_shape(shape: Any) -> None:
    """Raise `CaseError` when a shape uses a pattern that does not exist."""
    if isinstance(shape, dict):
        for key, value in shape.items():
            if str(key).startswith("$") and key not in OPERATORS:
                raise CaseError(f"unknown operator {key}")
            check_shape(value)
    elif isinstance(shape, list):
        for value in shape:
            check_shape(value)
    elif isinstance(shape, str) and TYPE.fullmatch(shape):
        _known(dict.fromkeys(shape[1:-1].split("|")), set(TYPE_NAMES), "type")


def routes(cases: list[Case]) -> Iterator[tuple[str, str]]:
    """Yield method and path (placeholders as `*`, no query) of each request in the cases."""
    for case in cases:
        for step in case.steps:
            path = _PLACEHOLDER.sub("*", step.request["path"]).split("?")[0]
            yield step.request.get("method", "GET"), path


def fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Return a part of a case with its placeholders replaced.

    `{job.id}` is replaced by what it stands for, `{q:NAME}` percent-encoded, `{re:NAME}` escaped
    for a regular expression, `{NAME+1000}` after adding. A text that is only one placeholder
    keeps the value's type.
    """
    if isinstance(value, dict):
        return {fill(key, values): fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    if not isinstance(value, str):
        return value
    if match := _PLACEHOLDER.fullmatch(value):
        return _value(match, values)
    return _PLACEHOLDER.sub(lambda match: str(_value(match, values)), value)


def _value(match: re.Match[str], values: Mapping[str, Any]) -> Any:
    kind, name, plus = match.groups()
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise CaseError(f"nothing is called {name!r} here")
        value = value[part]
    if plus:
        value += int(plus)
    if kind == "q":
        return quote(str(value), safe="")
    return re.escape(str(value)) if kind == "re" else value
