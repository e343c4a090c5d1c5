"""Papermill's engine `aitk`: runs a notebook and keeps no state of widgets.

`papermill --engine aitk IN OUT`. A run by plain papermill stores the state of every widget in the
notebook's metadata, a closed one's too, and with it whatever somebody typed.
"""

from __future__ import annotations

from typing import Any

from papermill.engines import NBClientEngine

from aitk_nb.notebooks.widget_state import forget_widgets


class AitkEngine(NBClientEngine):  # type: ignore[misc]  # papermill publishes no types
    """The usual engine, after which the widgets are forgotten."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> None:
        """Execute the notebook; what fails is raised after the widgets are forgotten."""
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        finally:
            forget_widgets(nb_man.nb)
