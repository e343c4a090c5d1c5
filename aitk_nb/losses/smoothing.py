"""The smoothed values of a metric: a debiased exponential moving average."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aitk_nb.errors import BadInput

Steps: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float64]


def default_smoothing(count: int) -> float:
    """Return the smoothing that suits `count` values: 0.95 from 100 to 1000 of them."""
    # Averages over about 20 values; over fewer in a short history, over more in a long one.
    window = max(min(20.0, count / 5), count / 50, 1.0)
    # Rounded to two digits, so that it does not change with every new value.
    return 1 - 1 / float(f"{window:.2g}")


def smooth(values: Values, smoothing: float | None = None) -> Values:
    """Return `values` smoothed, as described at `LossHistory.smoothed`.

    Raises:
        BadInput: `smoothing` is not at least 0 (none) and below 1.
    """
    # Imported here because it takes longer to load than everything else that reads losses.
    import pandas as pd

    if smoothing is None:
        smoothing = default_smoothing(values.size)
    if not 0 <= smoothing < 1:
        raise BadInput(f"The smoothing must be at least 0 and below 1, not {smoothing}.")
    result = np.array(values, dtype=np.float64)
    finite = np.isfinite(result)
    if smoothing:
        result[finite] = pd.Series(result[finite]).ewm(alpha=1 - smoothing).mean()
    return result


def smoothed_end(values: Values) -> float:
    """Return the last smoothed finite value; NaN if there is none."""
    finite = values[np.isfinite(values)]
    return float(smooth(finite, default_smoothing(values.size))[-1]) if finite.size else math.nan
