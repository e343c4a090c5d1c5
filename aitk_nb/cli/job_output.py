"""How the command line shows a job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aitk_nb.cli.app import say
from aitk_nb.cli.sanitize import plain
from aitk_nb.errors import AitkError
from aitk_nb.jobs.watcher import Glance, Watcher
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.server import Ability

if TYPE_CHECKING:
    from aitk_nb.client import AIToolkitClient
    from aitk_nb.jobs.job import Job

__all__ = ["as_dict", "fail_unless_completed", "follow", "goes_on", "line"]


def follow(job: Job, every: float = 2.0, *, price_per_hour: float = 0.0) -> None:
    """Show a job's progress until it ends: a chart on a terminal, else a line for each phase.

    What is wrong with it is said, also when it has ended.
    """
    from aitk_nb.cli.live import Screen

    watcher = Watcher(job, every)
    screen = Screen(job.name, price_per_hour)
    glance = _on(screen, watcher) if screen.is_usable else _in_lines(watcher)
    if glance.health.is_bad:
        say(plain(str(glance.health)))


def goes_on(client: AIToolkitClient, job: Job) -> str:
    """Return what holds of a job when nobody waits for it any more."""
    if client.can(Ability.STOP):
        return f"the job goes on: aitk-nb stop {plain(job.name)} stops it"
    return "a job that has begun goes on"


def _on(screen: Any, watcher: Watcher) -> Glance:
    with screen:
        while True:
            glance = watcher.look()
            screen.show(glance, watcher)
            if not glance.wait:
                return glance
            time.sleep(glance.wait)


def _in_lines(watcher: Watcher) -> Glance:
    shown = told = ""
    while True:
        glance = watcher.look()
        if (phase := f"{glance.state.status.value}: {glance.state.info}") != shown:
            say(line(glance.state))
            shown = phase
        health = glance.health
        bad = health.is_bad or health.state.value == "unreachable"
        # The words change with each second that passes, and are not told again for that.
        if (state := health.state.value if bad else "") != told and glance.wait:
            say(plain(str(health)) if bad else "all is well again")
            told = state
        if not glance.wait:
            return glance
        time.sleep(glance.wait)


def fail_unless_completed(job: Job) -> None:
    """Turn a job that ended otherwise into the failure of the command."""
    if job.state.status is not JobStatus.COMPLETED:
        raise AitkError(
            f"{job.name} ended as {job.state.status.value} at step {job.state.step}: "
            f"{plain(job.state.info) or 'the server does not say why'}."
        )


def line(state: JobState) -> str:
    """Return a job as one line for people."""
    total = f"/{state.total_steps}" if state.total_steps else ""
    words = f"{state.name}  {state.status.value}  step {state.step}{total}  {state.info}"
    return plain(words).rstrip()


def as_dict(state: JobState) -> dict[str, Any]:
    """Return a job for machines."""
    return {
        "name": state.name,
        "status": state.status.value,
        "step": state.step,
        "total_steps": state.total_steps,
        "info": state.info,
        "speed": state.speed,
        "gpu_ids": state.gpu_ids,
        "id": state.id,
    }
