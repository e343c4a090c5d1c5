"""Which form stood where a new one is made, so that running a cell again can say what it resets."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from IPython.core.getipython import get_ipython


class RunningCell(NamedTuple):
    """The cell that is being executed, and this execution of it."""

    cell: str
    run: str


def running_cell() -> RunningCell | None:
    """Return the cell that runs now; None outside a notebook, and in a widget's callback."""
    shell = get_ipython()
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)() or {}
    header = parent.get("header", {})
    if header.get("msg_type") != "execute_request":
        return None
    # JupyterLab and VS Code name the cell; elsewhere its text has to do.
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
    return RunningCell(str(cell), str(header.get("msg_id", "")))


@dataclass
class _Place:
    run: str = ""
    before: list[weakref.ref[object]] = field(default_factory=list)
    now: list[weakref.ref[object]] = field(default_factory=list)


class Places:
    """The living things that each cell made in its last run, in their order."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, type], _Place] = {}

    def take(self, thing: object, cell: RunningCell | None) -> object | None:
        """Return what the last run of `cell` made in place of `thing`, and keep `thing` there."""
        if cell is None:
            return None
        place = self._places.setdefault((cell.cell, type(thing)), _Place())
        if place.run != cell.run:
            place.run, place.before, place.now = cell.run, place.now, []
        position = len(place.now)
        place.now.append(weakref.ref(thing))
        return place.before[position]() if position < len(place.before) else None
