"""The interface of the Gradio app, reduced to what clients rely on, to be compared as data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("gradio_interface.yaml")
_ROWS = range(14, 611, 4)
"""Component numbers of the 150 rows; image, caption and the form around it follow each."""


def expected(major: str) -> dict[str, Any]:
    """Return the interface that the contract gives for a generation of Gradio."""
    contract = yaml.safe_load(FILE.read_text("utf-8"))
    file_type = contract["file_type"][major]
    endpoints = {
        name: {
            "parameters": [
                {**entry, "python_type": entry["python_type"].replace("FILES", file_type)}
                for entry in _expanded(spec["parameters"])
            ],
            "returns": _expanded(spec["returns"]),
        }
        for name, spec in contract["endpoints"].items()
    }
    return {
        "endpoints": endpoints,
        "components": _components(contract["components"]),
        "functions": contract["functions"],
        "keys": sorted([*contract["keys"]["all"], *contract["keys"][major]]),
    }


def reduced(info: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the same of a server's `/info` and `/config`."""
    return {
        "endpoints": {
            name: {
                "parameters": [_parameter(entry) for entry in spec["parameters"]],
                "returns": [
                    {"label": entry["label"], "component": entry["component"]}
                    for entry in spec["returns"]
                ],
            }
            for name, spec in info["named_endpoints"].items()
        },
        "components": {entry["id"]: entry["type"] for entry in config["components"]},
        "functions": [_function(entry) for entry in config["dependencies"]],
        "keys": sorted(config),
    }


def _parameter(entry: dict[str, Any]) -> dict[str, Any]:
    kept = {
        "name": entry["parameter_name"],
        "label": entry["label"],
        "component": entry["component"],
        "python_type": entry["python_type"]["type"],
    }
    if entry["parameter_has_default"]:
        default = entry["parameter_default"]
        # The wording of the page's YAML is its own; what it says is part of the contract.
        kept["default"] = yaml.safe_load(default) if entry["component"] == "Code" else default
    return kept


def _function(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "api_name": entry["api_name"],
        "inputs": _short(entry["inputs"]),
        "outputs": _short(entry["outputs"]),
        "generator": entry["types"]["generator"],
    }


def _short(numbers: Iterable[int]) -> list[Any]:
    """Return component numbers with those of the 150 rows replaced by how many there are."""
    listed = list(numbers)
    rows = [number for number in listed if _ROWS[0] <= number < _ROWS[-1] + 4]
    if not rows:
        return listed
    at = listed.index(rows[0])
    others = [number for number in listed if number not in set(rows)]
    assert rows == sorted(rows)
    return [*others[:at], f"{len(rows)} of the rows", *others[at:]]


def _expanded(entries: list[Any]) -> list[dict[str, Any]]:
    """Return the list with each entry that has `times` repeated, `N` counting from 1."""
    result: list[dict[str, Any]] = []
    for entry in entries:
        if "each" not in entry:
            result.append(dict(entry))
            continue
        for number in range(entry["times"]):
            result += [_numbered(one, number) for one in entry["each"]]
    return result


def _numbered(entry: dict[str, Any], number: int) -> dict[str, Any]:
    """Return an entry with N, and the component numbers that count from a first one, filled in."""
    first = entry.get("first", 0)
    step = entry.get("step", 1)
    words = {"{N}": str(number + 1), "{C}": str(first + step * number)}
    filled = {}
    for key, value in entry.items():
        if key in {"first", "step"}:
            continue
        for word, text in words.items():
            value = value.replace(word, text)
        filled[key] = value
    return filled


def _components(spec: dict[str, Any]) -> dict[int, str]:
    types = [*spec["before"], *spec["row"] * len(_ROWS), *spec["after"]]
    return dict(enumerate(types, 1))
