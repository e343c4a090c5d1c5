"""`read_on`: a history brought up to date, also after the job was restarted.

Why it is so: docs/behavior.md#outputs
"""

from itertools import chain

import numpy as np

from aitk_nb.backends.base import Backend
from aitk_nb.errors import NotSupported
from aitk_nb.losses import LossHistory, from_log
from aitk_nb.losses.series import series
from aitk_nb.models import Ability, JobState, LossColumns

_FURTHER = 32


def read_on(backend: Backend, state: JobState, history: LossHistory) -> LossHistory:
    """Return `history` with everything the server has logged since.

    The last known point of each metric is read again with what follows it. If it has changed or is
    gone, the job was restarted from an earlier step: the server has deleted what came after that
    step, and so does the result, which records the restart.

    Where the server does not tell the losses, they are those of the progress bars in the log.

    Raises:
        NotSupported: The server shows neither losses nor logs.
    """
    try:
        keys = backend.loss_keys(state)
    except NotSupported:
        if Ability.LOG not in backend.abilities:
            raise
        for rows in filter(None, from_log(backend.read_log(state, None).text)):
            # A log begins anew with each start: it goes on where another one ended.
            history = history.extended(history.main_key, (), restart_after=rows[0][0] - 1)
            history = history.with_rows(rows)
        return history
    for key in keys:
        history = _metric_read_on(backend, state, history, key)
    return history


def _metric_read_on(
    backend: Backend, state: JobState, history: LossHistory, key: str
) -> LossHistory:
    steps = history.columns(key)[0]
    back = 1
    while steps.size:
        at = max(0, steps.size - back)
        points = _points(backend, state, key, int(steps[at]) - 1)
        alike = _alike(history, key, at, points)
        if alike == steps.size - at:
            return history.extended(key, points[alike:])
        if alike or at == 0:
            kept = int(steps[at + alike - 1]) if alike else int(steps[0]) - 1
            return history.extended(key, points[alike:], restart_after=kept)
        back *= _FURTHER
    return history.extended(key, _points(backend, state, key, None))


def _points(backend: Backend, state: JobState, key: str, since: int | None) -> LossColumns:
    pages = [LossColumns.of(page.points) for page in backend.read_losses(state, key, since)]
    return LossColumns(
        list(chain.from_iterable(page.steps for page in pages)),
        list(chain.from_iterable(page.wall_times for page in pages)),
        list(chain.from_iterable(page.values for page in pages)),
    )


def _alike(history: LossHistory, key: str, at: int, points: LossColumns) -> int:
    """Return how many of `points` equal those of the history from position `at` on."""
    steps, values = (column[at:] for column in history.columns(key))
    wall_times = history.wall_times(key)[at:]
    some = series(points[: steps.size], key)
    size = some.steps.size
    differs = (
        (steps[:size] != some.steps)
        | (wall_times[:size] != some.wall_times)
        | ~np.isclose(values[:size], some.values, 0, 0, equal_nan=True)
    )
    return int(differs.argmax()) if differs.any() else size
