"""`Group`: a part of a form below a button that shows and hides it; `RequestPanel` is one."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.training.export import FORMATS
from aitk_nb.training.params import TrainingParams
from aitk_nb.views.forms.field import Looks


class Group:
    """Some widgets below a button that shows and hides them."""

    # An Accordion's headers and, in older front-ends, a Tab's cannot be reached by keyboard.

    def __init__(
        self, title: str, children: Sequence[widgets.Widget], names: Sequence[str] = ()
    ) -> None:
        """Put the widgets below a button with this title, and hide them.

        Args:
            title: What the button says.
            children: The widgets.
            names: The fields that they belong to.
        """
        self.names = names
        self._title = title
        self._problems = 0
        self.box = widgets.VBox(children)
        self.toggle = widgets.ToggleButton(
            value=False, layout=widgets.Layout(width="36em", max_width="100%")
        )
        self.toggle.observe(self._refresh, names="value")
        self._refresh(None)

    def count(self, problems: int) -> None:
        """Show on the button how many of the fields are invalid."""
        if problems != self._problems:
            self._problems = problems
            self._refresh(None)

    def _refresh(self, _change: object) -> None:
        sign = "▾" if self.toggle.value else "▸"
        plural = "s" if self._problems > 1 else ""
        bad = f" — {self._problems} error{plural}" if self._problems else ""
        self.toggle.description = f"{sign} {self._title}{bad}"
        self.box.layout.display = "" if self.toggle.value else "none"


class RequestPanel(Group):
    """A choice of the format, and the parameters in it, which follow the form."""

    def __init__(self, looks: Looks) -> None:
        self._params: TrainingParams | None = None
        self._format = looks.entry(widgets.Dropdown, "Show as", options=list(FORMATS))
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
