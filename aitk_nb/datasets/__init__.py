"""Datasets, on this machine and on the server."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.datasets.api import Datasets as Datasets
    from aitk_nb.datasets.captioning import CaptionOptions as CaptionOptions
    from aitk_nb.datasets.local.dataset import LocalDataset as LocalDataset
    from aitk_nb.datasets.local.requirements import Requirements as Requirements

__getattr__, __dir__, __all__ = lazy(__name__)
