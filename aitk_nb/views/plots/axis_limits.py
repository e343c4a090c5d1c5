"""`limits`: the range of an axis that a few wild values cannot stretch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aitk_nb.losses.smoothing import Values

__all__ = ["limits", "wants_log"]

_WINDOW = 7
_ENOUGH = 8_000
_FEW = 20  # so few are all shown
_WORTH = 1.6  # how much taller the curve must become for a value to be left out


def limits(series: Sequence[Values]) -> tuple[float, float]:
    """Return the lowest and the highest value to show; NaN when there is no number.

    A value is left out only if it is far from nearly all others *and* nearly alone there: a loss
    that falls steeply at its beginning, or climbs at its end, is shown whole.
    """
    ranges = [_range(finite) for values in series if (finite := values[np.isfinite(values)]).size]
    if not ranges:
        return math.nan, math.nan
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def wants_log(lowest: float, low: float, high: float) -> bool:
    """Return whether smoothed values from `low` to `high` are better seen on a log axis."""
    return lowest > 0 and high / low > 30


def _range(finite: Values) -> tuple[float, float]:
    if finite.size < _FEW:
        return float(finite.min()), float(finite.max())
    lowest, highest = float(finite.min()), float(finite.max())
    # Thinned, a long series still has each of its rises and falls; sorting all would take longer.
    some = finite[:: -(-finite.size // _ENOUGH)]
    edge = math.ceil(0.02 * (some.size - 1))
    near_low, near_high = np.partition(some, (edge, some.size - 1 - edge))[[edge, -1 - edge]]
    fence = near_high - near_low
    medians = _rolling_median(some)
    low = max(lowest, float(min(near_low - fence, medians.min())))
    high = min(highest, float(max(near_high + fence, medians.max())))
    if highest - lowest <= _WORTH * (high - low):
        return lowest, highest
    return low, high


def _rolling_median(values: Values) -> Values:
    """Return the median about each value; the first and the last value are their own."""
    padded = np.pad(values, _WINDOW // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    return np.asarray(np.median(windows, axis=1), dtype=np.float64)
