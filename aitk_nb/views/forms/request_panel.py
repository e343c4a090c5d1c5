"""The panel of a training form that shows its parameters as a config, a cell and requests."""

from __future__ import annotations

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.training.export import FACES
from aitk_nb.training.fields import TrainingParams
from aitk_nb.views.forms.form import Looks

__all__ = ["RequestPanel"]


class RequestPanel:
    """A button that opens it, a choice of the face, and its text, which follows the form."""

    def __init__(self, looks: Looks) -> None:
        self._params: TrainingParams | None = None
        self.toggle = widgets.ToggleButton(layout=looks.control)
        self._face = widgets.Dropdown(
            options=list(FACES), description="Show as", style=looks.choice, layout=looks.control
        )
        self._text = looks.html(indented=False)
        self.box = widgets.VBox([self._face, self._text])
        self.toggle.observe(self._refresh, names="value")
        self._face.observe(self._refresh, names="value")
        self._refresh(None)

    def show(self, params: TrainingParams | None) -> None:
        """Show these parameters from now on; None while the form cannot be used."""
        self._params = params
        self._refresh(None)

    def close(self) -> None:
        """Let go of the form; its widgets are closed with the others."""
        self.toggle.unobserve_all("value")
        self._face.unobserve_all("value")

    def _refresh(self, _change: object) -> None:
        opened = bool(self.toggle.value)
        title = f"{'▾' if opened else '▸'} Request"
        if self.toggle.description != title:
            self.toggle.description = title
        self.box.layout.display = "" if opened else "none"
        # Nobody looks at a closed panel, and each edit would send it all to the page.
        text = self._shown() if opened else ""
        if self._text.value != text:
            self._text.value = str(text)

    def _shown(self) -> str:
        if self._params is None:
            return _html.note("Shown as soon as all fields can be used.")
        return _html.code(FACES[str(self._face.value)](self._params))
