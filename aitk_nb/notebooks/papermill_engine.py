"""Papermill's engine `aitk`: runs a notebook and stores no widget state.

`papermill --engine aitk IN OUT`. Plain papermill stores the state of every widget in the
notebook's metadata, a closed one's too, and with it whatever somebody typed.
"""

from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"


def __getattr__(name: str) -> Any:
    """Return the class `AitkEngine`, made when papermill asks for it.

    Papermill loads its engines while it is itself half imported, so a class made on import would
    leave this module importable through papermill only.
    """
    if name != "AitkEngine":
        raise AttributeError(name)
    from papermill.engines import NBClientEngine

    class AitkEngine(NBClientEngine):  # type: ignore[misc]  # papermill publishes no types
        """The usual engine, after which the widgets are forgotten."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> None:
            """Execute the notebook; what fails is raised after the widgets are forgotten."""
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
            finally:
                forget_widgets(nb_man.nb)

    return AitkEngine


def forget_widgets(node: Any) -> None:
    """Take the state of widgets out of a notebook, and their views where they left a table.

    JupyterLab would show a view without its state as an error, in the place of the table.
    """
    node.metadata.pop("widgets", None)
    for cell in node.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/html" in data or "image/png" in data:
                data.pop(VIEW, None)
