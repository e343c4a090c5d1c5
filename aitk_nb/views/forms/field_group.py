"""`Group`: a part of a form below a button that shows and hides it."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets


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
