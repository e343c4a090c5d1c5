"""`Field`: one control of a form with the line below it; `Looks` is what they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import ipywidgets as widgets
from ipywidgets.widgets.widget_description import DescriptionStyle
from ipywidgets.widgets.widget_string import HTMLStyle, TextStyle

from aitk_nb._display import html


class Looks:
    """Sizes and styles that the widgets of one form share, so that a form has few models."""

    indented: ClassVar[Mapping[str, str]] = {
        "width": "auto",
        "align_self": "flex-start",
        "margin": "2px",
    }
    """The layout of a button that begins where the fields do."""

    def __init__(self) -> None:
        width = {"description_width": "max-content"}
        self.text = TextStyle(**width)
        self.choice = DescriptionStyle(**width)
        # The label stands above its control, so that a column may be narrow.
        above = {"flex_flow": "column", "align_items": "stretch", "width": "auto"}
        self.control = widgets.Layout(height="auto", max_width="44em", **above)
        # A select's flexible basis is meant for its width; in a column it would be its height.
        rows = "calc(2 * var(--jp-widgets-inline-height, 28px))"
        self.select = widgets.Layout(height=rows, max_width="44em", **above)
        self.tall = widgets.Layout(height="7.5em", max_width="44em", **above)
        self.note = widgets.Layout(margin="0 2px 6px", max_width="44em")
        self.offer = widgets.Layout(width="max-content", display="none")
        self.plain = HTMLStyle()

    def close(self) -> None:
        """Free them, whether some widget used them or not."""
        for part in vars(self).values():
            part.close()

    def entry(
        self, kind: type[widgets.ValueWidget], label: str, **options: Any
    ) -> widgets.ValueWidget:
        """Return a control with its label above it."""
        is_choice = kind is widgets.Dropdown
        looks = {
            "style": self.choice if is_choice else self.text,
            "layout": self.select if is_choice else self.control,
        }
        return kind(description=label, **{**looks, **options})

    def button(self, label: str, **layout: str) -> widgets.Button:
        """Return a button that begins where the controls do."""
        indented = widgets.Layout(**{**self.indented, **layout})
        return widgets.Button(description=label, layout=indented)

    def html(self, value: str = "", *, indented: bool = True) -> widgets.HTML:
        """Return a piece of text below a control, or of the full width."""
        layout = {"layout": self.note} if indented else {}
        return widgets.HTML(value, style=self.plain, **layout)


class Field:
    """One control with a line below it: help, or what is wrong with what it holds."""

    def __init__(self, control: widgets.ValueWidget, looks: Looks, help_text: str = "") -> None:
        self.control = control
        self.start = control.value
        """What the control held at first."""
        self.note = looks.html(html.note(help_text))
        self._help = help_text
        self._allowed = control.tooltip

    @property
    def widgets(self) -> tuple[widgets.Widget, ...]:
        """The control and its line."""
        return self.control, self.note

    @property
    def is_edited(self) -> bool:
        """True when the control holds something else than at first."""
        return bool(self.control.value != self.start)

    def show(self, problem: str = "", help_text: str | None = None) -> None:
        """Show the problem, or else the help; the label's tooltip says the problem as well."""
        if help_text is not None:
            self._help = help_text
        wrong = html.status([html.message(problem, "error")])
        text = wrong if problem else html.note(self._help)
        if self.note.value != text:
            self.note.value = str(text)
            self.control.tooltip = problem or self._allowed
