"""`Group`: some fields of a form under a button that shows and hides them."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets

from aitk_nb.views.forms.form import Field

__all__ = ["Group"]


class Group:
    """Some fields under a button that shows and hides them."""

    # An Accordion's headers and, in older front-ends, a Tab's cannot be reached by keyboard.

    def __init__(
        self, title: str, fields: Mapping[str, Field], names: tuple[str, ...], *, opened: bool
    ) -> None:
        """Put the fields of these names below a button with this title."""
        self.names = names
        self._title = title
        self._problems = 0
        children = [part for name in names for part in fields[name].widgets]
        self.box = widgets.VBox(children)
        self.toggle = widgets.ToggleButton(
            value=opened, layout=widgets.Layout(width="36em", max_width="100%")
        )
        self.toggle.observe(self._show, names="value")
        self._show(None)

    def count(self, problems: int) -> None:
        """Say on the button how many of the fields cannot be used."""
        if problems != self._problems:
            self._problems = problems
            self._show(None)

    def _show(self, _change: object) -> None:
        sign = "▾" if self.toggle.value else "▸"
        bad = f" — {self._problems} to correct" if self._problems else ""
        self.toggle.description = f"{sign} {self._title}{bad}"
        self.box.layout.display = "" if self.toggle.value else "none"
