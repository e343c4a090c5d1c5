"""`diverged_step`: whether a loss ended as NaN or infinite, or exploded, and at which step."""

from __future__ import annotations

import numpy as np

from aitk_nb.losses.smoothing import Steps, Values

_ENOUGH = 3
"""Values in a row that count; fewer may be an accident."""

_EXPLODED = 10.0
"""How many times the usual level the last values are in a loss that has exploded."""


def usual_level(values: Values) -> float:
    """Return the level at which `values` begin; NaN if that cannot be told."""
    finite = values[np.isfinite(values)]
    if finite.size < 2 * _ENOUGH:
        return float("nan")
    return float(np.median(finite[: max(_ENOUGH, finite.size // 10)]))


def diverged_step(steps: Steps, values: Values, usual: float | None = None) -> int | None:
    """Return the step at which a loss diverged.

    Args:
        steps: The step of each value.
        values: The loss.
        usual: The level of a loss that is well; by default that of the first values.

    Returns:
        The step from which on no value is finite, or all are far above the usual level; None if
        the last values are neither.
    """
    places = np.flatnonzero(np.isfinite(values))
    end = int(places[-1]) + 1 if places.size else 0
    if values.size - end >= _ENOUGH:
        return int(steps[end])
    usual = usual_level(values) if usual is None else usual
    if places.size < 2 * _ENOUGH or np.isnan(usual):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(values[places], _ENOUGH)
    limit = usual + (_EXPLODED - 1) * max(abs(usual), 1e-12)
    calm = np.flatnonzero(np.median(windows, axis=1) <= limit)
    if calm.size and calm[-1] == len(windows) - 1:
        return None
    # In the middle of the first window above the limit.
    first = int(calm[-1]) + 1 + _ENOUGH // 2 if calm.size else 0
    return int(steps[places[first]])
