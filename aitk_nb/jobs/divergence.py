"""`Divergence`: tells from the losses of a job that its LoRA becomes unusable."""

from contextlib import suppress

import numpy as np

from aitk_nb.backends.base import Backend
from aitk_nb.errors import NotSupported
from aitk_nb.jobs.log_tail import LogTail
from aitk_nb.losses import LossHistory, diverged_step, from_log, usual_level
from aitk_nb.models import Ability, JobState

_TAIL = 100
"""Steps whose losses are read."""


class Divergence:
    """Remembers the usual level of one job's loss."""

    def __init__(self) -> None:
        self._usual = float("nan")
        self._log = LogTail(2**22)

    def check(self, backend: Backend, state: JobState, losses: LossHistory | None) -> str:
        """Return what is wrong with the loss; empty if nothing is.

        The last losses are read from the server unless `losses` are given; a job without losses
        may have them in its log.
        """
        with suppress(NotSupported):
            losses = losses or self._last(backend, state)
        steps, values = (losses or LossHistory()).columns()
        self._usual = float(np.fmin(self._usual, usual_level(values)))
        step = diverged_step(steps, values, self._usual)
        if step is None:
            return ""
        if not np.isfinite(values[-1]):
            return f"The loss became NaN or infinite at step {step}."
        return (
            f"The loss exploded at step {step}: it is {values[-1]:.3g} and was {self._usual:.3g}."
        )

    def _last(self, backend: Backend, state: JobState) -> LossHistory:
        only_in_log = False
        keys: tuple[str, ...] = ()
        try:
            keys = backend.loss_keys(state) if Ability.LOSSES in backend.abilities else ()
        except NotSupported:
            only_in_log = True
        key = LossHistory(dict.fromkeys(keys, ())).main_key
        if key in keys:
            # What has ended well is compared with how it began.
            starts = () if state.status.is_final else (max(-1, state.step - _TAIL),)
            for since in (*starts, None):
                history = LossHistory()
                for page in backend.read_losses(state, key, since):
                    history = history.extended(key, page.points)
                if np.isfinite(history.columns()[1]).any():
                    break  # else the first step without a loss is further back
            return history
        if Ability.LOG not in backend.abilities:
            return LossHistory()
        self._log.read(backend, state)
        text = self._log.text
        shown = only_in_log or "loss is nan" in text
        return LossHistory().with_rows(from_log(text)[-1] if shown else ())
