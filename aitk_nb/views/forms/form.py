"""`Form`: a view of one value, which says what is wrong while the value is invalid."""

from __future__ import annotations

import abc
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, cast

import ipywidgets as widgets
from IPython.core.getipython import get_ipython
from ipywidgets.widgets.widget_description import DescriptionStyle
from ipywidgets.widgets.widget_string import HTMLStyle, TextStyle

from aitk_nb import _html
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.views.widgets import ClosedOptions, close_all, view_of


class RunningCell(NamedTuple):
    """The cell that is being executed, and this execution of it."""

    cell: str
    run: str


def running_cell() -> RunningCell | None:
    """Return the cell that runs now; None outside a notebook, and in a widget's callback."""
    shell = get_ipython()
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)() or {}
    header = parent.get("header", {})
    if header.get("msg_type") != "execute_request":
        return None
    # JupyterLab and VS Code name the cell; elsewhere its text has to do.
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
    return RunningCell(str(cell), str(header.get("msg_id", "")))


class _Place:
    def __init__(self) -> None:
        self.run = ""
        self.before: list[weakref.ref[object]] = []
        self.now: list[weakref.ref[object]] = []


class Places:
    """The living things that each cell made in its last run, in their order."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, type], _Place] = {}

    def take(self, thing: object, cell: RunningCell | None) -> object | None:
        """Return what the last run of `cell` made in place of `thing`, and keep `thing` there."""
        if cell is None:
            return None
        place = self._places.setdefault((cell.cell, type(thing)), _Place())
        if place.run != cell.run:
            place.run, place.before, place.now = cell.run, place.now, []
        position = len(place.now)
        place.now.append(weakref.ref(thing))
        return place.before[position]() if position < len(place.before) else None


Value = TypeVar("Value")
_PLACES = Places()


class Looks:
    """Sizes and styles that the widgets of one form share, so that a form has few models."""

    indented: ClassVar[Mapping[str, str]] = {
        "width": "auto",
        "align_self": "flex-start",
        "margin": "2px 0 2px 12.5em",
    }
    """The layout of a button that begins where the fields do."""

    def __init__(self) -> None:
        width = {"description_width": "12em"}
        self.text = TextStyle(**width)
        self.choice = DescriptionStyle(**width)
        self.control = widgets.Layout(width="36em", max_width="100%")
        self.tall = widgets.Layout(width="36em", max_width="100%", height="5.5em")
        self.note = widgets.Layout(margin="0 0 0 12.5em", max_width="44em")
        self.offer = widgets.Layout(margin="0 0 0 12.5em", width="max-content", display="none")
        self.plain = HTMLStyle()

    def close(self) -> None:
        """Free them, whether some widget used them or not."""
        for part in vars(self).values():
            part.close()

    def entry(
        self, kind: type[widgets.ValueWidget], label: str, **options: Any
    ) -> widgets.ValueWidget:
        """Return a control with a label before it."""
        style = self.choice if kind is widgets.Dropdown else self.text
        return kind(description=label, **{"style": style, "layout": self.control, **options})

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
        self.note = looks.html(_html.note(help_text))
        self._help = help_text

    @property
    def widgets(self) -> tuple[widgets.Widget, ...]:
        """The control and its line."""
        return self.control, self.note

    @property
    def is_edited(self) -> bool:
        """True when the control holds something else than at first."""
        return bool(self.control.value != self.start)

    def show(self, problem: str = "", help_text: str | None = None) -> None:
        """Show the problem, or else the help."""
        if help_text is not None:
            self._help = help_text
        text = _html.message(problem, "error") if problem else _html.note(self._help)
        if self.note.value != text:
            self.note.value = str(text)


class Form(ClosedOptions, abc.ABC, Generic[Value]):
    """A view of one value: show it, edit it, and read `.value` in the next cell.

    A form sends nothing to a server. Running its cell again resets it, and says so when that
    undid any edits.
    """

    widget: widgets.VBox
    """All of the form as one widget, to put into others."""

    def _build(
        self, fields: Mapping[str, Field], body: Sequence[widgets.Widget], looks: Looks
    ) -> None:
        """Put the form together; the last thing that a subclass's constructor does."""
        self._fields = dict(fields)
        self._looks = looks
        self._status = looks.html(indented=False)
        self.widget = widgets.VBox([*body, self._status])
        self._remark = self._reset_remark()
        for field in self._fields.values():
            field.control.observe(self._on_edit, names="value")

    @property
    def value(self) -> Value:
        """The value of the form at this moment.

        Raises:
            BadInput: A field is invalid; an earlier value is never returned instead.
        """
        return self._read()

    @property
    def edited(self) -> tuple[str, ...]:
        """The fields that were edited since the form was created."""
        return tuple(name for name, field in self._fields.items() if field.is_edited)

    def close(self) -> None:
        """Remove the form from the page and free its widgets; `.value` can still be read."""
        for field in self._fields.values():
            field.control.unobserve_all("value")
        close_all(self.widget)
        self._looks.close()

    @abc.abstractmethod
    def _read(self) -> Value:
        """Return the value, or raise `BadInput`."""

    @abc.abstractmethod
    def _rows(self) -> Iterable[tuple[object, object]]:
        """Return names and values for the static table; neither secrets nor what cannot repeat."""

    def _hints(self) -> Mapping[str, str]:
        """Return help texts that depend on what the form holds."""
        return {}

    def _on_edit(self, _change: object) -> None:
        self._remark = ""
        self._refresh()

    def _problems(self) -> Mapping[str, str]:
        """Return what is wrong by field; under an empty name what is about no single one."""
        try:
            self._read()
        except InvalidParams as exc:
            return exc.problems
        except BadInput as exc:
            return {"": str(exc)}
        return {}

    def _refresh(self) -> None:
        """Show what is wrong beside the fields, and all of it below the form."""
        problems, hints = self._problems(), self._hints()
        for name, field in self._fields.items():
            field.show(problems.get(name, ""), hints.get(name))
        self._show_status(problems)

    def _show_status(self, problems: Mapping[str, str], also: Iterable[object] = ()) -> None:
        lines: list[object] = [_html.message(self._remark, "info")] if self._remark else []
        for name, why in problems.items():
            field = self._fields.get(name)
            text = f"{field.control.description}: {why}" if field else why
            lines.append(_html.message(text, "error"))
        text = str(_html.status([*lines, *also]))
        if self._status.value != text:
            self._status.value = text

    def _reset_remark(self) -> str:
        """Take the place of the form that this cell made before, and say what that loses."""
        before = cast("Form[Value] | None", _PLACES.take(self, running_cell()))
        if before is None:
            return ""
        edited = ", ".join(before.edited)
        before.close()
        return f"Running the cell again has reset your edits of: {edited}." if edited else ""

    # -- how it shows itself -------------------------------------------------------------------

    def _repr_html_(self) -> str:
        # A saved page keeps this while the form goes on: what it shows has to say so.
        table = _html.definition(self._rows(), f"{type(self).__name__}, as it was when shown")
        problems = [_html.message(why, "error") for why in self._problems().values()]
        return _html.join([table, *problems])

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        """Return the widget, and for pages without widgets the values as a table."""
        return {"text/plain": repr(self), "text/html": self._repr_html_(), **view_of(self.widget)}
