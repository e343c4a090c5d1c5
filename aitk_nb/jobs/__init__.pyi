"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.jobs.api import Jobs as Jobs
from aitk_nb.jobs.comparison import ComparisonReport as ComparisonReport
from aitk_nb.jobs.comparison import compare_jobs as compare_jobs
from aitk_nb.jobs.health import Health as Health
from aitk_nb.jobs.health import HealthState as HealthState
from aitk_nb.jobs.job import Job as Job
from aitk_nb.jobs.preflight_report import PreflightReport as PreflightReport
