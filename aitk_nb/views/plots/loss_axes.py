"""`draw`: loss histories on matplotlib axes, without pyplot and without showing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import default_smoothing
from aitk_nb.views.plots.axis_limits import limits, wants_log
from aitk_nb.views.plots.loss_curves import Curve, curve_of
from aitk_nb.views.plots.loss_marks import Along, Scale, placing, rate, restarts, spots
from aitk_nb.views.plots.style import (
    BINS,
    FAINT,
    INKS,
    ODD,
    Theme,
    clear,
    drop_legend,
    frame,
    label,
    place,
    row_end,
    short,
)

__all__ = ["More", "draw"]

_MANY = 4  # of more histories only the smoothed curves are drawn
_WIDE = 105  # letters and samples of lines that fit above the axes
_LETTER, _SAMPLE, _RATE = 0.066, 0.6, 0.75  # inches: a letter and a line of the legend, an axis


@dataclass(frozen=True, slots=True)
class More:
    """What else is wanted of a plot."""

    along: Along = "step"
    per_epoch: float = 1.0
    """Steps in an epoch."""
    checkpoints: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    rate: bool = False
    """Whether the learning rate is drawn too."""


_PLAIN = More()


def draw(
    histories: Sequence[LossHistory],
    key: str = "",
    weight: float | None = None,
    *,
    log: bool | None = None,
    title: str,
    theme: Theme,
    more: More = _PLAIN,
    onto: Figure | None = None,
) -> tuple[Figure, str]:
    """Return a figure of `histories`, and what it shows in words.

    A figure that was drawn before, and is drawn `onto` again, takes half the time.
    """
    full = [one for one in histories if one.columns(key)[0].size]
    metric = key or (full[0].main_key if full else "loss")
    figure = onto or frame(theme)
    axes = clear(figure)
    scale, word = placing(full, key, more.along, more.per_epoch)
    label(axes, word, "loss" if metric == "loss/loss" else metric)
    shown = limits([one.columns(key)[1] for one in full])
    curves = [curve_of(one, i, key, weight, shown, theme, scale) for i, one in enumerate(full)]
    if curves:
        handles = _lines(axes, curves, weight, theme)
        _scale(axes, curves, shown, log=log)
        handles += _marks(axes, curves, shown, theme)
        handles += _besides(axes, full, curves, scale, more, theme)
        _legend(figure, handles, title, theme)
    else:
        _nothing(axes, theme)
        drop_legend(figure)
        place(figure, title, rows=bool(title))
    return figure, _words(curves, metric)


def _nothing(axes: Axes, theme: Theme) -> None:
    axes.set(xticks=(), yticks=())
    text = axes.text(0.5, 0.5, "no losses yet", ha="center", va="center", fontsize=13)
    text.set(color=INKS[theme]["quiet"], transform=axes.transAxes)


def _lines(
    axes: Axes, curves: Sequence[Curve], weight: float | None, theme: Theme
) -> list[tuple[Line2D, str]]:
    """Draw the curves, and return what the legend says of them."""
    handles = []
    only = len(curves) == 1
    for curve in curves:
        past = default_smoothing(curve.inside[1].size) if weight is None else weight
        if past and len(curves) <= _MANY:
            # Below all smoothed curves.
            raw = axes.plot(*curve.raw, color=curve.colour, linewidth=0.8, zorder=1.8)[0]
            raw.set_alpha(FAINT[theme][0 if only else 1])
            if only:
                handles.append((raw, "each step"))
        line = axes.plot(*curve.smoothed)[0]
        line.set(color=curve.colour, linestyle=curve.dashes, linewidth=1.9)
        handles.append((line, _meaning(past) if only else curve.name))
        if (alone := curve.alone).any():
            spots = (curve.places[alone], curve.values[alone])
            axes.plot(*spots, ".", color=curve.colour, markersize=7)
    return handles


def _meaning(weight: float) -> str:
    """Return what the legend says of the strong curve of a single history."""
    exact = f"{weight:.2g}" if weight < 0.985 else f"{weight:.5g}"
    return f"smoothed ({exact})" if weight else "each step"


def _scale(
    axes: Axes, curves: Sequence[Curve], shown: tuple[float, float], *, log: bool | None
) -> None:
    smoothed = np.concatenate([curve.inside[1] for curve in curves])
    smoothed = smoothed[np.isfinite(smoothed)]
    if not smoothed.size:
        axes.set_yticks(())
        return
    # Where single values are not drawn they need no room.
    low, high = shown if len(curves) <= _MANY else (smoothed.min(), smoothed.max())
    if log is None:
        log = wants_log(low, smoothed.min(), smoothed.max())
    if log and high > 0:
        values = np.concatenate([curve.values for curve in curves])
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(max(low, values[values > 0].min()) / 1.15, high * 1.15)
        return
    pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    # A loss that is never negative has no room below zero.
    axes.set_ylim(max(low - pad, 0.0) if low > 0 else low - pad, high + pad)


def _marks(
    axes: Axes, curves: Sequence[Curve], shown: tuple[float, float], theme: Theme
) -> list[tuple[Line2D, str]]:
    """Mark values off the axis and values that are no numbers; return the legend's words."""
    values = np.concatenate([curve.values for curve in curves])
    finite = np.isfinite(values)
    over, under = finite & (values > shown[1]), finite & (values < shown[0])
    reach = f"up to {values[over].max():.2g}" if over.any() else ""
    depth = f"down to {values[under].min():.2g}" if under.any() else ""
    kinds = (
        (~finite, 0.015, "|", "{} without a number"),
        (over, 0.985, "^", f"{{}} off the axis, {reach}"),
        (under, 0.015, "v", f"{{}} off the axis, {depth}"),
    )
    handles = []
    for mask, height, marker, words in kinds:
        if count := int(mask.sum()):
            at_x = np.unique(np.concatenate([curve.places for curve in curves])[mask])
            at_x = at_x[:: -(-at_x.size // BINS)]
            at: dict[str, Any] = {
                "transform": axes.get_xaxis_transform(),
                "clip_on": False,
                "linestyle": "",
            }
            look: dict[str, Any] = {"color": ODD[theme], "marker": marker, "markersize": 6}
            (line,) = axes.plot(at_x, np.full(at_x.size, height), **at, **look)
            handles.append((line, words.format(count)))
    return handles


def _besides(
    axes: Axes,
    histories: Sequence[LossHistory],
    curves: Sequence[Curve],
    scale: Scale,
    more: More,
    theme: Theme,
) -> list[tuple[Line2D, str]]:
    """Draw what belongs to the training and is no loss; return the legend's words."""
    inks = INKS[theme]
    handles = []
    for curve in curves:
        if len(curves) <= _MANY:
            colour = inks["quiet"] if len(curves) == 1 else curve.colour
            found = restarts(axes, curve.cuts, colour)
            handles += found if len(curves) == 1 else []
    if len(curves) > 1:
        return handles
    history = histories[0]
    rows = (
        (more.checkpoints, "checkpoint", "D", 0.0, {"color": inks["ink"]}),
        (more.samples, "sampling", "o", 0.05, {"color": inks["quiet"], "markerfacecolor": "none"}),
    )
    for at, words, marker, height, look in rows:
        places = scale(history, np.array(sorted(set(at)), np.int64))
        handles += spots(axes, places, words, marker, height, look)
    if more.rate:
        steps, values = history.columns("learning_rate")
        kept = extremes(values, BINS)
        handles += rate(axes, scale(history, steps[kept]), values[kept], inks["quiet"])
    return handles


def _legend(
    figure: Figure, handles: Sequence[tuple[Line2D, str]], title: str, theme: Theme
) -> None:
    """Say what the lines are: above the axes, or at the right where they are many."""
    some = list(handles[:16])
    words = [short(words, 28) for _, words in some]
    wide = sum(len(one) + 8 for one in words)
    beside = len(some) > 5 or wide > _WIDE
    # A short title stands in the same row.
    rows = 2 if title and not beside and wide + 1.4 * len(short(title, 80)) > _WIDE else 1
    has_rate = len(figure.axes) > 1
    aside = beside * (_SAMPLE + _LETTER * max(map(len, words)))
    place(figure, title, rows=rows, right=aside + has_rate * _RATE)
    if more := len(handles) - len(some):
        words[-1] += f" (and {more} more)"
    # The same words belong to the same lines; most redraws change neither.
    key = repr((words, rows, beside))
    if all(legend.get_label() != key for legend in figure.legends):
        drop_legend(figure)
        legend = figure.legend(
            [line for line, _ in some],
            [str(number) for number in range(len(some))],
            loc="upper right" if beside else "lower right",
            bbox_to_anchor=(0.995, 0.97) if beside else row_end(rows),
            ncols=1 if beside else len(some),
            frameon=False,
            fontsize=8.5,
            borderpad=0.0,
            borderaxespad=0.0,
            labelcolor=INKS[theme]["ink"],
        )
        legend.set_label(key)
        # Set afterwards: a label that begins with "_" would be left out, one with "$" be formatted.
        for text, one in zip(legend.get_texts(), words, strict=True):
            text.set_parse_math(False)
            text.set_text(one)


def _words(curves: Sequence[Curve], metric: str) -> str:
    """Say what is seen, for those who do not see it."""
    if not curves:
        return "No losses yet."
    first, last = min(c.steps[0] for c in curves), max(c.steps[-1] for c in curves)
    parts = []
    for curve in curves[:6]:
        values = curve.inside[1][np.isfinite(curve.inside[1])]
        span = f"from {values[0]:.3g} to {values[-1]:.3g}" if values.size else "without a number"
        parts.append(f"{short(curve.name, 40)} {span}")
    more = f", and {len(curves) - 6} more" if len(curves) > 6 else ""
    return f"{short(metric, 30)} over steps {first} to {last}, smoothed: {', '.join(parts)}{more}."
