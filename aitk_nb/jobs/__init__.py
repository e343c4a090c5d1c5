"""Training jobs: starting, watching, stopping and comparing them."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.jobs.api import Jobs as Jobs
    from aitk_nb.jobs.comparison import ComparisonReport as ComparisonReport
    from aitk_nb.jobs.comparison import compare_jobs as compare_jobs
    from aitk_nb.jobs.health import Health as Health
    from aitk_nb.jobs.health import HealthState as HealthState
    from aitk_nb.jobs.job import Job as Job
    from aitk_nb.jobs.preflight_report import PreflightReport as PreflightReport

__getattr__, __dir__, __all__ = lazy(__name__)
