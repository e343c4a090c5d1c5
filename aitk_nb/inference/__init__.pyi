"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.inference.api import Inference as Inference
