"""`draw`: loss histories on matplotlib axes, without pyplot and without showing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from aitk_nb.losses import LossHistory, Steps, Values, extremes, fitting_weight, smooth
from aitk_nb.views._loss_extras import Along, Scale, placing, rate, restarts, spots
from aitk_nb.views._loss_limits import limits, wants_log

__all__ = ["More", "Theme", "draw", "own_style"]

Theme: TypeAlias = Literal["light", "dark"]

# Okabe and Ito's colours, which colour-blind people can tell apart; after them the dashes differ.
_COLOURS = {
    "light": ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A87900", "#3BA3DC"),
    "dark": ("#56B4E9", "#F28E4B", "#2FD0A2", "#E5A5C8", "#F0C24B", "#C9CED3"),
}
_DASHES = ("-", "--", ":", "-.")
_INKS = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "quiet": "#59636e", "grid": "#d8dee4"},
    "dark": {"paper": "#1b1f24", "ink": "#e6edf3", "quiet": "#9aa4ae", "grid": "#3d444d"},
}
_ODD = {"light": "#b3261e", "dark": "#ff8a80"}
_SIZE = (7.0, 3.5)
_DPI = 150
_BINS = 700  # about two points for each pixel column
_WIDE = 115  # letters and samples of lines that fit above the axes
_MANY = 4  # of more histories only the smoothed curves are drawn


@dataclass(frozen=True, slots=True)
class _Curve:
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


@contextmanager
def own_style() -> Iterator[None]:
    """Draw by matplotlib's defaults, whatever the user has set; only fonts stay the user's."""
    parts = (
        *("agg.", "axes.", "figure.", "grid.", "legend.", "lines.", "markers.", "mathtext."),
        *("path.", "savefig.", "svg.", "text.", "xtick.", "ytick."),
    )
    defaults = {
        key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if key.startswith(parts)
    }
    with mpl.rc_context({**defaults, "svg.hashsalt": "aitk_nb"}):
        yield


def draw(
    histories: Sequence[LossHistory],
    *,
    key: str,
    weight: float | None,
    log: bool | None,
    title: str,
    theme: Theme,
    more: More = _PLAIN,
) -> tuple[Figure, str]:
    """Return a figure of `histories`, and what it shows in words."""
    full = [one for one in histories if one.columns(key)[0].size]
    metric = key or (full[0].main_key if full else "loss")
    figure, axes = _blank(title, "loss" if metric == "loss/loss" else metric, theme)
    whole = more.along == "step"
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=whole))
    low, high = limits([one.columns(key)[1] for one in full])
    place, word = placing(full, key, more.along, more.per_epoch)
    axes.set_xlabel(word)
    curves = [_curve(one, i, key, weight, (low, high), theme, place) for i, one in enumerate(full)]
    if curves:
        handles = _lines(axes, curves, weight)
        _scale(axes, curves, (low, high), log=log)
        handles += _marks(axes, curves, (low, high), theme)
        handles += _besides(axes, full, curves, place, more, theme)
        _legend(figure, handles, theme)
    else:
        _nothing(axes, theme)
    # Once and for all: each further round would move things a little, and so change the bytes.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure, _words(curves, metric)


def _blank(title: str, metric: str, theme: Theme) -> tuple[Figure, Axes]:
    inks = _INKS[theme]
    figure = Figure(_SIZE, _DPI, layout="constrained", facecolor=inks["paper"])
    axes = figure.add_subplot(facecolor=inks["paper"])
    heading = axes.set_title(_short(title, 60), loc="left", color=inks["ink"], fontsize=11)
    for text in (heading, axes.set_xlabel("step"), axes.set_ylabel(_short(metric, 30))):
        text.set_color(inks["ink"])
        text.set_parse_math(False)  # a name may hold a "$"
    axes.tick_params(colors=inks["quiet"], labelcolor=inks["ink"], which="both")
    axes.yaxis.get_offset_text().set_color(inks["ink"])
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))  # learning rates are small
    axes.grid(visible=True, color=inks["grid"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(inks["quiet"])
    return figure, axes


def _nothing(axes: Axes, theme: Theme) -> None:
    axes.set(xticks=(), yticks=())
    text = axes.text(0.5, 0.5, "no losses yet", ha="center", va="center", fontsize=13)
    text.set(color=_INKS[theme]["quiet"], transform=axes.transAxes)


def _curve(
    history: LossHistory,
    index: int,
    key: str,
    weight: float | None,
    shown: tuple[float, float],
    theme: Theme,
    place: Scale,
) -> _Curve:
    steps, values = history.columns(key)
    wild = np.isfinite(values) & ((values < shown[0]) | (values > shown[1]))
    colours = _COLOURS[theme]
    places = place(history, steps)
    return _Curve(
        name=history.name or f"history {index + 1}",
        steps=steps,
        places=places,
        values=values,
        cuts=place(history, np.array(history.restarts, np.int64)),
        inside=(places[~wild], smooth(values[~wild], weight)),
        colour=colours[index % len(colours)],
        dashes=_DASHES[index // len(colours) % len(_DASHES)],
    )


def _lines(axes: Axes, curves: Sequence[_Curve], weight: float | None) -> list[tuple[Line2D, str]]:
    """Draw the curves, and return what the legend says of them."""
    handles = []
    for curve in curves:
        if weight != 0 and len(curves) <= _MANY:
            kept = extremes(curve.values, _BINS)
            raw = axes.plot(*_cut(curve.places[kept], curve.values[kept], curve.cuts))[0]
            raw.set(color=curve.colour, linewidth=0.8, alpha=0.35)
            if len(curves) == 1:
                handles.append((raw, "each step"))
        places, smoothed = curve.inside
        kept = extremes(smoothed, _BINS)
        line = axes.plot(*_cut(places[kept], smoothed[kept], curve.cuts))[0]
        line.set(color=curve.colour, linestyle=curve.dashes, linewidth=1.9)
        handles.append((line, _meaning(weight, smoothed) if len(curves) == 1 else curve.name))
        alone = _alone(curve.values)
        axes.plot(curve.places[alone], curve.values[alone], ".", color=curve.colour, markersize=7)
    return handles


def _meaning(weight: float | None, smoothed: Values) -> str:
    """Return what the legend says of the strong curve of a single history."""
    shown = fitting_weight(smoothed.size) if weight is None else weight
    exact = f"{shown:.2g}" if shown < 0.985 else f"{shown:.5g}"
    return f"smoothed ({exact})" if shown else "each step"


def _cut(places: Values, values: Values, cuts: Values) -> tuple[Values, Values]:
    """Return a line with gaps at `cuts` and where there is no number."""
    at = np.searchsorted(places, cuts, side="right")
    finite = np.where(np.isfinite(values), values, np.nan)
    return np.insert(places, at, cuts), np.insert(finite, at, np.nan)


def _alone(values: Values) -> npt.NDArray[np.bool_]:
    """Return where a number has no number beside it, so that no line would show it."""
    finite: npt.NDArray[np.bool_] = np.pad(np.isfinite(values), 1)
    beside = finite[:-2] | finite[2:]
    return finite[1:-1] & ~beside


def _scale(
    axes: Axes, curves: Sequence[_Curve], shown: tuple[float, float], *, log: bool | None
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
    axes: Axes, curves: Sequence[_Curve], shown: tuple[float, float], theme: Theme
) -> list[tuple[Line2D, str]]:
    """Mark values off the axis and values that are no numbers; return the legend's words."""
    places = np.concatenate([curve.places for curve in curves])
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
            at_x = np.unique(places[mask])
            at_x = at_x[:: -(-at_x.size // _BINS)]
            at: dict[str, Any] = {
                "transform": axes.get_xaxis_transform(),
                "clip_on": False,
                "linestyle": "",
            }
            look: dict[str, Any] = {"color": _ODD[theme], "marker": marker, "markersize": 6}
            (line,) = axes.plot(at_x, np.full(at_x.size, height), **at, **look)
            handles.append((line, words.format(count)))
    return handles


def _besides(
    axes: Axes,
    histories: Sequence[LossHistory],
    curves: Sequence[_Curve],
    place: Scale,
    more: More,
    theme: Theme,
) -> list[tuple[Line2D, str]]:
    """Draw what belongs to the training and is no loss; return the legend's words."""
    inks = _INKS[theme]
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
        places = place(history, np.array(sorted(set(at)), np.int64))
        handles += spots(axes, places, words, marker, height, look)
    if more.rate:
        steps, values = history.columns("learning_rate")
        kept = extremes(values, _BINS)
        handles += rate(axes, place(history, steps[kept]), values[kept], inks["quiet"])
    return handles


def _legend(figure: Figure, handles: Sequence[tuple[Line2D, str]], theme: Theme) -> None:
    some = list(handles[:16])
    beside = len(some) > 5 or sum(len(words) + 8 for _, words in some) > _WIDE
    legend = figure.legend(
        [line for line, _ in some],
        [str(number) for number in range(len(some))],
        loc="outside right upper" if beside else "outside upper right",
        ncols=1 if beside else len(some),
        frameon=False,
        fontsize=8.5,
        labelcolor=_INKS[theme]["ink"],
    )
    # Set afterwards: a label that begins with "_" would be left out, one with "$" be formatted.
    words = [_short(words, 28) for _, words in some]
    if more := len(handles) - len(some):
        words[-1] += f" (and {more} more)"
    for text, label in zip(legend.get_texts(), words, strict=True):
        text.set_parse_math(False)
        text.set_text(label)


def _words(curves: Sequence[_Curve], metric: str) -> str:
    """Say what is seen, for those who do not see it."""
    if not curves:
        return "No losses yet."
    first, last = min(c.steps[0] for c in curves), max(c.steps[-1] for c in curves)
    parts = []
    for curve in curves[:6]:
        values = curve.inside[1][np.isfinite(curve.inside[1])]
        span = f"from {values[0]:.3g} to {values[-1]:.3g}" if values.size else "without a number"
        parts.append(f"{_short(curve.name, 40)} {span}")
    more = f", and {len(curves) - 6} more" if len(curves) > 6 else ""
    return f"{_short(metric, 30)} over steps {first} to {last}, smoothed: {', '.join(parts)}{more}."


def _short(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
