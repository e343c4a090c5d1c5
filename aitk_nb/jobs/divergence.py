"""`Divergence`: whether the last losses of a job are no numbers any more, or have exploded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState
from aitk_nb.models.server import Ability

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.losses.smoothing import Steps, Values

__all__ = ["Divergence"]

_TAIL = 100
_ODD = 3
_EXPLODED = 10.0


class Divergence:
    """Remembers what is usual for one job's loss."""

    def __init__(self) -> None:
        self._usual: float | None = None

    def seen(self, backend: Backend, state: JobState, losses: LossHistory | None) -> str:
        """Return what is wrong with the last losses; an empty text when nothing is.

        They are asked for, unless they are given.
        """
        if losses is None:
            losses = _last(backend, state)
        steps, values = losses.columns()
        return self._wrong(steps[-_TAIL:], values[-_TAIL:])

    def _wrong(self, steps: Steps, values: Values) -> str:
        finite = values[np.isfinite(values)]
        if values.size >= _ODD and not np.isfinite(values[-_ODD:]).any():
            return f"The loss is no number any more, seen at step {steps[-1]}."
        if finite.size < 2 * _ODD:
            return ""
        level = float(np.median(finite[-_ODD:]))
        usual = float(np.median(finite[: finite.size // 2]))
        self._usual = usual if self._usual is None else min(usual, self._usual)
        if level > _EXPLODED * max(self._usual, 1e-12):
            return (
                f"The loss has exploded: {level:.3g} at step {steps[-1]}, where it was "
                f"{self._usual:.3g}."
            )
        return ""


def _last(backend: Backend, state: JobState) -> LossHistory:
    if Ability.LOSSES not in backend.abilities:
        return LossHistory()
    keys = backend.loss_keys(state)
    history = LossHistory(dict.fromkeys(keys, ()))
    if not keys:
        return history
    key = history.main_key
    for page in backend.read_losses(state, key, max(-1, state.step - _TAIL)):
        history = history.extended(key, page.points)
    return history
