"""`Series`: the points of one metric as columns, merged, cut and thinned."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from aitk_nb.losses.smoothing import Steps, Values
from aitk_nb.models.loss import LossColumns, LossPoint

_Array = TypeVar("_Array", bound=npt.NDArray[Any])

_NEVER_ZERO = ("loss/loss", "loss")
_PAUSE = 5.0
_LONGER = 20.0
_ALIKE = 3.0


class Series(NamedTuple):
    """The points of one metric as read-only columns, by step."""

    steps: Steps
    wall_times: Values
    values: Values

    def merged(self, new: Series) -> Series:
        """Return both; where both have a step, the new point counts."""
        if not self.steps.size or not new.steps.size:
            return new if new.steps.size else self
        # The first of equal steps is taken, so the new ones come first.
        return _sorted(*(np.concatenate(both) for both in zip(new, self, strict=True)))

    def until(self, step: int) -> Series:
        """Return the points up to and including `step`."""
        end = int(self.steps.searchsorted(step, side="right"))
        return Series(self.steps[:end], self.wall_times[:end], self.values[:end])


def series(points: Iterable[LossPoint], key: str = "") -> Series:
    """Return `points` of the metric `key`, in any order, as columns.

    The last point of a step counts. The trainer logs 0.0 in place of a loss that is NaN or
    infinite (SDTrainer.py, "loss is nan"): a loss of exactly 0 becomes NaN again.
    """
    columns = LossColumns.of(points)
    steps = np.array(columns.steps, dtype=np.int64)
    wall_times = np.array(columns.wall_times, dtype=np.float64)
    values = np.array(columns.values, dtype=np.float64)
    if key in _NEVER_ZERO:
        values[values == 0] = np.nan
    return _sorted(steps[::-1], wall_times[::-1], values[::-1])


def _sorted(steps: Steps, wall_times: Values, values: Values) -> Series:
    """Return the columns by step; the first of equal steps counts."""
    steps, index = np.unique(steps, return_index=True)
    return Series(_fixed(steps), _fixed(wall_times[index]), _fixed(values[index]))


def _fixed(array: _Array) -> _Array:
    array.flags.writeable = False
    return array


EMPTY = series(())
"""The series without points."""


def timeline(every: Collection[Series]) -> tuple[Steps, Values]:
    """Return the steps of all metrics, and the time of each."""
    first = next(iter(every), EMPTY)
    if all(np.array_equal(one.steps, first.steps) for one in every):
        return first.steps, first.wall_times
    steps, index = np.unique(np.concatenate([one.steps for one in every]), return_index=True)
    return steps, np.concatenate([one.wall_times for one in every])[index]


def extremes(values: Values, bins: int) -> npt.NDArray[np.intp]:
    """Return the positions that keep the shape of a long series when it is drawn.

    Each of `bins` stretches keeps its smallest and its largest value, and one of its non-finite
    values if it has any; the first and the last value are kept too.
    """
    if values.size <= 2 * bins:
        return np.arange(values.size)
    width = -(-values.size // bins)
    rows = np.pad(values, (0, -values.size % width), mode="edge").reshape(-1, width)
    starts = np.arange(rows.shape[0]) * width
    finite = np.isfinite(rows)
    whole = finite.all()
    low = (rows if whole else np.where(finite, rows, np.inf)).argmin(axis=1)
    high = (rows if whole else np.where(finite, rows, -np.inf)).argmax(axis=1)
    # A row of finite values gives its first position: a harmless extra point.
    odd = finite.argmin(axis=1)
    kept = np.concatenate([[0, values.size - 1], *(starts + at for at in (low, high, odd))])
    return np.unique(np.minimum(kept, values.size - 1))


def breaks(steps: Steps, wall_times: Values, every: int) -> Steps:
    """Return the steps after which so much time passed that the job must have been restarted.

    The server keeps no other trace of a restart. A pause at a multiple of `every` steps counts as
    sampling if it takes at most three times as long as the shortest such pause.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.diff(wall_times)
    if gaps.size < _ALIKE or not np.isfinite(gaps).all():
        return steps[:0]
    long = gaps > max(_PAUSE, _LONGER * float(np.median(gaps)))
    if every > 0:
        usual = long & ((steps[:-1] % every == 0) | (steps[1:] % every == 0))
        if usual.any():
            long &= ~(usual & (gaps <= _ALIKE * gaps[usual].min()))
    return steps[:-1][long]
