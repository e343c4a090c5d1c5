"""`JobMonitor`: a job's loss as a picture that follows the training."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from IPython.display import DisplayHandle, display

from aitk_nb.losses import LossHistory
from aitk_nb.models import JobStatus
from aitk_nb.views.loss_plot import LossFigure, plot_loss

if TYPE_CHECKING:
    from aitk_nb.job import Job
    from aitk_nb.models import JobState

__all__ = ["JobMonitor"]


class JobMonitor:
    """Follows a job: `await JobMonitor(job).watch()` as the last line of a cell.

    It draws into one output, however often it draws. Interrupting the cell stops watching and
    not the job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def __repr__(self) -> str:
        return f"<JobMonitor of {self._job.name!r}>"

    async def watch(self, every: float = 2.0) -> None:
        """Redraw each `every` seconds until the job does not change by itself any more.

        Raises:
            AitkError: the server cannot be asked any more; the job goes on.
        """
        history = LossHistory(name=self._job.name)
        handle: DisplayHandle | None = None
        while True:
            # In a thread, so that the kernel goes on handling clicks and interrupts.
            state = await asyncio.to_thread(self._job.refresh)
            seen, history = history, await asyncio.to_thread(self._job.losses, history)
            if handle is None:
                handle = display(_picture(history, state), display_id=True)
            elif len(history) != len(seen) or state.status.is_final:
                handle.update(_picture(history, state))
            if state.status.is_final:
                return
            await asyncio.sleep(every)


def _picture(history: LossHistory, state: JobState) -> LossFigure:
    return plot_loss(history, title=_title(state))


def _title(state: JobState) -> str:
    if state.status is JobStatus.COMPLETED:
        return f"Loss of {state.name}: {state.step} steps"
    total = f" of {state.total_steps}" if state.total_steps else ""
    return f"Loss of {state.name}: {state.status.value}, step {state.step}{total}"
