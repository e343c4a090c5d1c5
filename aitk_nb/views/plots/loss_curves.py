"""`Curve`: one loss history as it is drawn, thinned to what can be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import Steps, Values, smooth
from aitk_nb.views.plots.loss_marks import Scale
from aitk_nb.views.plots.style import BINS, COLOURS, DASHES, Theme

__all__ = ["Curve", "curve_of", "with_gaps"]


@dataclass(frozen=True, slots=True)
class Curve:
    """One history as it is drawn."""

    name: str
    steps: Steps
    places: Values
    """Where the steps lie on the axis."""
    values: Values
    cuts: Values
    """Where the training was started again: no line is drawn across."""
    inside: tuple[Values, Values]
    """The smoothed curve of what lies within the limits."""
    colour: str
    dashes: str

    @property
    def raw(self) -> tuple[Values, Values]:
        """Each value, thinned to the extremes, with gaps."""
        kept = extremes(self.values, BINS)
        return with_gaps(self.places[kept], self.values[kept], self.cuts)

    @property
    def smoothed(self) -> tuple[Values, Values]:
        """The smoothed curve, thinned likewise."""
        places, values = self.inside
        kept = extremes(values, BINS)
        return with_gaps(places[kept], values[kept], self.cuts)

    @property
    def alone(self) -> npt.NDArray[np.bool_]:
        """Where a number has no number beside it, so that no line would show it."""
        finite: npt.NDArray[np.bool_] = np.pad(np.isfinite(self.values), 1)
        beside = finite[:-2] | finite[2:]
        return finite[1:-1] & ~beside


def curve_of(
    history: LossHistory,
    index: int,
    key: str,
    weight: float | None,
    shown: tuple[float, float],
    theme: Theme,
    place: Scale,
) -> Curve:
    """Return the history that is drawn as number `index`, smoothed where it lies in `shown`."""
    steps, values = history.columns(key)
    wild = np.isfinite(values) & ((values < shown[0]) | (values > shown[1]))
    colours = COLOURS[theme]
    places = place(history, steps)
    # Mostly nothing is wild, and nothing has to be copied.
    some = (places[~wild], values[~wild]) if wild.any() else (places, values)
    return Curve(
        name=history.name or f"history {index + 1}",
        steps=steps,
        places=places,
        values=values,
        cuts=place(history, np.array(history.restarts, np.int64)),
        inside=(some[0], smooth(some[1], weight)),
        colour=colours[index % len(colours)],
        dashes=DASHES[index // len(colours) % len(DASHES)],
    )


def with_gaps(places: Values, values: Values, cuts: Values) -> tuple[Values, Values]:
    """Return a line with gaps at `cuts` and where there is no number."""
    at = np.searchsorted(places, cuts, side="right")
    finite = np.where(np.isfinite(values), values, np.nan)
    return np.insert(places, at, cuts), np.insert(finite, at, np.nan)
