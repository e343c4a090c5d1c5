"""`JobMonitor`: follows a job in a notebook: its status, its loss, and buttons to act on it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aitk_nb import _html
from aitk_nb._units import duration
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.progress import Pace, cost_line, status_line
from aitk_nb.jobs.watcher import PATIENCE, Glance, Watcher
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobStatus
from aitk_nb.models.server import Ability
from aitk_nb.views.monitor.activity import News, gpu_line
from aitk_nb.views.monitor.panel import Acts, Panel
from aitk_nb.views.plots.loss_plot import LossFigure, plot_loss
from aitk_nb.views.plots.style import Theme
from aitk_nb.views.widgets import ClosedOptions

if TYPE_CHECKING:
    from aitk_nb.jobs.job import Job
    from aitk_nb.models.job import JobState

__all__ = ["JobMonitor", "JobRecord", "WatchingStopped"]


class WatchingStopped(asyncio.CancelledError):
    """An interrupt ended the watching, and not the job."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Watching {name} has stopped; the job goes on. Run the cell again to go on watching."
        )

    def _render_traceback_(self) -> list[str]:
        # IPython's hook: whoever interrupts a cell knows where it was.
        return [str(self)]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """How a job stood when the watching ended: only what repeats when it is done again."""

    name: str
    status: JobStatus
    step: int
    total_steps: int | None
    loss: float
    """Where the smoothed loss stands; NaN without any."""
    error: str = ""
    """Why it is of no use, in plain words; empty for a job that has done its work."""
    remedy: str = ""
    """What to do about that."""

    def __repr__(self) -> str:
        return f"<{self.name!r} {self.status.value} at step {self.step}, loss {self._loss}>"

    @property
    def _loss(self) -> str:
        return f"{self.loss:.4g}" if math.isfinite(self.loss) else "unknown"

    def _repr_html_(self) -> str:
        kinds: dict[JobStatus, _html.Kind] = {JobStatus.COMPLETED: "ok", JobStatus.ERROR: "error"}
        total = f" of {self.total_steps}" if self.total_steps else ""
        rows: list[tuple[object, object]] = [
            ("status", _html.badge(self.status.value, kinds.get(self.status, "info"))),
            ("step", f"{self.step}{total}"),
            ("smoothed loss", self._loss),
        ]
        if self.error:
            rows.append(("why", self.error))
        if self.remedy:
            rows.append(("to do", self.remedy))
        return _html.definition(rows, caption=self.name)


class JobMonitor(ClosedOptions):
    """Follows a job: `await JobMonitor(job).watch()` as the last line of a cell.

    All that it shows is one output, however often it draws, and the last picture stays in it.
    Interrupting the cell stops watching and not the job. It goes on through a restart of the
    server and a lost network, and says so meanwhile.
    """

    def __init__(
        self,
        job: Job,
        *,
        on_stop: Callable[[], object] | None = None,
        theme: Theme = "light",
        price_per_hour: float = 0.0,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Follow `job`, with a button for each thing that its server can be asked for.

        The stop button runs `on_stop`, by default `job.stop`. `theme` is the plot's, as `plot_loss`
        takes it; `price_per_hour` is the machine's, from which the cost is told. A server
        that does not answer is asked for `patience` seconds before watching ends by an error.
        """
        self._job = job
        self._acts = _acts(job, on_stop)
        self._theme: Theme = theme
        self._price = price_per_hour
        self._clock = clock
        self._patience = patience
        self._figure: LossFigure | None = None
        self.history = LossHistory(name=job.name)
        """The losses seen so far."""
        self.panel: Panel | None = None
        """What is shown while it watches."""

    def __repr__(self) -> str:
        return f"<JobMonitor of {self._job.name!r}>"

    async def watch(self, every: float = 2.0) -> JobRecord:
        """Look each `every` seconds, or less often where nothing moves, until the job has ended.

        Return how it ended. Clicks are handled meanwhile.

        Raises:
            AitkError: the server cannot be asked any more; the job goes on.
            WatchingStopped: the cell was interrupted; the job goes on.
        """
        self.panel = panel = Panel(self._acts)
        watcher = Watcher(self._job, every, patience=self._patience, clock=self._clock)
        watcher.history = self.history
        try:
            glance = await self._follow(panel, watcher)
        except asyncio.CancelledError:
            raise WatchingStopped(self._job.name) from None
        finally:
            self.panel = None
            panel.end()
        return self._record(glance)

    async def _follow(self, panel: Panel, watcher: Watcher) -> Glance:
        """Show each look at the job until it is final, and return the last one."""
        news = News(self._job, self._clock)
        drawn = False
        while True:
            # In a thread, so that the kernel goes on handling clicks and interrupts.
            glance = await asyncio.to_thread(watcher.look)
            self.history = watcher.history
            silent = glance.health.state is HealthState.UNREACHABLE
            figure = None
            if glance.has_more or not drawn or not glance.wait:
                figure, drawn = self._picture(glance.state, watcher.pace), True
            panel.show(status_line(glance.state, watcher.pace), glance.state, figure)
            panel.tell(glance.health)
            if not glance.wait:
                # Stopping waits until the job has let go of the GPU, and may fail at that.
                await asyncio.to_thread(panel.wait)
                return glance
            if not silent:
                await asyncio.to_thread(news.look)
                left = watcher.pace.left(glance.state)
                words = (gpu_line(news.gpus), cost_line(self._price, self.history, left))
                panel.show_beside(" · ".join(filter(None, words)), news.lines, news.samples)
            await self._nap(panel, glance.wait)

    async def _nap(self, panel: Panel, seconds: float) -> None:
        """Wait, but not longer than until a button's act is done."""
        until = self._clock() + seconds
        busy = panel.is_busy
        while (left := until - self._clock()) > 0:
            await asyncio.sleep(min(left, 0.2))
            if busy and not panel.is_busy:
                return
            busy = panel.is_busy

    def _picture(self, state: JobState, pace: Pace) -> LossFigure:
        title = _title(state, self.history, pace)
        # The last picture is a new one: it is the same whatever was drawn before it.
        if self._figure is None or state.status.is_final:
            self._figure = plot_loss(self.history, title=title, theme=self._theme)
        else:
            self._figure.redraw(self.history, title=title)
        return self._figure

    def _record(self, glance: Glance) -> JobRecord:
        state, health = glance.state, glance.health
        return JobRecord(
            name=state.name,
            status=state.status,
            step=state.step,
            total_steps=state.total_steps,
            loss=self.history.summary().end,
            error=health.text if health.is_bad else "",
            remedy=health.remedy if health.is_bad else "",
        )


def _acts(job: Job, on_stop: Callable[[], object] | None) -> Acts:
    def repair() -> object:
        return job.repair(confirmed=True)

    can_stop = job.can(Ability.STOP)
    return Acts(
        stop=on_stop or (job.stop if can_stop else None),
        save=job.save_now if job.can(Ability.SAVE_NOW) else None,
        sample=job.sample_now if job.can(Ability.SAMPLE_NOW) else None,
        repair=repair if can_stop else None,
    )


def _title(state: JobState, history: LossHistory, pace: Pace) -> str:
    final = history.summary().end
    value = f" · {final:.4g}" if math.isfinite(final) else ""
    if state.status is JobStatus.COMPLETED:
        return f"Loss of {state.name}: {state.step} steps{value}"
    total = f" of {state.total_steps}" if state.total_steps else ""
    left = pace.left(state)
    end = "" if left is None else f" · about {duration(left)} left"
    return f"Loss of {state.name}: {state.status.value}, step {state.step}{total}{value}{end}"
