"""`Curve`: one loss history as it is drawn: where its steps lie, and which values are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import Steps, Values, centered, smoothed_end
from aitk_nb.losses.summary import diverged_step
from aitk_nb.views.plots.style import BINS, COLORS, Theme, short

Along: TypeAlias = Literal["step", "time", "epoch"]
Scale: TypeAlias = Callable[[LossHistory, Steps], Values]

_DASHES = ("-", "--", ":", "-.")
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
        import pandas as pd  # it takes as long to load as all the rest

        usual = pd.Series(some).rolling(_WINDOW, center=True).median().dropna()
        # The ends have no neighbors on one side that could tell whether they are alone.
        low, high = min(low, usual.min(), *some[[0, -1]]), max(high, usual.max(), *some[[0, -1]])
    if highest - lowest > _WORTH * (high - low):
        return float(low), float(high)
    return lowest, highest


@dataclass(frozen=True, slots=True)
class Curve:
    """One history as it is drawn."""

    name: str
    steps: Steps
    places: Values
    """Where the steps lie on the axis."""
    values: Values
    beyond: npt.NDArray[np.bool_]
    """Which values are outside the limits or not finite."""
    cuts: Values
    """Where training was restarted: no line is drawn across."""
    diverged: int | None
    """The step at which the loss diverged."""
    line: tuple[Values, ...]
    """The smoothed curve and how far values usually are from it, thinned to the extremes."""
    ends: tuple[float, float]
    """Averages of the first and of the last values within the limits."""
    color: str
    dashes: str

    @property
    def low(self) -> float:
        """The lowest value within the limits; infinite without one."""
        return float(self.values.min(initial=math.inf, where=~self.beyond))

    @property
    def raw(self) -> tuple[Values, ...]:
        """Each value, thinned likewise."""
        return _thinned(self.cuts, self.places, self.values)

    @property
    def alone(self) -> npt.NDArray[np.bool_]:
        """Where a finite value has none beside it, so that no line would show it."""
        finite: npt.NDArray[np.bool_] = np.pad(np.isfinite(self.values), 1)
        return finite[1:-1] & ~(finite[:-2] | finite[2:])


def curve_of(
    history: LossHistory,
    name: str,
    index: int,
    key: str,
    smoothing: float | None,
    shown: tuple[float, float],
    theme: Theme,
    place: Scale,
) -> Curve:
    """Return the history that is drawn as number `index`, smoothed where it lies in `shown`."""
    steps, values = history.columns(key)
    places, beyond = place(history, steps), ~((values >= shown[0]) & (values <= shown[1]))
    cuts = place(history, np.array(history.restarts, np.int64))
    some_places, some = places, values
    if beyond.any():
        kept = ~beyond | ~np.isfinite(values)
        some_places, some = places[kept], values[kept]
    smoothed = centered(some, smoothing)
    with np.errstate(invalid="ignore"):
        # Two thirds of values with a normal noise are not further from their average.
        spread = 1.25 * centered(np.abs(some - smoothed), smoothing)
    colors = COLORS[theme]
    return Curve(
        name=name,
        steps=steps,
        places=places,
        values=values,
        beyond=beyond,
        cuts=cuts,
        diverged=None if key == "learning_rate" else diverged_step(steps, values),
        line=_thinned(cuts, some_places, smoothed, spread),
        ends=(smoothed_end(some[::-1]), smoothed_end(some)),
        color=colors[index % len(colors)],
        dashes=_DASHES[index // len(colors) % len(_DASHES)],
    )


def _thinned(cuts: Values, places: Values, *columns: Values) -> tuple[Values, ...]:
    """Return a line with gaps at `cuts` and where the first column has no finite value."""
    kept = extremes(columns[0], BINS)
    places, finite = places[kept], np.isfinite(columns[0][kept])
    at = np.searchsorted(places, cuts, side="right")
    lines = (np.insert(np.where(finite, one[kept], np.nan), at, np.nan) for one in columns)
    return np.insert(places, at, cuts), *lines


def described(curves: Sequence[Curve], metric: str, validated: Sequence[Curve] = ()) -> str:
    """Describe the curves, for those who can't see them."""
    if not curves:
        return "No losses yet."
    steps = f"steps {min(c.steps[0] for c in curves)} to {max(c.steps[-1] for c in curves)}"
    parts = []
    for curve in curves[:6]:
        first, last = curve.ends
        span = "without a number" if math.isnan(last) else f"from {first:.3g} to {last:.3g}"
        lost = "" if curve.diverged is None else f" and diverged at step {curve.diverged}"
        parts.append(f"{curve.name} {span}{lost}")
    for curve in validated[:6]:
        finite = curve.values[np.isfinite(curve.values)]
        if finite.size:
            span = f"from {finite[0]:.3g} to {finite[-1]:.3g}"
            parts.append(f"validation of {curve.name} {span}")
    more = f", and {len(curves) - 6} more" if len(curves) > 6 else ""
    return f"{short(metric, 30)} over {steps}, smoothed: {', '.join(parts)}{more}."
