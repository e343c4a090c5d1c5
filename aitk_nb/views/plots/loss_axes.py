"""`draw`: loss histories on matplotlib axes, without pyplot and without showing anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import Values
from aitk_nb.views.plots.loss_curves import (
    Along,
    Curve,
    Scale,
    curve_of,
    described,
    limits,
    placing,
)
from aitk_nb.views.plots.style import BINS, COLORS, INKS, Theme, fitted, legend, short, told_apart

VALIDATION = "val/loss"
"""The trainer's name for the loss on images that are not trained."""

_FAINT = {"page": 0.45, "light": 0.35, "dark": 0.5}
"""How opaque single values are."""
_BAND = 0.16
"""How opaque the spread of the values is."""
_MANY = 4  # of more histories only the smoothed curves are drawn
_TITLE = 440.0, 11.0  # points of its width, and of a letter
_MARKS = 60  # more marks in a row could not be told apart


@dataclass(frozen=True, slots=True)
class Extras:
    """What a plot shows besides the losses."""

    along: Along = "step"
    per_epoch: float = 1.0
    """Steps in an epoch."""
    checkpoints: Sequence[int] = ()
    samples: Sequence[int] = ()
    rate: bool = False
    """Whether the learning rate is drawn too."""


@dataclass(frozen=True, slots=True)
class _Plot:
    """The axes, and what the legend says about what is on them."""

    axes: Axes
    theme: Theme
    entries: list[tuple[Artist, str]] = field(default_factory=list)

    def line(self, *curve: Values, words: str = "", **look: Any) -> None:
        """Draw a line, which the legend calls by `words` if there are any."""
        (line,) = self.axes.plot(*curve, **look)
        if words:
            self.entries.append((line, words))

    def row(self, places: Values, height: float, words: str, most: int, **look: Any) -> None:
        """Draw marks in a row at `height` of the axes."""
        if places.size:
            shown = places[:: -(-places.size // most)]
            at = {"transform": self.axes.get_xaxis_transform(), "clip_on": False, "linestyle": ""}
            self.line(shown, np.full(shown.size, height), words=words, **at, **look)


def draw(
    figure: Figure,
    histories: Sequence[LossHistory],
    key: str = "",
    smoothing: float | None = None,
    *,
    log: bool | None = None,
    title: str,
    theme: Theme,
    extras: Extras | None = None,
) -> str:
    """Draw `histories` instead of what `figure` shows, and return a description in words."""
    extras = extras or Extras()
    full = [one for one in histories if one.columns(key)[0].size]
    metric = key or (full[0].main_key if full else "loss")
    scale, along = placing(full, key, extras.along, extras.per_epoch)
    axes = _cleared(figure)
    # A learning rate, or another metric that was asked for, has another scale.
    checked = metric == "loss/loss"
    shown = limits(
        [one.columns(name)[1] for one in full for name in (key, *([VALIDATION] * checked))]
    )
    texts = [
        # At a fixed place: to look for one takes matplotlib as long as to draw all lines.
        axes.set_title(fitted(title, *_TITLE), y=1.0),
        axes.set_xlabel(along),
        axes.set_ylabel("loss" if metric == "loss/loss" else short(metric, 30)),
    ]
    for text in texts:
        text.set_parse_math(False)  # a name may hold a "$"
    if sum(one.columns(key)[0].size for one in full) == 1:
        (place,) = scale(full[0], full[0].columns(key)[0])
        axes.set_xlim(place - 1, place + 1)
    # Each tick takes as long as a line, so there are few.
    ticks: dict[str, Any] = {"steps": [1, 2, 5, 10], "min_n_ticks": 1}
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=along == "step", **ticks))
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.yaxis.set_major_locator(MaxNLocator(6, **ticks))
    names = told_apart([one.name or f"history {number}" for number, one in enumerate(full, 1)])
    curves = [
        curve_of(one, name, index, key, smoothing, shown, theme, scale)
        for index, (one, name) in enumerate(zip(full, names, strict=True))
    ]
    validated = [
        curve_of(one, name, index, VALIDATION, 0, shown, theme, scale)
        for index, (one, name) in enumerate(zip(full, names, strict=True))
        if checked and one.columns(VALIDATION)[0].size
    ]
    if curves:
        plot = _Plot(axes, theme)
        _lines(plot, curves, smoothing)
        _validated(plot, validated, only=len(curves) == 1)
        _set_limits(axes, [*curves, *validated], len(curves), shown, log=log)
        _mark_odd(plot, [*curves, *validated], shown)
        _mark_restarts(plot, curves)
        if len(curves) == 1:
            _mark_extras(plot, full[0], scale, extras)
        legend(figure, plot.entries)
    else:
        axes.set(xticks=(), yticks=())
        axes.annotate("no losses", (0.5, 0.5), xycoords="axes fraction", ha="center", size=13)
    return described(curves, metric, validated)


def _cleared(figure: Figure) -> Axes:
    """Return the empty axes of a figure; those that it has are kept, as new ones take longer."""
    if not figure.axes:
        return figure.add_subplot()
    axes, *others = figure.axes
    for artist in (*others, *figure.legends, *axes.lines, *axes.collections, *axes.texts):
        artist.remove()
    axes.relim()
    axes.autoscale()
    axes.set_yscale("linear")
    return axes


def _lines(plot: _Plot, curves: Sequence[Curve], smoothing: float | None) -> None:
    only = len(curves) == 1
    for curve in curves:
        color, (places, values, spread) = curve.color, curve.line
        # Below all smoothed curves.
        below: dict[str, Any] = {"zorder": 1.8, "color": color}
        if only and smoothing != 0:
            plot.line(*curve.raw, words="each step", lw=0.8, alpha=_FAINT[plot.theme], **below)
        elif smoothing != 0 and len(curves) <= _MANY:
            least = np.minimum(values, curve.low)
            low, high = np.maximum(values - spread, least), values + spread
            plot.axes.fill_between(places, low, high, lw=0, alpha=_BAND, **below)
        words = curve.name if not only else "each step" if smoothing == 0 else "smoothed"
        plot.line(places, values, words=words, color=color, ls=curve.dashes)
        if curve.diverged is not None:
            place = curve.places[np.searchsorted(curve.steps, curve.diverged)]
            mark = plot.axes.axvline(place, color=color, lw=1.1, ls=(0, (4, 2)))
            plot.entries.append((mark, f"diverged at step {curve.diverged}"))
        if (alone := curve.alone).any():
            dots = (curve.places[alone], curve.values[alone])
            plot.line(*dots, color=color, ls="", marker=".", markersize=7)


def _validated(plot: _Plot, curves: Sequence[Curve], *, only: bool) -> None:
    """Draw the losses on images that are not trained: a few values, each of which counts."""
    for curve in curves:
        look: dict[str, Any] = {"lw": 1.3, "ls": (0, (4, 1.5)), "marker": "s", "markersize": 3.5}
        color = COLORS[plot.theme][1] if only else curve.color
        words = "validation" if only else f"{curve.name}, validation"
        places, values, _spread = curve.line
        plot.line(places, values, words=words, color=color, **look)


def _set_limits(
    axes: Axes, curves: Sequence[Curve], many: int, shown: tuple[float, float], *, log: bool | None
) -> None:
    lines = np.hstack([curve.line for curve in curves])
    lines = lines[:, np.isfinite(lines[1])]
    if not lines.size:
        axes.set_yticks(())
        return
    _places, smoothed, spread = lines
    least = min(curve.low for curve in curves)
    low, high = shown
    if many > 1:
        # Where single values are not drawn they need no room.
        spread = spread if many <= _MANY else 0.0
        low, high = max((smoothed - spread).min(), least), (smoothed + spread).max()
    if log is None:
        log = bool(least > 0 and smoothed.max() / smoothed.min() > 30)
    log = log and high > 0
    if log:
        values = np.concatenate([curve.values for curve in curves])
        axes.set_yscale("log", nonpositive="mask")
        low = max(low, values[values > 0].min())
        axes.set_ylim(low / 1.15, high * 1.15)
    else:
        pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
        # A loss that is never negative has no room below zero.
        axes.set_ylim(max(low - pad, 0.0) if low > 0 else low - pad, high + pad)
    if log or not 0.01 <= high < 10_000:
        # In place of a power of ten above the axis, and of 0.0001 beside 8e-05.
        axes.yaxis.set_major_formatter(_number)
    if log:
        decades = math.log10(high / low)
        subs = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 3 else (1,)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _number(value: float, _place: object = None) -> str:
    """Return a number as a tick says it: `0.25`, `4e-5`."""
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:g}"
    digits, power = f"{value:.3e}".split("e")
    return f"{float(digits):g}e{int(power)}"


def _mark_odd(plot: _Plot, curves: Sequence[Curve], shown: tuple[float, float]) -> None:
    """Mark values beyond the axis, and values that are not finite."""
    values = np.concatenate([curve.values[curve.beyond] for curve in curves])
    places = np.concatenate([curve.places[curve.beyond] for curve in curves])
    finite = np.isfinite(values)
    for mask, height, marker, words in (
        (~finite, 0.015, "|", "NaN or infinite"),
        (finite & (values > shown[1]), 0.985, "^", "off the axis, up to {:.2g}"),
        (finite & (values < shown[0]), 0.015, "v", "off the axis, down to {:.2g}"),
    ):
        if count := int(mask.sum()):
            furthest = values[mask][np.abs(values[mask] - shown[0]).argmax()]
            look = {"color": INKS[plot.theme].warning, "marker": marker, "markersize": 6}
            words = f"{count} {words.format(furthest)}"
            plot.row(np.unique(places[mask]), height, words, BINS, **look)


def _mark_restarts(plot: _Plot, curves: Sequence[Curve]) -> None:
    only = len(curves) == 1
    for curve in curves[: _MANY if len(curves) <= _MANY else 0]:
        color = INKS[plot.theme].quiet if only else curve.color
        for place in curve.cuts:
            line = plot.axes.axvline(place, color=color, linewidth=1.1, linestyle=(0, (1, 2)))
        if only and curve.cuts.size:
            times = f" {curve.cuts.size} times" if curve.cuts.size > 1 else ""
            plot.entries.append((line, f"restarted{times}"))


def _mark_extras(plot: _Plot, history: LossHistory, scale: Scale, extras: Extras) -> None:
    """Draw what belongs to the training of a single history and is not a loss."""
    ink, quiet = INKS[plot.theme].ink, INKS[plot.theme].quiet
    for at, words, height, look in (
        (extras.checkpoints, "checkpoint", 0.0, {"marker": "D", "color": ink}),
        (extras.samples, "sampling", 0.05, {"marker": "o", "color": quiet, "mfc": "none"}),
    ):
        places = scale(history, np.array(sorted(set(at)), np.int64))
        words = f"{places.size} {words}{'s' if places.size > 1 else ''}"
        plot.row(places, height, words, _MARKS, markersize=4.5, **look)
    steps, values = history.columns("learning_rate")
    # Where a step ran out of memory and has no loss, the trainer logs 0.
    real = (values != 0) | np.isin(steps, history.columns()[0])
    steps, values = steps[real], values[real]
    if extras.rate and values.size:
        right = plot.axes.twinx()
        kept = extremes(values, BINS)
        places = scale(history, steps[kept])
        (line,) = right.plot(places, values[kept], color=quiet, lw=1.1, ls=(0, (5, 2)))
        plot.entries.append((line, "learning rate"))
        right.set_ylabel("learning rate", color=quiet)
        right.yaxis.set_major_formatter(_number)
        right.tick_params(labelcolor=quiet)
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
        right.set_ylim(0, values.max(initial=0.0, where=np.isfinite(values)) * 1.15 or 1.0)
