"""Make `openapi.json`: the part of RunPod's OpenAPI file that aitk-nb uses, without descriptions.

python -m tests.runpod.make_excerpt runpod-v2-openapi.json > tests/runpod/openapi.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

USED = {
    "/v2/pods": ("get", "post"),
    "/v2/pods/{id}": ("get", "delete"),
    "/v2/pods/{id}/logs": ("get",),
    "/v2/pods/{id}/action": ("post",),
    "/v2/templates": ("get",),
    "/v2/templates/{id}": ("get",),
    "/v2/catalog/gpus": ("get",),
    "/v2/catalog/templates": ("get",),
    "/v2/billing/pods": ("get",),
}
"""The paths that aitk-nb calls, with the methods."""

_WORDS = {"description", "example", "examples", "summary", "tags", "operationId", "title"}


def excerpt(document: dict[str, Any]) -> dict[str, Any]:
    """Return the paths that are used, and all that they refer to."""
    paths = {
        path: {
            key: _bare(value)
            for key, value in document["paths"][path].items()
            if key in (*methods, "parameters")
        }
        for path, methods in USED.items()
    }
    components: dict[str, dict[str, Any]] = {}
    left = [*_references(paths)]
    while left:
        _, _, kind, name = left.pop().split("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = _bare(document["components"][kind][name])
            left += _references(components[kind][name])
    ordered = {kind: dict(sorted(found.items())) for kind, found in sorted(components.items())}
    return {"openapi": document["openapi"], "paths": paths, "components": ordered}


def _bare(value: Any, *, names: bool = False) -> Any:
    """Return a part without words for people; the names of properties are kept."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _bare(item, names=key == "properties")
        for key, item in value.items()
        if names or (key not in _WORDS and not key.startswith("x-"))
    }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def written(document: dict[str, Any]) -> str:
    """Return the excerpt as the committed file has it."""
    return json.dumps(excerpt(document), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
