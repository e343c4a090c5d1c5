"""A notebook's parameters cell read as its signature, and values typed by it."""

from __future__ import annotations

import ast
import difflib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aitk_nb.errors import BadInput


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of a parameters cell."""

    name: str
    type: str
    """Its annotation, such as `int` or `list[str]`."""
    default: Any
    help: str
    """The comment behind it."""


def signature(notebook: Path) -> Mapping[str, Parameter]:
    """Return the parameters of a notebook by name, in their order.

    Raises:
        BadInput: there is no such notebook, or it has no cell tagged `parameters`.
    """
    source = _parameters_cell(notebook)
    lines = source.splitlines()
    found = {}
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        name = statement.target.id
        default = ast.literal_eval(statement.value) if statement.value else None
        comment = lines[(statement.end_lineno or 1) - 1][statement.end_col_offset or 0 :]
        text = comment.partition("#")[2].strip()
        found[name] = Parameter(name, ast.unparse(statement.annotation), default, text)
    return found


def _parameters_cell(notebook: Path) -> str:
    for cell in _cells(notebook):
        if "parameters" in cell.get("metadata", {}).get("tags", ()):
            return "".join(cell.get("source", ""))
    raise BadInput(f"{notebook} takes no parameters: no cell of it is tagged 'parameters'.")


def _cells(notebook: Path) -> list[dict[str, Any]]:
    """Return the cells as the file has them.

    Not by nbformat, whose failures on a broken file are of a dozen kinds.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        raise BadInput(f"There is no notebook {notebook}.") from None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BadInput(f"{notebook} cannot be read as a notebook: {exc}.") from None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise BadInput(f"{notebook} cannot be read as a notebook: its cells are none.")
    return cells


def typed(given: Sequence[str], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return `name=value` texts as values of the types that the parameters cell says.

    Raises:
        BadInput: a name is not known, or a value does not fit; all of them are named.
    """
    values: dict[str, Any] = {}
    problems = []
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("write name=value")
            values[name] = _value(value, _known(name, known))
        except ValueError as exc:
            problems.append(f"{name}: {exc}")
    if problems:
        raise BadInput("These parameters cannot be used. " + "; ".join(problems) + ".")
    return values


def _known(name: str, known: Mapping[str, Parameter]) -> Parameter:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    raise ValueError(
        f"no such parameter; did you mean '{near[0]}'"
        if near
        else f"no such parameter; there are {', '.join(known)}"
    )


def _value(text: str, parameter: Parameter) -> Any:
    kind = parameter.type
    if kind == "str":
        return text
    if kind == "bool":
        return _flag(text)
    if kind in {"int", "float"}:
        return _number(text, kind)
    value = yaml.safe_load(text)
    if isinstance(parameter.default, list | tuple) and not isinstance(value, list):
        value = list(_parts(text))
    return value


def _flag(text: str) -> bool:
    flags = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in flags:
        raise ValueError(f"{text!r} is neither true nor false")
    return flags[text.lower()]


def _number(text: str, kind: str) -> int | float:
    try:
        value = int(text) if kind == "int" else float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {kind}") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no finite number")
    return value


def _parts(text: str) -> Iterator[Any]:
    """Yield the parts of `512,768`, which YAML takes for one text (or for one number)."""
    for part in text.split(","):
        yield yaml.safe_load(part.strip())
