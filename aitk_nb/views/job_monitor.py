"""`JobMonitor`: follows a job in a notebook: its status, its loss, and a button to stop it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aitk_nb import _html
from aitk_nb.errors import ConnectionFailed
from aitk_nb.health import Health, HealthState
from aitk_nb.losses import LossHistory
from aitk_nb.models import Ability, JobStatus
from aitk_nb.views._form import ClosedOptions
from aitk_nb.views._loss_look import Theme
from aitk_nb.views._pace import Pace, status_line
from aitk_nb.views._panel import Panel
from aitk_nb.views.loss_plot import LossFigure, plot_loss

if TYPE_CHECKING:
    from aitk_nb.job import Job
    from aitk_nb.models import JobState

__all__ = ["JobMonitor", "JobRecord", "WatchingStopped"]

_PATIENCE = 3600.0
"""Seconds that the server may not answer: a laptop's network is away for longer than a moment."""

_LONGEST = 30.0
"""Seconds between two questions to a server that does not answer."""


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
    """The server's words, for a job that ended by an error."""

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
            rows.append(("server says", self.error))
        return _html.definition(rows, caption=self.name)


class JobMonitor(ClosedOptions):
    """Follows a job: `await JobMonitor(job).watch()` as the last line of a cell.

    All that it shows is one output, however often it draws, and the last picture stays in it.
    Interrupting the cell stops watching and not the job.
    """

    def __init__(
        self,
        job: Job,
        *,
        on_stop: Callable[[], object] | None = None,
        theme: Theme = "light",
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Follow `job`; the button runs `on_stop`, by default `job.stop` where the server can.

        `theme` is the plot's, as `plot_loss` takes it. A server that does not answer is asked for
        `patience` seconds before watching ends by an error.
        """
        self._job = job
        self._on_stop = on_stop or (job.stop if job.can(Ability.STOP) else None)
        self._theme: Theme = theme
        self._clock = clock
        self._patience = patience
        self._told = ""
        self.history = LossHistory(name=job.name)
        """The losses seen so far."""
        self.panel: Panel | None = None
        """What is shown while it watches."""

    def __repr__(self) -> str:
        return f"<JobMonitor of {self._job.name!r}>"

    async def watch(self, every: float = 2.0) -> JobRecord:
        """Look each `every` seconds until the job does not change by itself any more.

        Return how it ended. Clicks are handled meanwhile.

        Raises:
            AitkError: the server cannot be asked any more; the job goes on.
            WatchingStopped: the cell was interrupted; the job goes on.
        """
        self.panel = panel = Panel(self._on_stop)
        try:
            state = await self._follow(panel, every)
        except asyncio.CancelledError:
            raise WatchingStopped(self._job.name) from None
        finally:
            self.panel = None
            panel.end()
        return self._record(state)

    async def _follow(self, panel: Panel, every: float) -> JobState:
        """Show each look at the job until it is final, and return the last one."""
        pace = Pace()
        drawn = False
        while True:
            state, has_more = await self._look(panel, every)
            pace.see(self._clock(), state)
            figure = None
            if has_more or not drawn or state.status.is_final:
                figure, drawn = self._picture(state), True
            panel.show(status_line(state, pace), state, figure)
            if state.status.is_final:
                if panel.stop is not None:
                    # It waits until the job has let go of the GPU, and may fail at that.
                    await asyncio.to_thread(panel.stop.wait)
                return state
            await asyncio.sleep(every)

    async def _look(self, panel: Panel, every: float) -> tuple[JobState, bool]:
        """Ask for health and losses; a server that does not answer is asked again and again."""
        silent_since: float | None = None
        pause = every
        while True:
            # In a thread, so that the kernel goes on handling clicks and interrupts.
            health = await asyncio.to_thread(self._job.health)
            if health.state is not HealthState.UNREACHABLE:
                try:
                    seen = self.history
                    self.history = await asyncio.to_thread(self._losses)
                except ConnectionFailed as exc:
                    health = Health(HealthState.UNREACHABLE, str(exc))
                else:
                    self._tell(panel, health)
                    return self._job.state, self.history is not seen and self.history != seen
            now = self._clock()
            silent_since = now if silent_since is None else silent_since
            if now - silent_since >= self._patience:
                # This raises what a silent server makes it raise, unless it is back just now.
                await asyncio.to_thread(self._job.refresh)
            self._tell(panel, health, f" Asking again each {pause:.3g} s.")
            await asyncio.sleep(pause)
            pause = min(max(every, _LONGEST), pause * 1.5)

    def _tell(self, panel: Panel, health: Health, more: str = "") -> None:
        """Show what is wrong, and take it away when it is right again."""
        wrong = health.is_bad and health.state is not HealthState.FAILED
        text = f"{health}{more}" if wrong or health.state is HealthState.UNREACHABLE else ""
        if text != self._told:
            panel.say(text, "warning")
            self._told = text

    def _losses(self) -> LossHistory:
        if not self._job.can(Ability.LOSSES):
            return self.history
        return self._job.losses(self.history)

    def _picture(self, state: JobState) -> LossFigure:
        return plot_loss(self.history, title=_title(state), theme=self._theme)

    def _record(self, state: JobState) -> JobRecord:
        return JobRecord(
            name=state.name,
            status=state.status,
            step=state.step,
            total_steps=state.total_steps,
            loss=self.history.final,
            error=state.info if state.status is JobStatus.ERROR else "",
        )


def _title(state: JobState) -> str:
    if state.status is JobStatus.COMPLETED:
        return f"Loss of {state.name}: {state.step} steps"
    total = f" of {state.total_steps}" if state.total_steps else ""
    return f"Loss of {state.name}: {state.status.value}, step {state.step}{total}"
