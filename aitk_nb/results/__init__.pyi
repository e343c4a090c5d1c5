"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.results.api import TriesLoras as TriesLoras
