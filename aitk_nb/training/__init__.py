"""Training parameters, presets and job configs."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.training.params import TrainingParams as TrainingParams
    from aitk_nb.training.params import diff as diff

__getattr__, __dir__, __all__ = lazy(__name__)
