"""How the command line shows a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aitk_nb.cli.common import say
from aitk_nb.errors import AitkError
from aitk_nb.models import JobState, JobStatus

if TYPE_CHECKING:
    from aitk_nb.job import Job

__all__ = ["as_dict", "fail_unless_completed", "follow", "line"]


def follow(job: Job, every: float = 2.0) -> None:
    """Show a job's progress until it ends: a bar on a terminal, else a line for each phase."""
    from tqdm import tqdm

    bar = tqdm(total=job.state.total_steps, desc=job.name, unit="step", disable=None)
    shown = ""
    with bar:
        for state in job.watch(every):
            bar.total = state.total_steps
            bar.set_postfix_str(state.info[:40], refresh=False)
            bar.update(state.step - bar.n)
            if bar.disable and (phase := f"{state.status.value}: {state.info}") != shown:
                say(line(state))
                shown = phase


def fail_unless_completed(job: Job) -> None:
    """Turn a job that ended otherwise into the failure of the command."""
    if job.state.status is not JobStatus.COMPLETED:
        raise AitkError(
            f"{job.name} ended as {job.state.status.value} at step {job.state.step}: "
            f"{job.state.info or 'the server does not say why'}."
        )


def line(state: JobState) -> str:
    """Return a job as one line for people."""
    total = f"/{state.total_steps}" if state.total_steps else ""
    return f"{state.name}  {state.status.value}  step {state.step}{total}  {state.info}".rstrip()


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
