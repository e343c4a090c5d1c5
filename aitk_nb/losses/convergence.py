"""`convergence`: where a metric ended, how sure that is, and whether it still moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from aitk_nb import _html
from aitk_nb.losses.divergence import diverged_step
from aitk_nb.losses.smoothing import Steps, Values, fitting_weight, smooth

__all__ = ["Convergence", "Trend", "convergence"]

Trend: TypeAlias = Literal["falling", "flat", "rising", "diverged", "too short to tell"]

_FEW = 20


@dataclass(frozen=True, slots=True)
class Convergence:
    """How one metric of a training went."""

    points: int
    """Logged values."""
    end: float
    """The end of the smoothed curve; NaN without a number."""
    spread: float
    """Twice the standard error of `end`: what noise alone may make of it; NaN when too short."""
    best: float
    """The lowest value of the smoothed curve, after its first values."""
    best_step: int
    """Its step; -1 without a number."""
    change: float
    """What the last third of the training changed, by a straight line through it."""
    trend: Trend
    """What that amounts to, beside the noise."""
    diverged_step: int | None
    """The step from which on there was no number any more, or an explosion; None for neither."""

    def __repr__(self) -> str:
        diverged = f" at step {self.diverged_step}" if self.diverged_step is not None else ""
        return (
            f"<{self.trend}{diverged}, end {self.end:.4g} ± {self.spread:.2g}, "
            f"best {self.best:.4g} at step {self.best_step}>"
        )

    def _repr_html_(self) -> str:
        trend = self.trend
        if self.diverged_step is not None:
            trend += f" at step {self.diverged_step}"  # type: ignore[assignment]
        rows: list[tuple[object, object]] = [
            ("smoothed end", f"{self.end:.4g} ± {self.spread:.2g}"),
            ("smoothed best", f"{self.best:.4g} at step {self.best_step}"),
            ("last third", f"{self.change:+.2g}"),
            ("trend", trend),
        ]
        return _html.definition(rows)


def convergence(steps: Steps, values: Values) -> Convergence:
    """Return how `values` at `steps` went."""
    finite = np.isfinite(values)
    some, places = values[finite], steps[finite]
    diverged = diverged_step(steps, values)
    if not some.size:
        nan = math.nan
        return Convergence(values.size, nan, nan, nan, -1, nan, _trend(0, 0, 0, diverged), diverged)
    weight = fitting_weight(values.size)
    curve = smooth(some, weight)
    # The first values of the curve average hardly anything.
    settled = min(int(1 / (1 - weight)), some.size - 1)
    best = settled + int(curve[settled:].argmin())
    change, error = _change(some)
    return Convergence(
        points=values.size,
        end=float(curve[-1]),
        spread=_spread(some, curve, weight),
        best=float(curve[best]),
        best_step=int(places[best]),
        change=change,
        trend=_trend(change, error, some.size, diverged),
        diverged_step=diverged,
    )


def _spread(values: Values, curve: Values, weight: float) -> float:
    """Return twice the standard error of the end of the curve."""
    if values.size < _FEW:
        return math.nan
    tail = slice(-max(_FEW, values.size // 4), None)
    # Against the value before it, an average is no part of what it is compared with.
    rest = values[1:][tail] - curve[:-1][tail]
    rest = rest - rest.mean()
    deviation = float(rest.std())
    if not deviation:
        return 0.0
    alike = float((rest[1:] * rest[:-1]).mean()) / deviation**2
    alike = min(max(alike, 0.0), 0.95)
    effective = (1 - weight) / (1 + weight) * (1 + alike) / (1 - alike)
    return 2 * deviation * math.sqrt(min(effective, 1.0))


def _change(values: Values) -> tuple[float, float]:
    """Return what the last third changed by a straight line, and twice its standard error."""
    last = values[-max(_FEW, values.size // 3) :]
    if last.size < _FEW:
        return math.nan, math.nan
    # Means of blocks hardly depend on each other, as neighbouring values may.
    means = np.array([block.mean() for block in np.array_split(last, 10)])
    x = np.arange(10) - 4.5
    slope = float((x * means).sum() / (x * x).sum())
    rest = means - means.mean() - slope * x
    error = math.sqrt(float((rest * rest).sum()) / 8 / float((x * x).sum()))
    return 10 * slope, 2 * 10 * error


def _trend(change: float, error: float, count: int, diverged: int | None) -> Trend:
    if diverged is not None:
        return "diverged"
    if count < _FEW:
        return "too short to tell"
    if abs(change) <= error:
        return "flat"
    return "falling" if change < 0 else "rising"
