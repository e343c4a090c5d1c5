"""`JobMonitor`: follows a job in a notebook: its status, its loss, and buttons to act on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from aitk_nb._display import html, session
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.progress import cost_line, pace
from aitk_nb.jobs.watcher import PATIENCE, Update, Watcher
from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.summary import outcome
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.views.monitor.activity import Activity, gpu_line
from aitk_nb.views.monitor.panel import Panel
from aitk_nb.views.plots.loss_plot import LossFigure, plot_loss
from aitk_nb.views.plots.style import Theme
from aitk_nb.views.widgets import ClosedOptions


class WatchingStopped(asyncio.CancelledError):
    """The cell was interrupted; the job keeps running.

    Example:
        >>> print(aitk_nb.views.WatchingStopped("cat"))
        Stopped watching cat; the job keeps running. Run the cell again to continue.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Stopped watching {name}; the job keeps running. Run the cell again to continue."
        )

    def _render_traceback_(self) -> list[str]:
        # IPython's hook: whoever interrupts a cell knows where it was.
        return [str(self)]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """The result of a job, without anything that differs when it is run again.

    Example:
        >>> aitk_nb.views.JobRecord("cat", aitk_nb.JobStatus.COMPLETED, 100, 100, 0.25)
        <'cat' completed at step 100, loss 0.25>
    """

    name: str
    status: JobStatus
    step: int
    total_steps: int | None
    loss: float
    """The end of the smoothed loss; NaN if unknown, or if the loss ended as NaN."""
    error: str = ""
    """Why the result is unusable, in plain words; empty if it is not."""
    remedy: str = ""
    """What to do about that."""
    diverged_step: int | None = None
    """The step at which the loss diverged; None if it did not."""

    def __repr__(self) -> str:
        return f"<{self.name!r} {self.status.value} at step {self.step}, loss {self._loss}>"

    @property
    def _loss(self) -> str:
        return outcome(self.loss, self.diverged_step)

    def _repr_html_(self) -> str:
        done: html.Kind = "warning" if self.error else "ok"
        kinds: dict[JobStatus, html.Kind] = {JobStatus.COMPLETED: done, JobStatus.ERROR: "error"}
        total = f" of {self.total_steps}" if self.total_steps else ""
        rows: list[tuple[object, object]] = [
            ("status", html.badge(self.status.value, kinds.get(self.status, "info"))),
            ("step", f"{self.step}{total}"),
            ("smoothed loss", self._loss),
            *((head, text) for head, text in (("why", self.error), ("to do", self.remedy)) if text),
        ]
        return html.definition(rows, caption=self.name)


class JobMonitor(ClosedOptions):
    """Shows a job while it runs, in one output that keeps the last plot.

    In a notebook, call it as `await JobMonitor(job).watch()`. If the cell is interrupted, the job
    keeps running. A restarted server or a lost network is reported and waited for.

    Example:
        >>> import asyncio
        >>> asyncio.run(aitk_nb.views.JobMonitor(job).watch())
        <loss of 'cat'>
        <'cat' completed at step 20, loss 0...>
    """

    def __init__(
        self,
        job: Job,
        *,
        on_stop: Callable[[], object] | None = None,
        theme: Theme = "page",
        price_per_hour: float = 0.0,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Follow a job, with a button for each action that its server supports.

        Args:
            job: The job to follow.
            on_stop: What the stop button does; by default `job.stop`.
            theme: Theme of the plot, as for `plot_loss`.
            price_per_hour: Hourly price of the server, to show the cost.
            patience: Seconds that the server may be unreachable before watching ends by an error.
            clock: Time in seconds.
        """
        self._job = job
        self._on_stop = on_stop
        self._theme: Theme = theme
        self._price = price_per_hour
        self._clock = clock
        self._patience = patience
        self._figure: LossFigure | None = None
        self.history = LossHistory(name=job.name)
        """The losses seen so far."""
        self.panel: Panel | None = None
        """What is shown while watching."""

    def __repr__(self) -> str:
        return f"<JobMonitor of {self._job.name!r}>"

    async def watch(self, every: float = 2.0) -> JobRecord:
        """Show the job until it has ended; clicks are handled meanwhile.

        Args:
            every: Seconds between requests; fewer are sent while nothing changes.

        Returns:
            How it ended.

        Raises:
            AitkError: The server does not answer anymore; the job keeps running.
            WatchingStopped: The cell was interrupted; the job keeps running.
        """
        activity = Activity(self._job, self._clock)
        # Where notebooks are executed, what is stored has to be the same each time.
        keeps_all = session.is_attended()
        self.panel = panel = Panel(self._job, activity, self._on_stop, keeps_all=keeps_all)
        watcher = Watcher(self._job, every, patience=self._patience, clock=self._clock)
        watcher.history = self.history
        try:
            update = await self._follow(panel, watcher, activity)
        except asyncio.CancelledError:
            raise WatchingStopped(self._job.name) from None
        finally:
            self.panel = None
            panel.end()
        state, health, losses = update.state, update.health, self.history.summary()
        return JobRecord(
            name=state.name,
            status=state.status,
            step=state.step,
            total_steps=state.total_steps,
            loss=losses.end,
            error=health.text if health.is_bad else "",
            remedy=health.remedy if health.is_bad else "",
            diverged_step=losses.diverged_step,
        )

    async def _follow(self, panel: Panel, watcher: Watcher, activity: Activity) -> Update:
        """Show each update until the job has ended, and return the last one."""
        drawn = False
        while True:
            asked = panel.requested
            # In a thread, so that the kernel goes on handling clicks and interrupts.
            update = await asyncio.to_thread(watcher.update)
            self.history = watcher.history
            figure = None
            if update.has_more or not drawn or not update.wait:
                figure, drawn = self._plot(update.state), True
            panel.show(*self._words(update, watcher), update.state, figure)
            panel.show_health(update.health)
            panel.settle(asked, update.state)
            if not update.wait:
                await asyncio.to_thread(activity.refresh, at_once=True)
                # Stopping waits until the job has released the GPU, and may fail at that.
                await asyncio.to_thread(panel.wait)
                return update
            if update.health.state is not HealthState.UNREACHABLE:
                await asyncio.to_thread(activity.refresh)
                left = watcher.rate.seconds_left(update.state)
                words = (gpu_line(activity.gpus), cost_line(self._price, self.history, left))
                line = " · ".join(filter(None, words))
                panel.show_activity(line)
            await self._sleep(panel, update.wait)

    async def _sleep(self, panel: Panel, seconds: float) -> None:
        """Wait, but not longer than until a button's action is done."""
        until = self._clock() + seconds
        busy = panel.is_busy
        while (left := until - self._clock()) > 0:
            await asyncio.sleep(min(left, 0.2))
            if busy and not panel.is_busy:
                return
            busy = panel.is_busy

    def _words(self, update: Update, watcher: Watcher) -> tuple[str, str]:
        """Return how the job stands, and how fast it goes, each as a line."""
        state, health, loss = update.state, update.health, self.history.summary().outcome
        parts = [state.status.value, f"step {state.step_text}"]
        if loss != "unknown":
            parts.append(f"loss {loss}")
        if health.can_be_repaired or health.state is HealthState.UNREACHABLE:
            # What the server last said of it may not be true anymore.
            return " · ".join([health.state.value, *parts[1:]]), ""
        return " · ".join(parts), " · ".join(pace(state, watcher.rate))

    def _plot(self, state: JobState) -> LossFigure:
        # The last picture is a new one: it is the same whatever was drawn before it.
        if self._figure is None or state.status.is_final:
            self._figure = plot_loss(self.history, theme=self._theme)
        else:
            self._figure.redraw(self.history, title=f"Loss of {state.name}")
        return self._figure
