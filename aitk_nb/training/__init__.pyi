"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.training.params import TrainingParams as TrainingParams
from aitk_nb.training.params import diff as diff
