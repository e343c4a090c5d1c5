"""Train LoRAs on a remote AI Toolkit server from Jupyter.

>>> import aitk_nb
>>> client = aitk_nb.connect()                                       # doctest: +SKIP
>>> dataset = client.datasets.upload("photos")                       # doctest: +SKIP
>>> params = aitk_nb.TrainingParams(name="cat", dataset=dataset.name)  # doctest: +SKIP
>>> job = client.jobs.start(params)                                  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aitk_nb.auth.api import check_auth
    from aitk_nb.auth.report import AuthReport
    from aitk_nb.client import AIToolkitClient, connect
    from aitk_nb.connection.connection import Connection, Secret
    from aitk_nb.connection.prompt import ask_login, ask_secret
    from aitk_nb.datasets.captioning import CaptionOptions
    from aitk_nb.datasets.local import Demands, LocalDataset
    from aitk_nb.discovery.api import DiscoveryReport, discover
    from aitk_nb.doctor import Examination, examine
    from aitk_nb.errors import AitkError
    from aitk_nb.examples import example_job, photos
    from aitk_nb.jobs.comparison import Comparison, compare
    from aitk_nb.jobs.health import Health, HealthState
    from aitk_nb.jobs.job import Job
    from aitk_nb.jobs.preflight_report import Preflight
    from aitk_nb.lora.api import inspect
    from aitk_nb.losses.history import LossHistory
    from aitk_nb.models.dry_run import DryRun
    from aitk_nb.models.job import JobState, JobStatus
    from aitk_nb.models.server import Ability, Flavour
    from aitk_nb.models.verify_report import VerifyReport
    from aitk_nb.training.fields import TrainingParams
    from aitk_nb.views.plots.loss_plot import plot_loss

# Nothing is imported until it is used: `import aitk_nb` is quick, and loads neither pandas nor
# matplotlib for somebody who only lists jobs.
_HOMES = {
    "AIToolkitClient": "client",
    "Ability": "models",
    "AitkError": "errors",
    "AuthReport": "auth_report",
    "CaptionOptions": "captioning",
    "Comparison": "comparison",
    "Connection": "settings",
    "Demands": "local_dataset",
    "DiscoveryReport": "discovery",
    "DryRun": "rehearsals",
    "Examination": "doctor",
    "Flavour": "models",
    "Health": "health",
    "HealthState": "health",
    "Job": "job",
    "JobState": "models",
    "JobStatus": "models",
    "LocalDataset": "local_dataset",
    "LossHistory": "losses",
    "Preflight": "checks",
    "Secret": "settings",
    "TrainingParams": "training",
    "VerifyReport": "dataset_report",
    "ask_login": "prompting",
    "ask_secret": "prompting",
    "check_auth": "authentication",
    "compare": "comparison",
    "connect": "client",
    "discover": "discovery",
    "examine": "doctor",
    "example_job": "examples",
    "inspect": "lora",
    "photos": "examples",
    "plot_loss": "views.loss_plot",
}

__all__ = [
    "AIToolkitClient",
    "Ability",
    "AitkError",
    "AuthReport",
    "CaptionOptions",
    "Comparison",
    "Connection",
    "Demands",
    "DiscoveryReport",
    "DryRun",
    "Examination",
    "Flavour",
    "Health",
    "HealthState",
    "Job",
    "JobState",
    "JobStatus",
    "LocalDataset",
    "LossHistory",
    "Preflight",
    "Secret",
    "TrainingParams",
    "VerifyReport",
    "ask_login",
    "ask_secret",
    "check_auth",
    "compare",
    "connect",
    "discover",
    "examine",
    "example_job",
    "inspect",
    "photos",
    "plot_loss",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("aitk-nb")
    if name in _HOMES:
        value = getattr(import_module(f"aitk_nb.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'aitk_nb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
