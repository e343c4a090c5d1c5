"""`Field`: one control with the line below it; `Looks`; and `Group`, a part that can be hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import ipywidgets as widgets
from ipywidgets.widgets.widget_description import DescriptionStyle
from ipywidgets.widgets.widget_string import HTMLStyle, TextStyle
from traitlets import Unicode

from aitk_nb._display import html
from aitk_nb._units import plural
from aitk_nb.training.export import FORMATS
from aitk_nb.training.params import TrainingParams


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


class TokenField(widgets.Password):  # type: ignore[misc]  # ipywidgets publishes no types
    """A password field whose content the kernel never sends back."""

    value = Unicode("").tag(sync=True, echo_update=False)


_LINE = "1px solid var(--jp-border-color2, rgba(127, 127, 127, .4))"


def columns(cells: Sequence[widgets.Widget]) -> widgets.Box:
    """Return the cells in two columns where they find 900 pixels, and in one elsewhere."""
    # By the width of the output, which a media query does not know. 40 % keep it from three.
    least = "minmax(min(100%, max(430px, 40%)), 1fr)"
    layout = widgets.Layout(
        display="grid",
        grid_template_columns=f"repeat(auto-fit, {least})",
        grid_gap="4px 24px",
        max_width="92em",
        overflow="visible",
    )
    return widgets.Box(cells, layout=layout)


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
        self.is_open = False
        self.toggle = widgets.Button(
            layout=widgets.Layout(width="max-content", padding="0 6px 0 0"),
            style={"button_color": "transparent", "font_weight": "600"},
        )
        self.box = columns(children)
        self.widget = widgets.VBox(
            [self.toggle, self.box], layout=widgets.Layout(border_top=_LINE, max_width="92em")
        )
        self.toggle.on_click(self._on_click)
        self._refresh()

    def count(self, problems: int) -> None:
        """Show on the button how many of the fields are invalid."""
        if problems != self._problems:
            self._problems = problems
            self._refresh()

    def close(self) -> None:
        """Let go of the form; its widgets are closed with the others."""
        self.toggle.on_click(self._on_click, remove=True)

    def _on_click(self, _button: object) -> None:
        self.is_open = not self.is_open
        self._refresh()

    def _refresh(self) -> None:
        sign = "▾" if self.is_open else "▸"
        bad = f" — {plural(self._problems, 'error')}" if self._problems else ""
        self.toggle.description = f"{sign} {self._title}{bad}"
        self.box.layout.display = "grid" if self.is_open else "none"


class RequestPanel(Group):
    """A choice of the format, and the parameters in it, which follow the form."""

    def __init__(self, looks: Looks) -> None:
        self._params: TrainingParams | None = None
        self._format = looks.entry(widgets.Dropdown, "Show as", options=list(FORMATS))
        self._text = looks.html(indented=False)
        super().__init__("Request", [self._format, self._text])
        # Code takes both columns.
        self.box.layout.grid_template_columns = "100%"
        self._format.observe(self._on_format, names="value")

    def show(self, params: TrainingParams | None) -> None:
        """Show these parameters from now on; None while the form is invalid."""
        self._params = params
        self._refresh()

    def close(self) -> None:
        """Let go of the form; its widgets are closed with the others."""
        self._format.unobserve_all("value")
        super().close()

    def _on_format(self, _change: object) -> None:
        self._refresh()

    def _refresh(self) -> None:
        super()._refresh()
        # Nobody looks at a closed panel, and each edit would send it all to the page.
        text = self._shown() if self.is_open else ""
        if self._text.value != text:
            self._text.value = str(text)

    def _shown(self) -> str:
        if self._params is None:
            return html.note("Shown once all fields are valid.")
        return html.code(FORMATS[str(self._format.value)](self._params))
