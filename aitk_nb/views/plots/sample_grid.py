"""`sample_grid`: what trainings drew, prompt by step, in one picture."""

from collections.abc import Sequence

from aitk_nb.jobs.job import Job
from aitk_nb.jobs.samples import sample_grid as grid_of
from aitk_nb.pictures.grid import PictureGrid

MOST = 480
"""Samples that are fetched: 12 prompts at 20 steps of two jobs."""


def sample_grid(jobs: Job | Sequence[Job], *, limit: int = MOST) -> PictureGrid:
    """Return the samples of a job by prompt and step, or those of several jobs together.

    Their thumbnails are fetched now; showing and saving the grid asks the server nothing.

    Args:
        jobs: A job, or several that are compared: each prompt has a row for each of them.
        limit: How many samples of each job are fetched at most, the newest first, in whole steps.

    Returns:
        The grid, whose `save` writes `.png`, `.html`, and one prompt as `.gif` or `.webp`.

    Raises:
        NotSupported: The server does not list samples.

    Example:
        >>> aitk_nb.views.sample_grid(job)  # of a job without prompts
        <0 pictures in 0 rows and 0 columns>
    """
    given = [jobs] if isinstance(jobs, Job) else list(jobs)
    named = len(given) > 1
    return grid_of([(job.name if named else "", job.samples(limit)) for job in given])
