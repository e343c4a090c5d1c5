"""Colors and sizes of all figures, and matplotlib's settings for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import matplotlib as mpl

from aitk_nb.errors import BadInput

__all__ = [
    "BINS",
    "COLORS",
    "DASHES",
    "FAINT",
    "INKS",
    "Theme",
    "check_theme",
    "own_style",
    "short",
]

Theme: TypeAlias = Literal["light", "dark"]

# Okabe and Ito's colors, which color-blind people can tell apart; after them the dashes differ.
COLORS = {
    "light": ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#A87900", "#3BA3DC"),
    "dark": ("#56B4E9", "#F28E4B", "#2FD0A2", "#E5A5C8", "#F0C24B", "#C9CED3"),
}
DASHES = ("-", "--", ":", "-.")
INKS = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1f2328",
        "quiet": "#59636e",
        "grid": "#d8dee4",
        "warning": "#b3261e",
        "few": "#d7e8f4",
        "many": "#0072B2",
    },
    "dark": {
        "paper": "#1b1f24",
        "ink": "#e6edf3",
        "quiet": "#9aa4ae",
        "grid": "#3d444d",
        "warning": "#ff8a80",
        "few": "#23394a",
        "many": "#56B4E9",
    },
}
FAINT = {"light": (0.35, 0.22), "dark": (0.5, 0.35)}
"""How opaque single values are: those of one history, and those of several over each other."""

BINS = 400
"""Stretches of which the extremes are drawn: two of them share three pixels of a page."""

_PARTS = (
    *("agg.", "axes.", "figure.", "grid.", "legend.", "lines.", "markers.", "mathtext."),
    *("path.", "savefig.", "svg.", "text.", "xtick.", "ytick."),
)
_OURS: dict[str, Any] = {
    "figure.figsize": (7.0, 3.5),
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.xmargin": 0.02,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    # A fixed place: finding one takes as long as drawing all lines.
    "axes.titley": 1.0,
    # A power of ten above the axis instead of learning rates as 0.0001 and 8e-05.
    "axes.formatter.limits": (-3, 4),
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.borderpad": 0.0,
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
    defaults = {
        key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if key.startswith(_PARTS)
    }
    settings: Any = {
        **defaults,
        **_OURS,
        **dict.fromkeys(("figure.facecolor", "axes.facecolor"), inks["paper"]),
        **dict.fromkeys(("text.color", "axes.labelcolor"), inks["ink"]),
        **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), inks["ink"]),
        **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), inks["quiet"]),
        "grid.color": inks["grid"],
    }
    with mpl.rc_context(settings):
        yield


def short(text: str, length: int) -> str:
    """Return `text` on one line and not longer than `length`."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
