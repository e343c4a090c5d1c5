"""Frozen values that pass between the backends and everything above them."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.models.checklist import Check as Check
    from aitk_nb.models.checklist import Checklist as Checklist
    from aitk_nb.models.checklist import Status as Status
    from aitk_nb.models.dataset import VerifyReport as VerifyReport
    from aitk_nb.models.dry_run import DryRunReport as DryRunReport
    from aitk_nb.models.job import JobState as JobState
    from aitk_nb.models.job import JobStatus as JobStatus
    from aitk_nb.models.server import Ability as Ability
    from aitk_nb.models.server import Flavour as Flavour

__getattr__, __dir__, __all__ = lazy(__name__)
