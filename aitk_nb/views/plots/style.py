"""What every loss plot looks like: colours, sizes, and an empty frame to draw into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

__all__ = [
    "BINS",
    "COLOURS",
    "DASHES",
    "FAINT",
    "INKS",
    "ODD",
    "Theme",
    "clear",
    "drop_legend",
    "frame",
    "label",
    "own_style",
    "place",
    "row_end",
    "short",
]

Theme: TypeAlias = Literal["light", "dark"]

# Okabe and Ito's colours, which colour-blind people can tell apart; after them the dashes differ.
COLOURS = {
    "light": ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A87900", "#3BA3DC"),
    "dark": ("#56B4E9", "#F28E4B", "#2FD0A2", "#E5A5C8", "#F0C24B", "#C9CED3"),
}
DASHES = ("-", "--", ":", "-.")
INKS = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "quiet": "#59636e", "grid": "#d8dee4"},
    "dark": {"paper": "#1b1f24", "ink": "#e6edf3", "quiet": "#9aa4ae", "grid": "#3d444d"},
}
ODD = {"light": "#b3261e", "dark": "#ff8a80"}
FAINT = {"light": (0.35, 0.22), "dark": (0.5, 0.35)}
"""How opaque single values are: those of one history, and those of several over each other."""

BINS = 400
"""Stretches of which the extremes are drawn: two of them share three pixels of a page."""

_SIZE = (7.0, 3.5)
_DPI = 150
_LEFT, _RIGHT, _BOTTOM = 0.72, 6.88, 0.48
_HEAD, _ROW = 3.4, 0.26
"""Inches: where the axes end, where rows of text begin, and how high one is.

Margins that are fixed instead of measured: matplotlib's layout engines draw all texts twice more,
which takes longer than all lines.
"""
_GAP = 6  # points between the axes and what stands above them


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


def frame(theme: Theme) -> Figure:
    """Return a figure with empty axes."""
    inks = INKS[theme]
    figure = Figure(_SIZE, _DPI, facecolor=inks["paper"])
    axes = figure.add_subplot(facecolor=inks["paper"])
    heading = axes.set_title("", loc="left", fontsize=11)
    for text in (heading, axes.xaxis.label, axes.yaxis.label):
        text.set_color(inks["ink"])
        text.set_parse_math(False)  # a name may hold a "$"
    axes.tick_params(colors=inks["quiet"], labelcolor=inks["ink"], which="both")
    # A power of ten that belongs to all ticks stands above them, and not in the title's place.
    axes.yaxis.get_offset_text().set(color=inks["ink"], x=-0.015, ha="right")
    axes.margins(x=0.02)
    axes.grid(visible=True, color=inks["grid"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(inks["quiet"])
    return figure


def clear(figure: Figure) -> Axes:
    """Take out of a figure what was drawn into its frame, but its legend, and return its axes."""
    axes, *others = figure.axes
    for other in others:
        other.remove()
    for artist in (*axes.lines, *axes.texts):
        artist.remove()
    axes.relim()
    axes.autoscale()
    axes.set_yscale("linear")  # and its locator, where there were no ticks
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))  # learning rates are small
    return axes


def drop_legend(figure: Figure) -> None:
    """Take the legend out of a figure, if it has one."""
    for legend in list(figure.legends):
        legend.remove()


def label(axes: Axes, along: str, metric: str) -> None:
    """Say what is drawn: `along` the axis below, and which `metric`."""
    axes.set_xlabel(along)
    axes.set_ylabel(short(metric, 30))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10], integer=along == "step"))


def place(figure: Figure, title: str, *, rows: int, right: float = 0.0) -> None:
    """Give the axes the room below `rows` of text, and left of `right` inches."""
    width, height = _SIZE
    wide, high = _RIGHT - right - _LEFT, _HEAD - _ROW * rows - _BOTTOM
    for axes in figure.axes:
        axes.set_position((_LEFT / width, _BOTTOM / height, wide / width, high / height))
    first = figure.axes[0]
    # What has its place need not be found one from the sizes of all other texts.
    pad = _GAP + 72 * _ROW * max(0, rows - 1)
    first.set_title(short(title, 80), loc="left", y=1.0, pad=pad, fontsize=11)
    first.xaxis.set_label_coords(0.5, -0.3 / high)
    first.yaxis.set_label_coords(-0.48 / wide, 0.5)


def row_end(row: int) -> tuple[float, float]:
    """Return the right end of the base line of a row of text, counted from the top."""
    width, height = _SIZE
    return _RIGHT / width, (_HEAD - _ROW * row + _GAP / 72) / height


def short(text: str, length: int) -> str:
    """Return `text` on one line and not longer than `length`."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
