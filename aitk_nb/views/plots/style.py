"""Colors and sizes of all figures, and matplotlib's settings for them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, Literal, NamedTuple, TypeAlias

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from aitk_nb._yaml import facts
from aitk_nb.errors import BadInput

Theme: TypeAlias = Literal["page", "light", "dark"]

_KNOWN = facts("aitk_nb.views.plots", "themes")
COLORS: dict[str, list[str]] = _KNOWN["colors"]


class Inks(NamedTuple):
    """The colors of a theme."""

    paper: str
    ink: str
    quiet: str
    grid: str
    warning: str


INKS = {theme: Inks(**inks) for theme, inks in _KNOWN["inks"].items()}
BINS = 300
"""Stretches of which the extremes are drawn; each is two pixels of a page wide."""

SIZE: list[float] = _KNOWN["settings"]["figure.figsize"]
LETTERS: float = _KNOWN["settings"]["legend.fontsize"]
"""Points of a letter in the legend."""

_PARTS = (
    *("agg.", "axes.", "figure.", "grid.", "legend.", "lines.", "markers.", "mathtext."),
    *("path.", "savefig.", "svg.", "text.", "xtick.", "ytick."),
)


def check_theme(theme: str) -> None:
    """Raise `BadInput` unless there is such a theme."""
    if theme not in INKS:
        raise BadInput(f"The theme must be 'page', 'light' or 'dark', not {theme!r}.")


@contextmanager
def own_style(theme: Theme) -> Iterator[None]:
    """Draw with our settings, whatever the user has set; only fonts stay the user's."""
    inks = INKS[theme]
    defaults = mpl.rcParamsDefault
    settings: Any = {
        **{key: defaults[key] for key in defaults if key.startswith(_PARTS)},
        **_KNOWN["settings"],
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


def points(text: str, size: float) -> float:
    """Return how wide `text` is in letters of `size` points."""
    width, _height, _below = text_to_path.get_text_width_height_descent(
        text, FontProperties(size=size), False
    )
    return float(width)


def fitted(text: str, width: float, size: float) -> str:
    """Return `text` on one line, shortened in its middle to at most `width` points."""
    length = 200
    while points(line := short(text, length), size) > width:
        length = min(len(line), length) - 2
    return line


def told_apart(names: Sequence[str], length: int = 28) -> list[str]:
    """Return names of at most `length` letters that still differ where `names` do.

    Words that all begin or end with are left out if a name is too long for them.
    """
    if max(map(len, names), default=0) > length and len(set(names)) > 1:
        words = [re.split(r"(?<=[_ -])", name) for name in names]
        # One word more is left, for what differs alone may say nothing: `rank_8`.
        start = max(_common(words) - 1, 0)
        rests = [word[start:] for word in words]
        end = _common([rest[::-1] for rest in rests])
        before, behind = "…" if start else "", "…" if end else ""
        names = [before + "".join(rest[: len(rest) - end]) + behind for rest in rests]
    shown = [short(name, length) for name in names]
    if len(set(shown)) < len(set(names)):
        return [f"{number} {short(name, length - 3)}" for number, name in enumerate(names, 1)]
    return shown


def _common(lists: Iterable[Sequence[str]]) -> int:
    """Return how many first items all of the lists share."""
    return sum(1 for _ in takewhile(lambda items: len(set(items)) == 1, zip(*lists, strict=False)))


def short(text: str, length: int) -> str:
    """Return `text` on one line and not longer than `length`, shortened in its middle."""
    line = " ".join(text.split())
    half = length // 2
    return line if len(line) <= length else f"{line[: length - half - 1]}…{line[-half:]}"


def legend(figure: Figure, entries: Sequence[tuple[Artist, str]]) -> None:
    """Explain the lines below the axes, in as many columns as have room there."""
    some = entries[:16]
    names = [short(name, 40) for _, name in some]
    if more := len(entries) - len(some):
        names[-1] += f" (and {more} more)"
    # Beside each text there are a line and gaps.
    widths = [points(name, LETTERS) + 5 * LETTERS for name in names]
    room = 72 * (SIZE[0] - 0.3)
    fit = len(some) if sum(widths) < room else max(1, int(room / max(widths)))
    rows = -(-len(some) // fit)
    figure.set_size_inches(SIZE[0], SIZE[1] + 0.18 * max(rows - 2, 0))
    legend = figure.legend(
        [line for line, _ in some],
        [str(number) for number in range(len(some))],
        loc="outside lower center",
        ncols=-(-len(some) // rows),
    )
    # Set afterwards: a label that begins with "_" would be left out, one with "$" be formatted.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
