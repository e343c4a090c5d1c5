"""`draw`: loss histories on matplotlib axes, without pyplot and without showing anything."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import Values, default_smoothing
from aitk_nb.views.plots.loss_curves import (
    Along,
    Curve,
    Scale,
    curve_of,
    described,
    limits,
    placing,
)
from aitk_nb.views.plots.style import BINS, INKS, Theme, short

_FAINT = {"light": (0.35, 0.22), "dark": (0.5, 0.35)}
"""How opaque single values are: those of one history, and those of several over each other."""
_MANY = 4  # of more histories only the smoothed curves are drawn
_MARKS = 60  # more marks in a row could not be told apart
_ENTRIES, _LETTERS = 5, 100  # what fits into one row of the legend


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
    entries: list[tuple[Line2D, str]] = field(default_factory=list)

    def line(self, places: Values, values: Values, words: str = "", **look: Any) -> None:
        """Draw a line, which the legend calls by `words` if there are any."""
        (line,) = self.axes.plot(places, values, **look)
        if words:
            self.entries.append((line, words))

    def row(self, places: Values, height: float, words: str, most: int, **look: Any) -> None:
        """Draw marks in a row at `height` of the axes."""
        if places.size:
            shown = places[:: -(-places.size // most)]
            at = {"transform": self.axes.get_xaxis_transform(), "clip_on": False, "linestyle": ""}
            self.line(shown, np.full(shown.size, height), words, **at, **look)


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
    shown = limits([one.columns(key)[1] for one in full])
    # Matplotlib finds a place above a power of ten that belongs to all ticks; that takes as long as
    # drawing all lines.
    fixed = 1.0 if 0.02 < shown[1] < 5000 else None
    texts = [
        axes.set_title(textwrap.fill(short(title, 150), 72), y=fixed),
        axes.set_xlabel(along),
        axes.set_ylabel("loss" if metric == "loss/loss" else short(metric, 30)),
    ]
    for text in texts:
        text.set_parse_math(False)  # a name may hold a "$"
    # Each tick takes as long as a line, so there are few.
    ticks: dict[str, Any] = {"steps": [1, 2, 5, 10], "min_n_ticks": 1}
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=along == "step", **ticks))
    axes.xaxis.set_major_formatter("{x:,.10g}")
    axes.yaxis.set_major_locator(MaxNLocator(6, **ticks))
    curves = [curve_of(one, i, key, smoothing, shown, theme, scale) for i, one in enumerate(full)]
    if curves:
        plot = _Plot(axes, theme)
        _lines(plot, curves, smoothing)
        _set_limits(axes, curves, shown, log=log)
        _mark_odd(plot, curves, shown)
        _mark_restarts(plot, curves)
        if len(curves) == 1:
            _mark_extras(plot, full[0], scale, extras)
        _legend(figure, plot.entries)
    else:
        axes.set(xticks=(), yticks=())
        axes.annotate("no losses", (0.5, 0.5), xycoords="axes fraction", ha="center", size=13)
    return described(curves, metric)


def _cleared(figure: Figure) -> Axes:
    """Return the empty axes of a figure; those that it has are kept, as new ones take longer."""
    if not figure.axes:
        return figure.add_subplot()
    axes, *others = figure.axes
    for artist in (*others, *figure.legends, *axes.lines, *axes.texts):
        artist.remove()
    axes.relim()
    axes.autoscale()
    axes.set_yscale("linear")
    return axes


def _lines(plot: _Plot, curves: Sequence[Curve], smoothing: float | None) -> None:
    only = len(curves) == 1
    for curve in curves:
        past = default_smoothing(curve.smooth.size) if smoothing is None else smoothing
        color = curve.color
        if past and len(curves) <= _MANY:
            # Below all smoothed curves.
            faint: dict[str, Any] = {"zorder": 1.8, "alpha": _FAINT[plot.theme][0 if only else 1]}
            plot.line(*curve.raw, "each step" if only else "", color=color, lw=0.8, **faint)
        meaning = f"smoothed ({past:.{2 if past < 0.985 else 5}g})" if past else "each step"
        words = meaning if only else curve.name
        plot.line(*curve.line, words, color=color, ls=curve.dashes, lw=1.9)
        if curve.diverged is not None:
            place = curve.places[np.searchsorted(curve.steps, curve.diverged)]
            mark = plot.axes.axvline(place, color=color, lw=1.1, ls=(0, (4, 2)))
            plot.entries.append((mark, f"diverged at step {curve.diverged}"))
        if (alone := curve.alone).any():
            dots = (curve.places[alone], curve.values[alone])
            plot.line(*dots, color=color, ls="", marker=".", markersize=7)


def _set_limits(
    axes: Axes, curves: Sequence[Curve], shown: tuple[float, float], *, log: bool | None
) -> None:
    smoothed = np.concatenate([curve.line[1] for curve in curves])
    smoothed = smoothed[np.isfinite(smoothed)]
    if not smoothed.size:
        axes.set_yticks(())
        return
    bottom, top = smoothed.min(), smoothed.max()
    # Where single values are not drawn they need no room.
    low, high = shown if len(curves) <= _MANY else (bottom, top)
    if log is None:
        log = bool(low > 0 and top / bottom > 30)
    if log and high > 0:
        values = np.concatenate([curve.values for curve in curves])
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(max(low, values[values > 0].min()) / 1.15, high * 1.15)
        return
    pad = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    # A loss that is never negative has no room below zero.
    axes.set_ylim(max(low - pad, 0.0) if low > 0 else low - pad, high + pad)


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
        right.tick_params(labelcolor=quiet)
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
        right.set_ylim(0, values.max(initial=0.0, where=np.isfinite(values)) * 1.15 or 1.0)


def _legend(figure: Figure, entries: Sequence[tuple[Line2D, str]]) -> None:
    """Explain the lines: below the axes, or at the right if there are many."""
    some = entries[:16]
    names = [short(name, 28) for _, name in some]
    if more := len(entries) - len(some):
        names[-1] += f" (and {more} more)"
    beside = len(some) > _ENTRIES or sum(len(name) + 8 for name in names) > _LETTERS
    legend = figure.legend(
        [line for line, _ in some],
        [str(number) for number in range(len(some))],
        loc="outside right upper" if beside else "outside lower center",
        ncols=1 if beside else len(some),
    )
    # Set afterwards: a label that begins with "_" would be left out, one with "$" be formatted.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
