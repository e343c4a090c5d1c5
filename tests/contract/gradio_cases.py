"""Loads the contract cases of the Gradio app, and refuses mistakes in them.

They are written like those of the web UI; what is different is told in README.md beside this file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.contract.cases import CaseError, check_shape

FOLDER = Path(__file__).parent / "gradio"
"""Where the cases are, one YAML file for each family."""

MAJORS = ("4", "5", "6")
"""The generations of Gradio that the contract speaks of."""

_CASE = {"name", "server", "only", "needs", "request", "expect", "steps", "embedded", "why", "real"}
_STEP = {"request", "expect", "capture", "poll", "expect_embedded"}
_REQUEST = {
    "method", "path", "headers", "json", "multipart", "raw", "read_until", "timeout", "anonymous",
    "run", "queue", "data", "form", "files", "captions",
}  # fmt: skip
_EXPECT = {
    "status",
    "headers",
    "json",
    "shape",
    "text",
    "empty",
    "html",
    "size",
    "content",
    "hangs",
}
_NEEDS = {"uploads", "server"}


@dataclass(frozen=True)
class Expectation:
    """What must come back, where generations of Gradio differ one by one."""

    all: dict[str, Any]
    """What holds unless the generation has its own."""

    own: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """What holds for one generation alone, by its first figure."""

    embedded: dict[str, Any] | None = None
    """What the embedded app answers instead, where the real answer does harm."""

    def of(self, major: str, embedded: bool) -> dict[str, Any]:
        """Return what a server of this generation has to answer."""
        if embedded and self.embedded is not None:
            return self.embedded
        return self.own.get(major, self.all)

    def each(self) -> list[dict[str, Any]]:
        """Return all that is expected anywhere."""
        return [self.all, *self.own.values(), *filter(None, [self.embedded])]


@dataclass(frozen=True)
class GradioStep:
    """One request and what must come back."""

    request: dict[str, Any]
    expect: Expectation
    capture: Mapping[str, str] = field(default_factory=dict)
    poll: float = 0.0
    """Repeat the request for so many seconds until the answer is as expected."""


@dataclass(frozen=True)
class GradioCase:
    """One sentence of the contract that can be checked by requests."""

    name: str
    family: str
    steps: tuple[GradioStep, ...]
    server: str = "any"
    """`any` server; only one that is `open`; only one with a `login`; one that is `disposable`."""
    only: tuple[str, ...] = MAJORS
    """The generations that it holds for."""
    needs: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    """Why the embedded app answers differently; empty when it does not."""
    real: str = ""
    """Why this case cannot be run on a real server; empty when it can."""


@functools.cache
def load(folder: Path = FOLDER) -> list[GradioCase]:
    """Return all cases, in the order of their files."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    cases: list[GradioCase] = []
    for path in sorted(folder.glob("*.yaml")):
        for raw in yaml.load(path.read_text(encoding="utf-8"), loader):
            try:
                cases.append(parse(raw, path.stem))
            except CaseError as exc:
                raise CaseError(f"{path.name}, {raw.get('name')!r}: {exc}") from exc
    return cases


def parse(raw: dict[str, Any], family: str) -> GradioCase:
    """Return one case; raises `CaseError` when it cannot mean anything."""
    own = {f"expect_{major}" for major in MAJORS}
    _known(raw, _CASE | _STEP | own, "case")
    _known(raw.get("needs", {}), _NEEDS, "needs")
    if ("steps" in raw) == ("request" in raw):
        raise CaseError("either steps or one request")
    steps = tuple(map(_step, raw.get("steps") or [_one(raw, own)]))
    differs = any(step.expect.embedded is not None for step in steps)
    if differs != (raw.get("embedded") == "differs") or differs != ("why" in raw):
        raise CaseError("`embedded: differs`, `why` and `expect_embedded` go together")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", raw["name"]):
        raise CaseError("a name is words with dashes")
    only = tuple(map(str, raw.get("only", MAJORS)))
    if not set(only) <= set(MAJORS):
        raise CaseError("`only` names generations")
    return GradioCase(
        name=raw["name"],
        family=family,
        steps=steps,
        server=raw.get("server", "any"),
        only=only,
        needs=raw.get("needs", {}),
        why=raw.get("why", ""),
        real=raw.get("real", ""),
    )


def _one(raw: dict[str, Any], own: set[str]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key in _STEP | own}


def _step(raw: dict[str, Any]) -> GradioStep:
    own = {major: raw[f"expect_{major}"] for major in MAJORS if f"expect_{major}" in raw}
    _known(raw, _STEP | {f"expect_{major}" for major in own}, "step")
    _known(raw["request"], _REQUEST, "request")
    expectation = Expectation(raw["expect"], own, raw.get("expect_embedded"))
    for expect in expectation.each():
        _known(expect, _EXPECT, "expect")
        if "status" not in expect:
            raise CaseError("every expectation names a status")
        for key in ("shape", "headers", "text"):
            check_shape(expect.get(key))
    return GradioStep(raw["request"], expectation, raw.get("capture", {}), raw.get("poll", 0.0))


def _known(raw: Mapping[str, Any], allowed: set[str], what: str) -> None:
    if unknown := set(raw) - allowed:
        raise CaseError(f"unknown key in {what}: {', '.join(sorted(unknown))}")
