"""`chart`: a loss history as a few lines of text for a terminal."""

import numpy as np

from aitk_nb.losses import LossHistory, Steps, Values

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of the braille letter's dots, by row and column."""

_EMPTY = 0x2800


def chart(
    history: LossHistory, width: int = 72, height: int = 9, *, ascii_only: bool = False
) -> str:
    """Return the smoothed loss over the steps; empty if there are too few values.

    Args:
        history: What to draw.
        width: Letters in a line.
        height: Lines of the curve.
        ascii_only: Whether to draw with `*` instead of braille letters, which is coarser.
    """
    steps = history.columns()[0]
    curve = history.smoothed()
    finite = np.isfinite(curve)
    if finite.sum() < 2 or width < 24:
        return ""
    steps, curve = steps[finite], curve[finite]
    # The first smoothed values are averages of hardly anything, so a low one means nothing.
    low, high = float(curve[curve.size // 20 :].min()), float(curve.max())
    curve = np.maximum(curve, low)
    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    margin = max(map(len, labels))
    inner = width - margin - 2
    across, down = (1, 1) if ascii_only else (2, 4)
    dots = _raster(steps, curve, inner * across, height * down)
    plain = ["".join("*" if dot else " " for dot in row) for row in dots.tolist()]
    rows = plain if ascii_only else _braille(dots)
    edge = "|" if ascii_only else "▏"
    lines = [f"{label:>{margin}} {edge}{row}" for label, row in zip(labels, rows, strict=True)]
    first, last = f"step {steps[0]}", str(steps[-1])
    return "\n".join([*lines, f"{'':{margin + 2}}{first}{last:>{inner - len(first)}}"])


def _raster(steps: Steps, curve: Values, width: int, height: int) -> np.ndarray:
    """Return which of `height` by `width` dots the curve goes through."""
    span, low = max(int(steps[-1] - steps[0]), 1), curve.min()
    rise = float(curve.max() - low) or 1.0
    at = ((steps - steps[0]) * (width - 1) // span).astype(int)
    up = np.rint((curve - low) / rise * (height - 1)).astype(int)
    columns = np.arange(width)
    # Where a column has no step of its own, the line goes on between its neighbours.
    between = np.rint(np.interp(columns, at, up)).astype(int)
    top, bottom = between.copy(), between.copy()
    np.maximum.at(top, at, up)
    np.minimum.at(bottom, at, up)
    # Each column reaches to its neighbour, so that a steep curve has no holes.
    top[1:] = np.maximum(top[1:], bottom[:-1])
    bottom[1:] = np.minimum(bottom[1:], top[:-1])
    rows = np.arange(height)[::-1, None]
    dots: np.ndarray = (rows <= top) & (rows >= bottom)
    return dots


def _braille(dots: np.ndarray) -> list[str]:
    height, width = dots.shape
    cells = dots.reshape(height // 4, 4, width // 2, 2)
    letters = (cells * _DOTS[:, None, :]).sum(axis=(1, 3)) + _EMPTY
    return ["".join(map(chr, row)) for row in letters.tolist()]
