"""What a loss plot shows besides the loss: restarts, checkpoints, samples, the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.smoothing import Steps, Values

__all__ = ["Along", "Scale", "placing", "rate", "restarts", "spots"]

Along: TypeAlias = Literal["step", "time", "epoch"]
Scale: TypeAlias = Callable[[LossHistory, Steps], Values]

_MANY = 60  # of more marks in a row nothing could be told apart


def placing(
    histories: Sequence[LossHistory], key: str, along: Along, per_epoch: float
) -> tuple[Scale, str]:
    """Return where a history's steps lie on the axis, and what the axis is called."""
    if along == "epoch":
        return lambda _history, steps: steps / per_epoch, "epoch"
    if along == "step":
        return lambda _history, steps: steps.astype(np.float64), "step"
    spans = [float(np.ptp(walls)) for one in histories if (walls := one.wall_times(key)).size]
    longest = max(spans, default=0.0)
    unit, name = next(
        ((unit, name) for unit, name in ((3600.0, "hours"), (60.0, "minutes")) if longest > unit),
        (1.0, "seconds"),
    )

    def place(history: LossHistory, steps: Steps) -> Values:
        known, walls = history.columns(key)[0], history.wall_times(key)
        return np.asarray((np.interp(steps, known, walls) - walls[0]) / unit, dtype=np.float64)

    return place, f"{name} since the first step"


def restarts(axes: Axes, spots: Values, colour: str) -> list[tuple[Line2D, str]]:
    """Draw a line where the training was started again; return the legend's words."""
    lines = [
        axes.axvline(spot, color=colour, linewidth=1.1, linestyle=(0, (1, 2))) for spot in spots
    ]
    if not lines:
        return []
    times = "started again" if len(lines) == 1 else f"started again, {len(lines)} times"
    return [(lines[0], times)]


def spots(
    axes: Axes, places: Values, words: str, marker: str, height: float, look: dict[str, Any]
) -> list[tuple[Line2D, str]]:
    """Draw a row of marks at `height` of the axes; return the legend's words."""
    if not places.size:
        return []
    shown = places[:: -(-places.size // _MANY)]
    (line,) = axes.plot(
        shown,
        np.full(shown.size, height),
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        linestyle="",
        marker=marker,
        markersize=4.5,
        **look,
    )
    return [(line, f"{places.size} {words}" + ("s" if places.size > 1 else ""))]


def rate(axes: Axes, places: Values, values: Values, ink: str) -> list[tuple[Line2D, str]]:
    """Draw the learning rate on an axis of its own at the right; return the legend's words."""
    if not values.size:
        return []
    right = axes.twinx()
    (line,) = right.plot(places, values, color=ink, linewidth=1.1, linestyle=(0, (5, 2)))
    right.set_ylabel("learning rate", color=ink)
    right.tick_params(colors=ink, labelcolor=ink)
    right.yaxis.set_major_formatter("{x:.2g}")
    finite = values[np.isfinite(values)]
    right.set_ylim(0, (float(finite.max()) if finite.size else 0.0) * 1.15 or 1.0)
    right.spines[["top", "left", "bottom"]].set_visible(False)
    right.spines["right"].set_color(ink)
    return [(line, "learning rate")]
