"""The axes of a loss plot: where steps lie, and which values are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.smoothing import Steps, Values

Along: TypeAlias = Literal["step", "time", "epoch"]
Scale: TypeAlias = Callable[[LossHistory, Steps], Values]

_WINDOW = 7
_ENOUGH = 4_000
_FEW = 20  # so few are all shown
_WORTH = 1.6  # how much taller the curve must become for a value to be left out


def placing(
    histories: Sequence[LossHistory], key: str, along: Along, per_epoch: float
) -> tuple[Scale, str]:
    """Return where a history's steps lie on the axis, and the axis's label."""
    if along != "time":
        unit = per_epoch if along == "epoch" else 1.0
        return lambda _history, steps: steps / unit, along
    spans = [float(np.ptp(times)) for one in histories if (times := one.wall_times(key)).size]
    longest = max(spans, default=0.0)
    units = ((3600.0, "hours"), (60.0, "minutes"))
    unit, name = next((pair for pair in units if longest > pair[0]), (1.0, "seconds"))

    def place(history: LossHistory, steps: Steps) -> Values:
        known, times = history.columns(key)[0], history.wall_times(key)
        return np.asarray((np.interp(steps, known, times) - times[0]) / unit, dtype=np.float64)

    return place, f"{name} since the first step"


def limits(series: Sequence[Values]) -> tuple[float, float]:
    """Return the lowest and the highest value to show; NaN without a finite value.

    A value is left out only if it is far from nearly all others *and* nearly alone there: a loss
    that falls steeply at its beginning, or climbs at its end, is shown whole.
    """
    ranges = [_range(finite) for values in series if (finite := values[np.isfinite(values)]).size]
    if not ranges:
        return math.nan, math.nan
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _range(finite: Values) -> tuple[float, float]:
    lowest, highest = float(finite.min()), float(finite.max())
    if finite.size < _FEW:
        return lowest, highest
    # Thinned, a long series still has each of its rises and falls; sorting all would take longer.
    some = finite[:: -(-finite.size // _ENOUGH)]
    near_low, near_high = np.quantile(some, (0.02, 0.98))
    fence = near_high - near_low
    low, high = max(lowest, near_low - fence), min(highest, near_high + fence)
    if highest - lowest > _WORTH * (high - low):
        usual = pd.Series(some).rolling(_WINDOW, center=True).median().dropna()
        # The ends have no neighbors on one side that could tell whether they are alone.
        low, high = min(low, usual.min(), *some[[0, -1]]), max(high, usual.max(), *some[[0, -1]])
    if highest - lowest > _WORTH * (high - low):
        return float(low), float(high)
    return lowest, highest
