"""How the command line shows a job."""

import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from aitk_nb.cli.app import plain, say
from aitk_nb.client import AIToolkitClient
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.watcher import Update, Watcher
from aitk_nb.models import Ability, JobState


def follow(job: Job, every: float = 2.0, *, price_per_hour: float = 0.0) -> None:
    """Show a job's progress until it ends: a chart on a terminal, else a line for each phase.

    What is wrong with it is shown, also when it has ended.
    """
    # Imported late: rich is heavy, and only this needs it.
    from aitk_nb.cli.live import LiveView

    watcher = Watcher(job, every)
    view = LiveView(job.name, price_per_hour)
    with ExitStack() as stack:
        show: Callable[[Update, Watcher], None] = _Lines()
        if view.is_usable:
            show = stack.enter_context(view).show
        while True:
            update = watcher.update()
            show(update, watcher)
            if not update.wait:
                break
            time.sleep(update.wait)
    if update.health.is_bad:
        say(plain(str(update.health)))


class _Lines:
    """Writes a line for each phase, and for each change of health."""

    def __init__(self) -> None:
        self._phase = self._warned = ""

    def __call__(self, update: Update, _watcher: Watcher) -> None:
        if (phase := f"{update.state.status.value}: {update.state.info}") != self._phase:
            say(line(update.state))
            self._phase = phase
        health = update.health
        bad = health.is_bad or health.state is HealthState.UNREACHABLE
        # The words change with each second that passes, and are not repeated for that.
        if (state := health.state.value if bad else "") != self._warned and update.wait:
            say(plain(str(health)) if bad else "recovered")
            self._warned = state


def goes_on(client: AIToolkitClient, job: Job) -> str:
    """Return what to know about a job that nobody waits for anymore."""
    if client.can(Ability.STOP):
        return f"the job keeps running; stop it with: aitk-nb stop {shlex.quote(plain(job.name))}"
    return "a job that has started keeps running"


def line(state: JobState) -> str:
    """Return a job as one line for people."""
    words = f"{state.name}  {state.status.value}  step {state.step_text}  {state.info}"
    return plain(words).rstrip()


def as_dict(state: JobState) -> dict[str, Any]:
    """Return a job as plain data, ready for JSON."""
    names = ("name", "status", "step", "total_steps", "info", "speed", "gpu_ids", "id")
    return {name: getattr(state, name) for name in names} | {"status": state.status.value}
