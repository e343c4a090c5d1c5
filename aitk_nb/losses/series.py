"""`Series`: the points of one metric as columns, merged and cut as histories need it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from aitk_nb.losses.smoothing import Steps, Values
from aitk_nb.models.loss import LossColumns, LossPoint

__all__ = ["EMPTY", "Segment", "Series", "merged", "series", "until"]

_Array = TypeVar("_Array", bound=npt.NDArray[Any])


class Series(NamedTuple):
    """The points of one metric as columns, in order of steps; nobody can write to them."""

    steps: Steps
    walls: Values
    values: Values


class Segment(NamedTuple):
    """A stretch of training between two starts of the trainer."""

    first: int
    """Its first logged step."""
    last: int
    """Its last logged step that was not trained again later."""
    began: float
    """Time of the first one, in seconds since 1970 by the server's clock."""
    ended: float
    """Time of the last one."""


def series(points: Iterable[LossPoint]) -> Series:
    """Return `points` in any order as columns; of two of one step the later counts."""
    columns = LossColumns.of(points)
    steps = np.array(columns.steps, dtype=np.int64)
    walls = np.array(columns.walls, dtype=np.float64)
    values = np.array(columns.values, dtype=np.float64)
    if not (np.diff(steps) > 0).all():
        # Of equal steps the first is taken, and the last shall be.
        steps, index = np.unique(steps[::-1], return_index=True)
        walls, values = walls[::-1][index], values[::-1][index]
    return Series(_fixed(steps), _fixed(walls), _fixed(values))


def merged(old: Series, new: Series) -> Series:
    """Return both; of a step that both have the new one counts."""
    if not new.steps.size:
        return old
    if not old.steps.size or new.steps[0] > old.steps[-1]:
        return Series(
            _fixed(np.concatenate([old.steps, new.steps])),
            _fixed(np.concatenate([old.walls, new.walls])),
            _fixed(np.concatenate([old.values, new.values])),
        )
    steps = np.concatenate([new.steps, old.steps])
    # The first of equal steps is taken, so the new ones stand in front.
    _, index = np.unique(steps, return_index=True)
    walls = np.concatenate([new.walls, old.walls])[index]
    values = np.concatenate([new.values, old.values])[index]
    return Series(_fixed(steps[index]), _fixed(walls), _fixed(values))


def until(one: Series, step: int) -> Series:
    """Return what lies at or before `step`."""
    end = int(one.steps.searchsorted(step, side="right"))
    return Series(one.steps[:end], one.walls[:end], one.values[:end])


def _fixed(array: _Array) -> _Array:
    array.flags.writeable = False
    return array


EMPTY = series(())
"""The one without points."""
