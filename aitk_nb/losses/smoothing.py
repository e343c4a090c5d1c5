"""The smoothed values of a metric: averages over the values before, or on both sides."""

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

    smoothing = _checked(smoothing, values.size)
    result = np.array(values, dtype=np.float64)
    finite = np.isfinite(result)
    if smoothing:
        result[finite] = pd.Series(result[finite]).ewm(alpha=1 - smoothing).mean()
    return result


def centered(values: Values, smoothing: float | None = None) -> Values:
    """Return averages over about as many values as `smooth` takes, half of them on each side.

    They do not lag behind a loss that falls steeply at its beginning: the first value stands for
    itself, and the averages grow from there. Towards the end the values behind one become fewer.

    Raises:
        BadInput: `smoothing` is not at least 0 (none) and below 1.
    """
    import pandas as pd

    half = round(1 / (1 - _checked(smoothing, values.size))) - 1
    result = np.array(values, dtype=np.float64)
    finite = np.isfinite(result)
    some = result[finite]
    # Unlike a difference of running totals, it is exact behind a huge value too.
    averages = np.array(pd.Series(some).rolling(2 * half + 1, min_periods=1, center=True).mean())
    at = np.arange(min(2 * half, some.size))
    first, end = at // 2, np.minimum(at + (at + 1) // 2 + 1, some.size)
    sums = np.add.reduceat(np.append(some, 0.0), np.column_stack((first, end)).ravel())[::2]
    averages[: at.size] = sums / (end - first)
    result[finite] = averages
    return result


def smoothed_end(values: Values) -> float:
    """Return the last smoothed finite value; NaN if there is none."""
    finite = values[np.isfinite(values)]
    smoothing = default_smoothing(values.size)
    # What came before these has no weight that a float would show.
    last = finite[-math.ceil(36 / (1 - smoothing)) :]
    return float(smooth(last, smoothing)[-1]) if last.size else math.nan


def _checked(smoothing: float | None, count: int) -> float:
    if smoothing is None:
        return default_smoothing(count)
    if not 0 <= smoothing < 1:
        raise BadInput(f"The smoothing must be at least 0 and below 1, not {smoothing}.")
    return smoothing
