"""`read_on`: a history that goes on from what is known, also when the job was started again."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState
from aitk_nb.models.loss import LossColumns

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend

__all__ = ["read_on"]

_FURTHER = 32


def read_on(backend: Backend, state: JobState, history: LossHistory) -> LossHistory:
    """Return `history` with what the server has beyond it.

    Of each metric the last known point is read again with what follows it. If it has changed or
    gone, the job was started again from an earlier step: the server has deleted what came after
    that step, and so does the result, which notes the restart.
    """
    for key in backend.loss_keys(state):
        history = _key_read_on(backend, state, history, key)
    return history


def _key_read_on(backend: Backend, state: JobState, history: LossHistory, key: str) -> LossHistory:
    steps = history.columns(key)[0]
    if not steps.size:
        return history.extended(key, _points(backend, state, key, None))
    back = 1
    while True:
        at = max(0, steps.size - back)
        points = _points(backend, state, key, int(steps[at]) - 1)
        alike = _alike(history, key, at, points)
        if alike == steps.size - at:
            return history.extended(key, points[alike:])
        if alike or at == 0:
            kept = int(steps[at + alike - 1]) if alike else int(steps[0]) - 1
            return history.rewound(kept).extended(key, points[alike:])
        back *= _FURTHER


def _points(backend: Backend, state: JobState, key: str, since: int | None) -> LossColumns:
    pages = [LossColumns.of(page.points) for page in backend.read_losses(state, key, since)]
    if len(pages) == 1:
        return pages[0]
    return LossColumns(
        list(chain.from_iterable(page.steps for page in pages)),
        list(chain.from_iterable(page.walls for page in pages)),
        list(chain.from_iterable(page.values for page in pages)),
    )


def _alike(history: LossHistory, key: str, at: int, points: LossColumns) -> int:
    """Return how many of `points` are those of the history from position `at` on."""
    steps, values = (column[at:] for column in history.columns(key))
    walls = history.walls(key)[at:]
    some = points[: steps.size]
    size = len(some)
    differs = (
        (steps[:size] != np.array(some.steps))
        | (walls[:size] != np.array(some.walls))
        | ~np.isclose(values[:size], np.array(some.values), 0, 0, equal_nan=True)
    )
    return int(differs.argmax()) if differs.any() else size
