"""`Divergence`: whether the loss of a running job has diverged, by its last values."""

from __future__ import annotations

import numpy as np

from aitk_nb.backends.base import Backend
from aitk_nb.losses.divergence import diverged_step, usual_level
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState
from aitk_nb.models.server import Ability

_TAIL = 100
"""Steps whose losses are read."""


class Divergence:
    """Remembers the usual level of one job's loss."""

    def __init__(self) -> None:
        self._usual = float("nan")

    def check(self, backend: Backend, state: JobState, losses: LossHistory | None) -> str:
        """Return what is wrong with the loss; empty if nothing is.

        The last losses are read from the server unless `losses` are given.
        """
        steps, values = (_last(backend, state) if losses is None else losses).columns()
        self._usual = float(np.fmin(self._usual, usual_level(values)))
        step = diverged_step(steps, values, self._usual)
        if step is None:
            return ""
        if not np.isfinite(values[-1]):
            return f"The loss became NaN or infinite at step {step}."
        return (
            f"The loss exploded at step {step}: it is {values[-1]:.3g} and was {self._usual:.3g}."
        )


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
