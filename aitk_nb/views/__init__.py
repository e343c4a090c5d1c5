"""What can be looked at in a notebook: forms, monitors and plots, one view per file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aitk_nb.views.job_monitor import JobMonitor
    from aitk_nb.views.loss_plot import LossFigure, plot_loss

# Nothing is imported until it is used, as in `aitk_nb` itself.
_HOMES = {
    "JobMonitor": "job_monitor",
    "LossFigure": "loss_plot",
    "plot_loss": "loss_plot",
}

__all__ = ["JobMonitor", "LossFigure", "plot_loss"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"aitk_nb.views.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'aitk_nb.views' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
