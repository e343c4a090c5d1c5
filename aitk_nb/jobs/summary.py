"""`summary`: what is repeatable about a job, for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from aitk_nb.errors import AitkError

if TYPE_CHECKING:
    from aitk_nb.jobs.job import Job
    from aitk_nb.models.job import RemoteFile
    from aitk_nb.models.server import Flavour

__all__ = ["summary"]


def summary(job: Job, flavour: Flavour) -> dict[str, Any]:
    """Return name, flavour, status, step, loss and files: no id, time, URL or path."""
    return {
        "name": job.name,
        "flavour": flavour.value,
        "status": job.state.status.value,
        "step": job.state.step,
        "loss": _final_loss(job),
        "files": [{"name": file.name, "size": file.size} for file in _files(job)],
    }


def _files(job: Job) -> tuple[RemoteFile, ...]:
    # Showing an object must not fail because the server is gone.
    try:
        return job.files()
    except AitkError:
        return ()


def _final_loss(job: Job) -> float | None:
    try:
        final = job.losses().summary().end
    except AitkError:
        return None
    return float(f"{final:.4g}") if math.isfinite(final) else None
