"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.loras.api import Loras as Loras
