"""Train LoRAs on a remote AI Toolkit server from Jupyter.

>>> import aitk_nb
>>> client = aitk_nb.connect()
>>> dataset = client.datasets.upload(aitk_nb.example_photos(), "officers")
>>> params = aitk_nb.TrainingParams(name="officer", dataset=dataset.name, steps=20)
>>> job = client.jobs.start(params)
>>> job.wait(every=0.2).status
<JobStatus.COMPLETED: 'completed'>
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.auth import AuthReport as AuthReport
    from aitk_nb.auth import check_auth as check_auth
    from aitk_nb.client import AIToolkitClient as AIToolkitClient
    from aitk_nb.client import GradioOptions as GradioOptions
    from aitk_nb.client import connect as connect
    from aitk_nb.connection import Connection as Connection
    from aitk_nb.connection import Secret as Secret
    from aitk_nb.connection import ask_login as ask_login
    from aitk_nb.connection import ask_secret as ask_secret
    from aitk_nb.datasets import CaptionOptions as CaptionOptions
    from aitk_nb.datasets import LocalDataset as LocalDataset
    from aitk_nb.datasets import Requirements as Requirements
    from aitk_nb.discovery import DiscoveryReport as DiscoveryReport
    from aitk_nb.discovery import discover as discover
    from aitk_nb.doctor import DoctorReport as DoctorReport
    from aitk_nb.errors import *  # noqa: F403
    from aitk_nb.examples import example_job as example_job
    from aitk_nb.examples import example_photos as example_photos
    from aitk_nb.jobs import ComparisonReport as ComparisonReport
    from aitk_nb.jobs import Health as Health
    from aitk_nb.jobs import HealthState as HealthState
    from aitk_nb.jobs import Job as Job
    from aitk_nb.jobs import PreflightReport as PreflightReport
    from aitk_nb.jobs import compare_jobs as compare_jobs
    from aitk_nb.lora import compare_loras as compare_loras
    from aitk_nb.lora import inspect_lora as inspect_lora
    from aitk_nb.losses import LossHistory as LossHistory
    from aitk_nb.models import Ability as Ability
    from aitk_nb.models import Check as Check
    from aitk_nb.models import Checklist as Checklist
    from aitk_nb.models import DryRunReport as DryRunReport
    from aitk_nb.models import Flavour as Flavour
    from aitk_nb.models import JobState as JobState
    from aitk_nb.models import JobStatus as JobStatus
    from aitk_nb.models import Status as Status
    from aitk_nb.models import VerifyReport as VerifyReport
    from aitk_nb.safe_to_stop import SafeToStop as SafeToStop
    from aitk_nb.training import TrainingParams as TrainingParams
    from aitk_nb.views import plot_loss as plot_loss

__getattr__, __dir__, __all__ = lazy(__name__)
