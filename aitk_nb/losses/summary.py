"""`LossSummary`: where a metric ended, how certain that is, and whether it moves or diverged."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from aitk_nb._display import html
from aitk_nb.losses.smoothing import Steps, Values, default_smoothing, smooth, smoothed_end

Trend: TypeAlias = Literal["falling", "flat", "rising", "diverged", "too short to tell"]

_FEW = 20


@dataclass(frozen=True, slots=True)
class LossSummary:
    """How one metric of a training job went.

    Example:
        >>> from aitk_nb.models.loss import LossPoint
        >>> points = [LossPoint(step, 0.0, 1 / step) for step in range(1, 101)]
        >>> aitk_nb.LossHistory({"loss/loss": points}).summary().trend
        'falling'
    """

    metric: str
    """Name of the metric, such as `loss/loss`."""
    points: int
    """Number of logged values."""
    first_step: int
    """First logged step; -1 without a point."""
    last_step: int
    """Last logged step; -1 without a point."""
    start: float
    """Average of the first values, as `end` is of the last; NaN without a finite value."""
    end: float
    """The last value of the smoothed curve; NaN if the loss ended as NaN or infinite."""
    spread: float
    """Twice the standard error of `end`, from noise alone; NaN if there are too few values."""
    best: float
    """The lowest value of the smoothed curve, except for its first values."""
    best_step: int
    """The step of `best`; -1 without a finite value."""
    change: float
    """Change over the last third of the values, by a straight line through it."""
    trend: Trend
    """What `change` amounts to, compared with the noise."""
    diverged_step: int | None
    """The step from which the loss was NaN, infinite or exploded; None if it did not diverge."""

    def __str__(self) -> str:
        if not self.points:
            return "no losses"
        return (
            f"{self.metric}: {self.points} {'point' if self.points == 1 else 'points'}, "
            f"steps {self.first_step} to {self.last_step}, {self.start:.4g} → {self.outcome}"
        )

    @property
    def outcome(self) -> str:
        """The smoothed end as text, or at which step the loss diverged."""
        return outcome(self.end, self.diverged_step)

    def __repr__(self) -> str:
        rows = [f"{name} {value}" for name, value in self._rows] if self.points else []
        return f"<LossSummary {', '.join([str(self), *rows])}>"

    def _repr_html_(self) -> str:
        return html.definition(self._rows)

    @property
    def _rows(self) -> list[tuple[str, str]]:
        at = f" at step {self.diverged_step}" if self.diverged_step is not None else ""
        return [
            ("smoothed end", f"{self.end:.4g} ± {self.spread:.2g}"),
            ("smoothed best", f"{self.best:.4g} at step {self.best_step}"),
            ("last third", f"{self.change:+.2g}"),
            ("trend", self.trend + at),
        ]


def outcome(end: float, diverged: int | None) -> str:
    """Return where a loss ended as text, given its smoothed end and the step of divergence."""
    if diverged is not None:
        return f"diverged at step {diverged}"
    return f"{end:.4g}" if math.isfinite(end) else "unknown"


def summarize(metric: str, steps: Steps, values: Values) -> LossSummary:
    """Return the summary of `metric`, which had `values` at `steps`."""
    finite = np.isfinite(values)
    some = values[finite]
    # A learning rate may well rise tenfold.
    diverged = diverged_step(steps, values) if metric != "learning_rate" else None
    best, best_step, spread, change, error = math.nan, -1, math.nan, math.nan, math.nan
    if some.size:
        smoothing = default_smoothing(values.size)
        curve = smooth(some, smoothing)
        # The first values of the curve are averages of hardly anything.
        settled = min(int(1 / (1 - smoothing)), some.size - 1)
        at = settled + int(curve[settled:].argmin())
        best, best_step = float(curve[at]), int(steps[finite][at])
        spread = _spread(some, curve, smoothing)
        change, error = _change(some)
    return LossSummary(
        metric=metric,
        points=values.size,
        first_step=int(steps[0]) if steps.size else -1,
        last_step=int(steps[-1]) if steps.size else -1,
        # Smoothed from the end backwards, the first values weigh as the last ones do in `end`.
        start=smoothed_end(values[::-1]),
        end=smoothed_end(values) if diverged is None or np.isfinite(values[-1]) else math.nan,
        spread=spread,
        best=best,
        best_step=best_step,
        change=change,
        trend=_trend(change, error, diverged),
        diverged_step=diverged,
    )


def _spread(values: Values, curve: Values, smoothing: float) -> float:
    """Return twice the standard error of the end of the curve."""
    if values.size < _FEW:
        return math.nan
    tail = slice(-max(_FEW, values.size // 4), None)
    # Each value is compared with the average before it, which it is not part of.
    rest = values[1:][tail] - curve[:-1][tail]
    rest = rest - rest.mean()
    deviation = float(rest.std())
    if not deviation:
        return 0.0
    alike = float((rest[1:] * rest[:-1]).mean()) / deviation**2
    alike = min(max(alike, 0.0), 0.95)
    effective = (1 - smoothing) / (1 + smoothing) * (1 + alike) / (1 - alike)
    return 2 * deviation * math.sqrt(min(effective, 1.0))


def _change(values: Values) -> tuple[float, float]:
    """Return the change over the last third by a straight line, and twice its standard error."""
    last = values[-max(_FEW, values.size // 3) :]
    if last.size < _FEW:
        return math.nan, math.nan
    # Means of blocks hardly depend on each other, which neighboring values may.
    means = np.array([block.mean() for block in np.array_split(last, 10)])
    x = np.arange(10) - 4.5
    slope = float((x * means).sum() / (x * x).sum())
    rest = means - means.mean() - slope * x
    error = math.sqrt(float((rest * rest).sum()) / 8 / float((x * x).sum()))
    return 10 * slope, 2 * 10 * error


def _trend(change: float, error: float, diverged: int | None) -> Trend:
    if diverged is not None:
        return "diverged"
    if math.isnan(change):
        return "too short to tell"
    if abs(change) <= error:
        return "flat"
    return "falling" if change < 0 else "rising"


# -- divergence -----------------------------------------------------------------------------------

_ENOUGH = 3
"""Values in a row that count; fewer may be an accident."""

_EXPLODED = 10.0
"""How many times the usual level the last values are in a loss that has exploded."""


def usual_level(values: Values) -> float:
    """Return the level at which `values` begin; NaN if that cannot be told."""
    finite = values[np.isfinite(values)]
    if finite.size < 2 * _ENOUGH:
        return float("nan")
    return float(np.median(finite[: max(_ENOUGH, finite.size // 10)]))


def diverged_step(steps: Steps, values: Values, usual: float | None = None) -> int | None:
    """Return the step at which a loss diverged.

    Args:
        steps: The step of each value.
        values: The loss.
        usual: The level of a loss that is well; by default that of the first values.

    Returns:
        The step from which on no value is finite, or all are far above the usual level; None if
        the last values are neither.
    """
    places = np.flatnonzero(np.isfinite(values))
    end = int(places[-1]) + 1 if places.size else 0
    if values.size - end >= _ENOUGH:
        return int(steps[end])
    usual = usual_level(values) if usual is None else usual
    if places.size < 2 * _ENOUGH or np.isnan(usual):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(values[places], _ENOUGH)
    limit = usual + (_EXPLODED - 1) * max(abs(usual), 1e-12)
    calm = np.flatnonzero(np.median(windows, axis=1) <= limit)
    if calm.size and calm[-1] == len(windows) - 1:
        return None
    # In the middle of the first window above the limit.
    first = int(calm[-1]) + 1 + _ENOUGH // 2 if calm.size else 0
    return int(steps[places[first]])
