"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.datasets.api import Datasets as Datasets
from aitk_nb.datasets.captioning import CaptionOptions as CaptionOptions
from aitk_nb.datasets.local.dataset import LocalDataset as LocalDataset
from aitk_nb.datasets.local.requirements import Requirements as Requirements
