"""`Curve`: one loss history as it is drawn, thinned to what can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import Steps, Values, smooth
from aitk_nb.views.plots.loss_axis import Scale
from aitk_nb.views.plots.style import BINS, COLORS, Theme, short

_DASHES = ("-", "--", ":", "-.")


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
    smooth: Values
    """The smoothed values within the limits."""
    line: tuple[Values, Values]
    """The smoothed curve, thinned to the extremes, with gaps."""
    color: str
    dashes: str

    @property
    def raw(self) -> tuple[Values, Values]:
        """Each value, thinned likewise."""
        return _thinned(self.places, self.values, self.cuts)

    @property
    def alone(self) -> npt.NDArray[np.bool_]:
        """Where a finite value has none beside it, so that no line would show it."""
        finite: npt.NDArray[np.bool_] = np.pad(np.isfinite(self.values), 1)
        return finite[1:-1] & ~(finite[:-2] | finite[2:])


def curve_of(
    history: LossHistory,
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
    smoothed = smooth(some, smoothing)
    colors = COLORS[theme]
    return Curve(
        name=history.name or f"history {index + 1}",
        steps=steps,
        places=places,
        values=values,
        beyond=beyond,
        cuts=cuts,
        smooth=smoothed,
        line=_thinned(some_places, smoothed, cuts),
        color=colors[index % len(colors)],
        dashes=_DASHES[index // len(colors) % len(_DASHES)],
    )


def _thinned(places: Values, values: Values, cuts: Values) -> tuple[Values, Values]:
    """Return a line with gaps at `cuts` and where there is no finite value."""
    kept = extremes(values, BINS)
    places, values = places[kept], np.where(np.isfinite(values[kept]), values[kept], np.nan)
    at = np.searchsorted(places, cuts, side="right")
    return np.insert(places, at, cuts), np.insert(values, at, np.nan)


def described(curves: Sequence[Curve], metric: str) -> str:
    """Describe the curves, for those who can't see them."""
    if not curves:
        return "No losses yet."
    first, last = min(c.steps[0] for c in curves), max(c.steps[-1] for c in curves)
    parts = []
    for curve in curves[:6]:
        values = curve.smooth[np.isfinite(curve.smooth)]
        span = f"from {values[0]:.3g} to {values[-1]:.3g}" if values.size else "without a number"
        parts.append(f"{short(curve.name, 40)} {span}")
    more = f", and {len(curves) - 6} more" if len(curves) > 6 else ""
    return f"{short(metric, 30)} over steps {first} to {last}, smoothed: {', '.join(parts)}{more}."
