"""`Form`: a view of one value, which says what is wrong with it, and keeps edits over runs."""

from __future__ import annotations

import abc
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from textwrap import shorten
from typing import Any, Generic, NamedTuple, TypeVar, cast

import ipywidgets as widgets
from IPython.display import display
from traitlets import TraitError

from aitk_nb._display import html, session
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.views.forms.field_group import Field, Looks
from aitk_nb.views.widgets import WIDGET_VIEW, ClosedOptions, answer, close_all, view_of


class RunningCell(NamedTuple):
    """The cell that is being executed, and this execution of it."""

    cell: str
    run: str


def running_cell() -> RunningCell | None:
    """Return the cell that runs now; None outside a notebook, and in a widget's callback."""
    asked = session.request()
    if not asked:
        return None
    # JupyterLab and VS Code name the cell; elsewhere its text has to do.
    cell = asked.get("metadata", {}).get("cellId") or asked.get("content", {}).get("code", "")
    return RunningCell(str(cell), session.request_id())


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


class KeptEdits:
    """A line above a form whose cell has run again, with a button for each way on."""

    def __init__(
        self, edited: Sequence[str], changes: Sequence[str], drop: Callable[[], None]
    ) -> None:
        """Say which fields keep their edits, and what has changed of the form's start.

        Args:
            edited: The fields that were edited.
            changes: For each field that now starts with something else, what it was and is.
            drop: Sets all fields to their start.
        """
        said = [html.message(f"Your edits are kept: {', '.join(edited)}.")]
        if changes:
            said.append(html.message(f"The cell now starts with {'; '.join(changes)}.", "warning"))
        self._drop = drop
        keep = widgets.Button(description="Keep my edits")
        other = widgets.Button(description="Take the new start" if changes else "Drop my edits")
        text, buttons = widgets.HTML(html.status(said)), [keep, other] if changes else [other]
        row = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap=".3em 1em")
        self.widget = widgets.HBox([text, widgets.HBox(buttons)], layout=row)
        keep.on_click(self._on_keep)
        other.on_click(self._on_drop)

    def _on_keep(self, _button: object) -> None:
        self.widget.layout.display = "none"

    def _on_drop(self, button: object) -> None:
        self._drop()
        self._on_keep(button)


Value = TypeVar("Value")
_PLACES = Places()


class Form(ClosedOptions, abc.ABC, Generic[Value]):
    """A view of one value: show it, edit it, and read `.value` in the next cell.

    A form sends nothing to a server. Running its cell again keeps its edits, and offers to drop
    them. When another cell reads the value, the form is replaced by a table of it: that is what a
    saved notebook shows, and running the form's cell again brings the form back.
    """

    widget: widgets.VBox
    """All of the form as one widget, to put into others."""
    _stays = False
    """True while the form goes on to be edited after its value was read."""
    _display: Any = None
    _shown_by = ""

    def _build(
        self,
        fields: Mapping[str, Field],
        body: Sequence[widgets.Widget],
        looks: Looks,
        below: Sequence[widgets.Widget] = (),
    ) -> None:
        """Put the form together, with `below` under the status; a constructor does it last."""
        self._fields = dict(fields)
        self._looks = looks
        self._status = looks.html(indented=False)
        kept = self._keep_edits()
        self.widget = widgets.VBox([*kept, *body, self._status, *below])
        self.widget.add_class("aitk-form")
        for field in self._fields.values():
            field.control.observe(self._on_edit, names="value")

    @property
    def value(self) -> Value:
        """The value of the form at this moment.

        Raises:
            BadInput: A field is invalid; an earlier value is never returned instead.
        """
        value = self._read()
        self._show_as_used()
        return value

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
        lines: list[object] = []
        for name, why in problems.items():
            field = self._fields.get(name)
            text = f"{field.control.description}: {why}" if field else why
            lines.append(html.message(text, "error"))
        text = str(html.join([html.form_style(), html.status([*lines, *also])]))
        if self._status.value != text:
            self._status.value = text

    # -- when its cell runs again --------------------------------------------------------------

    def _keep_edits(self) -> list[widgets.Widget]:
        """Take over the edits of the form that this cell made before; return what says so."""
        before = cast("Form[Value] | None", _PLACES.take(self, running_cell()))
        if before is None:
            return []
        self._take_over(before)
        before.close()
        edited = [self._label(name) for name in before.edited]
        changes = [
            f"{self._label(name)} {_short(field.start)} (before: {_short(old.start)})"
            for name, field in self._fields.items()
            if field.start != (old := before._fields[name]).start
        ]
        return [KeptEdits(edited, changes, self._drop_edits).widget] if edited else []

    def _take_over(self, before: Any) -> None:
        """Set the fields that were edited in the form before, and keep what it knew."""
        self._set({name: before._fields[name].control.value for name in before.edited})

    def _drop_edits(self) -> None:
        """Set every field to what the form's cell starts it with."""
        self._set({name: field.start for name, field in self._fields.items()})

    def _set(self, values: Mapping[str, object]) -> None:
        # Twice, as some fields bring values for others.
        for name, value in (*values.items(), *values.items()):
            with suppress(TraitError):  # a choice that is not offered anymore
                self._fields[name].control.value = value

    def _label(self, name: str) -> str:
        return str(self._fields[name].control.description)

    # -- how it shows itself -------------------------------------------------------------------

    def _repr_html_(self) -> str:
        name = type(self).__name__.removesuffix("Form")
        table = html.definition(self._rows(), f"{name} form")
        problems = [html.message(why, "error") for why in self._problems().values()]
        return html.join([table, *problems, html.note("To edit it, run its cell again.")])

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        """Return the widget, and for pages without widgets the values as a table."""
        return {"text/plain": repr(self), "text/html": self._repr_html_(), **view_of(self.widget)}

    def _ipython_display_(self) -> None:
        answer()
        if session.is_voila():
            # From now on the page tells how often it shows it.
            self.widget._view_count = 0  # noqa: SLF001
        self._shown_by = session.request_id()
        self._display = display(self._repr_mimebundle_(), raw=True, display_id=True)

    def _show_as_used(self) -> None:
        """Show the table of the value in place of the form, once another cell has used it."""
        if self._display is None or session.request_id() in {"", self._shown_by}:
            return
        bundle = self._repr_mimebundle_()
        if not self._stays:
            # A page without the kernel would show an error in place of the form.
            bundle.pop(WIDGET_VIEW, None)
        self._display.update(bundle, raw=True)


def _short(value: object) -> str:
    return shorten(str(value), 40, placeholder=" …") or "nothing"
