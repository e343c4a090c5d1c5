"""Arithmetic on the values of a metric: smoothing, thinning and finding breaks."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aitk_nb.errors import BadInput

__all__ = [
    "Steps",
    "Values",
    "breaks",
    "extremes",
    "fitting_weight",
    "rolling_median",
    "smooth",
    "smooth_end",
]

Steps: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float64]

_BLOCK = 64
_DEEP = 138.0  # the logarithm of 1e60
_PAUSE = 5.0
_LONGER = 20.0
_ALIKE = 3.0


def fitting_weight(count: int) -> float:
    """Return the weight of the past that smooths `count` values well."""
    # Averages over about 20 values; over fewer in a short history, over more in a long one.
    window = max(min(20.0, count / 5), count / 50, 1.0)
    # Of two digits, so that it does not change with each value that comes.
    return 1 - 1 / float(f"{window:.2g}")


def smooth(values: Values, weight: float | None = None) -> Values:
    """Return `values` smoothed as `LossHistory.smoothed` tells.

    Raises:
        BadInput: `weight` is not between 0 (no smoothing) and 1 (exclusive).
    """
    if weight is None:
        weight = fitting_weight(values.size)
    if not 0 <= weight < 1:
        raise BadInput(f"The smoothing weight must be at least 0 and below 1, not {weight}.")
    result = np.array(values, dtype=np.float64)
    finite = np.isfinite(result)
    result[finite] = _average(result[finite], weight)
    return result


def _average(values: Values, weight: float) -> Values:
    """Return the debiased moving average of finite values, a block at a time."""
    if weight == 0 or not values.size:
        return values
    # Small enough that the powers of the weight stay numbers.
    block = max(1, min(_BLOCK, int(_DEEP / -math.log(weight))))
    rows = np.zeros(-(-values.size // block) * block)
    rows[: values.size] = values
    powers = weight ** np.arange(block + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.cumsum(rows.reshape(-1, block) / powers[:-1], axis=1)
        means = sums * ((1 - weight) * powers[:-1])
        carried = np.empty(means.shape[0])
        carry = 0.0
        for row, end in enumerate(means[:, -1].tolist()):
            carried[row] = carry
            carry = end + powers[-1] * carry
        means += carried[:, None] * powers[1:]
    flat: Values = means.reshape(-1)[: values.size]
    # 1 - weight**i without losing digits where the weight is close to 1.
    shares: Values = -np.expm1(np.arange(1, values.size + 1) * math.log(weight))
    return np.divide(flat, shares)


def rolling_median(values: Values, window: int) -> tuple[Values, Values, Values]:
    """Return what `LossHistory.rolling_median` promises."""
    import pandas as pd

    if window < 0:
        raise BadInput(f"The window must have at least one value, not {window}.")
    size = window or max(21, values.size // 50)
    finite = pd.Series(np.where(np.isfinite(values), values, np.nan))
    rolling = finite.rolling(size, center=True, min_periods=1)
    median, low, high = (rolling.quantile(q).to_numpy() for q in (0.5, 0.25, 0.75))
    return median, low, high


def smooth_end(values: Values) -> float:
    """Return the end of the smoothed finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(smooth(finite, fitting_weight(values.size))[-1]) if finite.size else math.nan


def extremes(values: Values, bins: int) -> npt.NDArray[np.intp]:
    """Return the positions of the values that `LossHistory.decimated` keeps."""
    if bins < 1:
        raise BadInput(f"The number of bins must be at least 1, not {bins}.")
    if values.size <= 2 * bins:
        return np.arange(values.size)
    width = -(-values.size // bins)
    padded = np.empty(-(-values.size // width) * width)
    padded[: values.size], padded[values.size :] = values, values[-1]
    rows = padded.reshape(-1, width)
    starts = np.arange(rows.shape[0]) * width
    ends = np.array([0, values.size - 1])
    finite = np.isfinite(rows)
    if finite.all():
        kept = np.concatenate([starts + rows.argmin(axis=1), starts + rows.argmax(axis=1), ends])
    else:
        low = np.where(finite, rows, np.inf).argmin(axis=1)
        high = np.where(finite, rows, -np.inf).argmax(axis=1)
        # A row without odd values gives its first position, which is a harmless extra point.
        odd = finite.argmin(axis=1)
        kept = np.concatenate([starts + low, starts + high, starts + odd, ends])
    return np.unique(kept[kept < values.size])


def breaks(steps: Steps, walls: Values, every: int) -> Steps:
    """Return the steps after which so much time passed that the training was started again.

    The server keeps nothing else of a restart. A pause that is no longer than three times the
    shortest one at a multiple of `every` steps is taken for sampling.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.diff(walls)
    if gaps.size < _ALIKE or not np.isfinite(gaps).all():
        return steps[:0]
    long = gaps > max(_PAUSE, _LONGER * float(np.median(gaps)))
    if every > 0:
        usual = long & ((steps[:-1] % every == 0) | (steps[1:] % every == 0))
        if usual.any():
            long &= ~(usual & (gaps <= _ALIKE * gaps[usual].min()))
    return steps[:-1][long]
