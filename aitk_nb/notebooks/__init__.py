"""The shipped notebooks: their parameters, and running them headless."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.notebooks.run import NotebookResult as NotebookResult
    from aitk_nb.notebooks.run import find as find
    from aitk_nb.notebooks.run import run_all as run_all

__getattr__, __dir__, __all__ = lazy(__name__)
