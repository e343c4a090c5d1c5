"""Colors and sizes of all figures, and matplotlib's settings for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TypeAlias

import matplotlib as mpl

from aitk_nb.errors import BadInput

Theme: TypeAlias = Literal["light", "dark"]

# Okabe and Ito's colors, which color-blind people can tell apart; after them the dashes differ.
COLORS = {
    "light": ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A87900", "#3BA3DC"),
    "dark": ("#56B4E9", "#F28E4B", "#2FD0A2", "#E5A5C8", "#F0C24B", "#C9CED3"),
}


class Inks(NamedTuple):
    """The colors of a theme."""

    paper: str
    ink: str
    quiet: str
    grid: str
    warning: str
    few: str
    many: str


INKS = {
    "light": Inks("#ffffff", "#1f2328", "#59636e", "#d8dee4", "#b3261e", "#d7e8f4", "#0072B2"),
    "dark": Inks("#1b1f24", "#e6edf3", "#9aa4ae", "#3d444d", "#ff8a80", "#23394a", "#56B4E9"),
}
BINS = 300
"""Stretches of which the extremes are drawn; each is two pixels of a page wide."""

_PARTS = (
    *("agg.", "axes.", "figure.", "grid.", "legend.", "lines.", "markers.", "mathtext."),
    *("path.", "savefig.", "svg.", "text.", "xtick.", "ytick."),
)
_OURS: dict[str, Any] = {
    "figure.figsize": (7.0, 3.5),
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.constrained_layout.w_pad": 0.07,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.xmargin": 0.02,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    # A power of ten above the axis instead of learning rates as 0.0001 and 8e-05.
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "aitk_nb",
}


def check_theme(theme: str) -> None:
    """Raise `BadInput` unless there is such a theme."""
    if theme not in INKS:
        raise BadInput(f"The theme must be 'light' or 'dark', not {theme!r}.")


@contextmanager
def own_style(theme: Theme) -> Iterator[None]:
    """Draw with our settings, whatever the user has set; only fonts stay the user's."""
    inks = INKS[theme]
    defaults = mpl.rcParamsDefault
    settings: Any = {
        **{key: defaults[key] for key in defaults if key.startswith(_PARTS)},
        **_OURS,
        **dict.fromkeys(("figure.facecolor", "axes.facecolor"), inks.paper),
        **dict.fromkeys(("text.color", "axes.labelcolor"), inks.ink),
        **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), inks.ink),
        **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), inks.quiet),
        "grid.color": inks.grid,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Letters that the font lacks are drawn as boxes, which people see.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def short(text: str, length: int) -> str:
    """Return `text` on one line and not longer than `length`, shortened in its middle."""
    line = " ".join(text.split())
    half = length // 2
    return line if len(line) <= length else f"{line[: length - half - 1]}…{line[-half:]}"
