"""What can be looked at in a notebook: forms, monitors and plots, one view per file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aitk_nb.views.dataset_form.dataset_form import DatasetChoice, DatasetForm
    from aitk_nb.views.forms.connection_form import ConnectionForm
    from aitk_nb.views.forms.training_form import TrainingForm
    from aitk_nb.views.if_supported import where_able
    from aitk_nb.views.monitor.job_monitor import JobMonitor, JobRecord, WatchingStopped
    from aitk_nb.views.plots.bucket_plot import BucketFigure, plot_buckets
    from aitk_nb.views.plots.contact_sheet import ContactSheet, contact_sheet
    from aitk_nb.views.plots.loss_plot import LossFigure, plot_loss
    from aitk_nb.views.transfer_progress import TransferProgress

# Nothing is imported until it is used, as in `aitk_nb` itself.
_HOMES = {
    "BucketFigure": "bucket_plot",
    "ConnectionForm": "connection_form",
    "ContactSheet": "contact_sheet",
    "DatasetChoice": "dataset_form",
    "DatasetForm": "dataset_form",
    "JobMonitor": "job_monitor",
    "JobRecord": "job_monitor",
    "LossFigure": "loss_plot",
    "TrainingForm": "training_form",
    "TransferProgress": "transfer_progress",
    "WatchingStopped": "job_monitor",
    "contact_sheet": "contact_sheet",
    "plot_buckets": "bucket_plot",
    "plot_loss": "loss_plot",
    "where_able": "where_able",
}

__all__ = [
    "BucketFigure",
    "ConnectionForm",
    "ContactSheet",
    "DatasetChoice",
    "DatasetForm",
    "JobMonitor",
    "JobRecord",
    "LossFigure",
    "TrainingForm",
    "TransferProgress",
    "WatchingStopped",
    "contact_sheet",
    "plot_buckets",
    "plot_loss",
    "where_able",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"aitk_nb.views.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'aitk_nb.views' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
