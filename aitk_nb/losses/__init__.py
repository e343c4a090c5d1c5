"""Losses as values: metrics, smoothing, summaries and files."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.losses.history import LossHistory as LossHistory
    from aitk_nb.losses.summary import LossSummary as LossSummary

__getattr__, __dir__, __all__ = lazy(__name__)
