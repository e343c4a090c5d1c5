"""`forget_widgets`: takes out of a notebook what a run leaves of its widgets."""

from __future__ import annotations

from typing import Any

VIEW = "application/vnd.jupyter.widget-view+json"


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
