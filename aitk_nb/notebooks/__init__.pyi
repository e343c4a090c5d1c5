"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.notebooks.run import NotebookResult as NotebookResult
from aitk_nb.notebooks.run import find as find
from aitk_nb.notebooks.run import run_all as run_all
