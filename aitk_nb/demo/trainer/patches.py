"""Small pictures as patches of 8 x 8 pixels, each told by 192 frequencies instead of pixels.

The change of basis is orthonormal (a cosine transform, and brightness apart from two colors), so
that noise stays as white and errors as large as they are in pixels.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from aitk_nb.demo.trainer.denoiser import Floats

SIDE = 8
COEFFICIENTS = SIDE * SIDE * 3
OVERVIEW = 4
"""Cells along each side of the overview that every patch gets of the whole picture."""
PLACE = 16
"""Numbers that tell where a patch lies."""

_COLORS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]])


@dataclass(frozen=True)
class Grid:
    """How many patches a picture has: rows and columns."""

    rows: int
    columns: int

    @property
    def count(self) -> int:
        """The number of patches."""
        return self.rows * self.columns

    @cached_property
    def places(self) -> Floats:
        """Where each patch lies, as waves over the picture: (count, PLACE)."""
        y, x = np.mgrid[: self.rows, : self.columns]
        center = np.stack([(y + 0.5) / self.rows, (x + 0.5) / self.columns], -1).reshape(-1, 2)
        angle = center[:, :, None] * (np.pi * np.array([0.5, 1, 2, 4]))
        waves = np.concatenate([np.sin(angle), np.cos(angle)], 2)
        return waves.reshape(self.count, PLACE).astype(np.float32)

    @cached_property
    def overview(self) -> Floats:
        """The matrix that makes a picture's flat coefficients its overview of 4 x 4 colors."""
        high, wide = self.rows * SIDE, self.columns * SIDE
        unit = np.einsum("iy,jx,cd->yxcijd", _pooling(high), _pooling(wide), np.eye(3))
        flat = encode(unit.reshape(high, wide, -1), self)
        return flat.astype(np.float32)

    @cached_property
    def overview_noise(self) -> float:
        """The variance of the overview of white noise."""
        return float(np.square(self.overview).sum(0).mean())


def grid_of(area: float, aspect: float) -> Grid:
    """Return the grid of about `area` pixels for a picture of width / height = `aspect`."""
    side = np.sqrt(area) / SIDE
    stretch = float(np.sqrt(min(max(aspect, 1 / 16), 16)))
    return Grid(max(1, round(side / stretch)), max(1, round(side * stretch)))


def encode(pixels: Floats, grid: Grid) -> Floats:
    """Return coefficients (count, 192) of pixels (high, wide, 3); or of many such, as columns.

    Given (high, wide, 3 * n), it returns (count * 192, n).
    """
    extra = pixels.shape[2] // 3
    cut = pixels.reshape(grid.rows, SIDE, grid.columns, SIDE, 3, extra)
    rows = cut.transpose(0, 2, 1, 3, 4, 5).reshape(grid.count, COEFFICIENTS, extra)
    turned: Floats = np.einsum("npe,pk->nke", rows, basis())
    if extra == 1:
        return turned[:, :, 0]
    return turned.reshape(-1, extra)


def decode(coefficients: Floats, grid: Grid) -> Floats:
    """Return the pixels (high, wide, 3) of coefficients (count, 192)."""
    rows = (coefficients @ basis().T).reshape(grid.rows, grid.columns, SIDE, SIDE, 3)
    return rows.transpose(0, 2, 1, 3, 4).reshape(grid.rows * SIDE, grid.columns * SIDE, 3)


@lru_cache(maxsize=1)
def basis() -> Floats:
    """Return the orthonormal matrix from pixels to coefficients."""
    k = np.arange(SIDE)
    cosines = np.cos(np.pi * (2 * k + 1) * k[:, None] / (2 * SIDE)) * np.sqrt(2 / SIDE)
    cosines[0] /= np.sqrt(2)
    colors = _COLORS / np.linalg.norm(_COLORS, axis=1, keepdims=True)
    turn = np.einsum("ky,lx,cd->yxdklc", cosines, cosines, colors)
    matrix: Floats = turn.reshape(COEFFICIENTS, COEFFICIENTS).astype(np.float32)
    return matrix


@lru_cache(maxsize=1)
def spread() -> Floats:
    """Return how far each coefficient of an ordinary photograph strays from its mean.

    In photographs amplitudes fall about as 1 / frequency, and colors vary less than brightness.
    """
    y, x = np.mgrid[:SIDE, :SIDE]
    frequency = np.hypot(y, x)
    bright = np.where(frequency > 0, 2.2 / np.maximum(frequency, 1) ** 1.2, 5.0)
    each = bright[:, :, None] * np.array([1.0, 0.4, 0.28])
    wide: Floats = np.maximum(each.reshape(-1), 0.03).astype(np.float32)
    return wide


def _pooling(size: int) -> Floats:
    """Return the matrix (OVERVIEW, size) that averages over equal stretches."""
    edges = np.linspace(0, size, OVERVIEW + 1)
    at = np.arange(size)
    low = np.maximum(edges[:-1, None], at)
    high = np.minimum(edges[1:, None], at + 1)
    share = np.maximum(high - low, 0.0)
    pooled: Floats = share / share.sum(1, keepdims=True)
    return pooled
