"""What all views share about widgets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb.errors import NotSupported
from aitk_nb.training.validation import did_you_mean

T = TypeVar("T")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Notice:
    """A sentence that a notebook shows."""

    def __init__(self, text: str, kind: html.Kind = "info") -> None:
        """Show a sentence.

        Args:
            text: The sentence.
            kind: Its sign: `ok`, `info`, `warning` or `error`.
        """
        self._text = text
        self._kind = kind

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return html.message(self._text, self._kind)


def if_supported(call: Callable[[], T]) -> T | Notice:
    """Return the result of `call`, or a notice if the server does not support it.

    Use it in the last line of a cell, so that a notebook runs to its end on any server.

    Example:
        >>> aitk_nb.views.if_supported(lambda: client.datasets.describe([photos / "grace_01.jpg"]))
        A web UI server cannot ...
    """
    try:
        return call()
    except NotSupported as exc:
        return Notice(str(exc))


class ClosedOptions:
    """Refuses keyword arguments that its class does not have, and names the nearest one."""

    def __new__(cls, *_given: object, **options: object) -> Self:
        """Refuse options that `__init__` does not take."""
        known = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
        for name in options:
            if name not in known:
                hint = did_you_mean(name, known) or f"; it has {', '.join(known)}"
                raise TypeError(f"{cls.__name__} has no argument {name!r}{hint}")
        return super().__new__(cls)


def view_of(widget: widgets.Widget) -> dict[str, Any]:
    """Return the entry of a display bundle that shows `widget`; empty once it is closed."""
    if widget.comm is None:
        return {}
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {WIDGET_VIEW: view}


def close_all(widget: widgets.Widget) -> None:
    """Close `widget`, everything in it, and their layouts and styles."""
    for part in list(_parts(widget)):
        part.close()


def _parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    yield widget
    for name in ("layout", "style"):
        if (part := getattr(widget, name, None)) is not None:
            yield part
    for child in getattr(widget, "children", ()):
        yield from _parts(child)
