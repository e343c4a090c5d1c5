"""The panel of a training form that shows its parameters as a config, a cell and requests."""

from __future__ import annotations

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.training.export import FORMATS
from aitk_nb.training.params import TrainingParams
from aitk_nb.views.forms.field_group import Group
from aitk_nb.views.forms.form import Looks


class RequestPanel(Group):
    """A choice of the format, and the parameters in it, which follow the form."""

    def __init__(self, looks: Looks) -> None:
        self._params: TrainingParams | None = None
        self._format = widgets.Dropdown(
            options=list(FORMATS), description="Show as", style=looks.choice, layout=looks.control
        )
        self._text = looks.html(indented=False)
        super().__init__("Request", [self._format, self._text])
        self._format.observe(self._refresh, names="value")

    def show(self, params: TrainingParams | None) -> None:
        """Show these parameters from now on; None while the form is invalid."""
        self._params = params
        self._refresh(None)

    def close(self) -> None:
        """Let go of the form; its widgets are closed with the others."""
        self.toggle.unobserve_all("value")
        self._format.unobserve_all("value")

    def _refresh(self, change: object) -> None:
        super()._refresh(change)
        # Nobody looks at a closed panel, and each edit would send it all to the page.
        text = self._shown() if self.toggle.value else ""
        if self._text.value != text:
            self._text.value = str(text)

    def _shown(self) -> str:
        if self._params is None:
            return _html.note("Shown once all fields are valid.")
        return _html.code(FORMATS[str(self._format.value)](self._params))
