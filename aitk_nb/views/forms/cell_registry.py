"""`Places`: which form each cell has made, so that the next run can take its edits over."""

from __future__ import annotations

import weakref
from typing import NamedTuple

from aitk_nb._display import session


class RunningCell(NamedTuple):
    """The cell that is being executed, and this execution of it."""

    cell: str
    run: str


def running_cell() -> RunningCell | None:
    """Return the cell that runs now; None outside a notebook, and in a widget's callback."""
    asked = session.request()
    if not asked:
        return None
    # JupyterLab and VS Code name the cell; elsewhere its text has to do.
    cell = asked.get("metadata", {}).get("cellId") or asked.get("content", {}).get("code", "")
    return RunningCell(str(cell), session.request_id())


class _Place:
    def __init__(self) -> None:
        self.run = ""
        self.before: list[weakref.ref[object]] = []
        self.now: list[weakref.ref[object]] = []


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
