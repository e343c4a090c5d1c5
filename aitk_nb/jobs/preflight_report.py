"""`PreflightReport`: what is known before a training job starts, as a checklist."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aitk_nb.jobs.estimate import EstimateReport
from aitk_nb.models.checklist import Check, Checklist, ChecklistReport, Status


@dataclass(frozen=True, repr=False)
class PreflightReport(ChecklistReport):
    """The checks of one training job on one server, at the time they were made.

    Example:
        >>> report = client.jobs.preflight(job.params(name="next_cat"))
        >>> report.ok, report.files
        (True, {'example_photos': 12})
    """

    name: str
    checks: Checklist[Check]
    files: Mapping[str, int] = field(default_factory=dict)
    """Number of images in each of its datasets."""
    estimate: EstimateReport = field(default_factory=EstimateReport)
    """How long it takes and what it costs."""

    @property
    def _caption(self) -> str:
        return f"Preflight checks for {self.name}"


def ok(name: str, message: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name, Status.OK, message)


def note(name: str, message: str, remedy: str = "") -> Check:
    """Return a check that found something probably unintended."""
    return Check(name, Status.WARNING, message, remedy)


def problem(name: str, message: str, remedy: str = "") -> Check:
    """Return a check that found what keeps the job from starting or finishing."""
    return Check(name, Status.PROBLEM, message, remedy)


def unknown(name: str, message: str) -> Check:
    """Return a check whose answer the server does not say."""
    return Check(name, Status.UNKNOWN, message)
