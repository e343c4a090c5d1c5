"""What all views share about widgets: showing, closing, and waiting for somebody to press one."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar

import ipywidgets as widgets
from IPython.display import display

from aitk_nb._display import html, session
from aitk_nb.errors import AitkError, NotSupported
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


def answer() -> None:
    """Tell pages from now on that an edit has been taken, also while a cell runs.

    ipykernel says nothing when it handles a widget's message while a cell awaits (7.4,
    `Kernel.shell_main`), and until it does, a page keeps back all later edits of that field.
    """
    shell = session.shell()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None and not isinstance(kernel.shell_handlers["comm_msg"], _Answering):
        kernel.shell_handlers["comm_msg"] = _Answering(shell, kernel)


class _Answering:
    def __init__(self, shell: Any, kernel: Any) -> None:
        self._kernel = kernel
        self._handle = kernel.shell_handlers["comm_msg"]
        self._cell: Any = None
        self._begin()
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def __call__(self, stream: Any, ident: Any, message: Any) -> Any:
        result = self._handle(stream, ident, message)
        if self._cell is not None:
            self._say("idle", message)
            # Who looks at the kernel as a whole must not take it for idle.
            self._say("busy", self._cell)
        return result

    def _say(self, state: str, parent: Any) -> None:
        socket, session = self._kernel.iopub_socket, self._kernel.session
        session.send(socket, "status", {"execution_state": state}, parent, ident=b"status")

    def _begin(self, *_info: object) -> None:
        self._cell = self._kernel.get_parent("shell")

    def _end(self, *_result: object) -> None:
        self._cell = None


_EVERY = 0.2
_PAGE = 30.0
"""Seconds within which a page of Voilà shows a form, if it shows anything before the end."""


class WaitingStopped(asyncio.CancelledError):
    """The cell was interrupted while it waited for a button; nothing has happened.

    Example:
        >>> print(aitk_nb.views.WaitingStopped())
        Stopped waiting; nothing was done. Run the cell again to continue.
    """

    def __init__(self) -> None:
        super().__init__("Stopped waiting; nothing was done. Run the cell again to continue.")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def can_wait() -> bool:
    """Return whether somebody is there who can press a button while the cell waits."""
    return session.is_attended() or session.is_voila()


async def wait_for(
    is_done: Callable[[], bool],
    form: widgets.Widget,
    button: str,
    why: str,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return when the button of a form has done what the cell waits for.

    Args:
        is_done: Returns whether it has.
        form: The widget that shows the button.
        button: What the button says.
        why: A sentence to show meanwhile.
        clock: Time in seconds.

    Raises:
        AitkError: The button can't be pressed while a cell runs.
        WaitingStopped: The cell was interrupted.
    """
    kernel = sys.modules.get("ipykernel")
    if kernel is not None and kernel.version_info < (7,):  # it handles clicks between cells only
        raise AitkError(f"{why} Press {button} in the form above, then run this cell again.")
    line = display(Notice(why), display_id=True)
    until = clock() + _PAGE
    try:
        while not is_done():
            # Voilà may send the page only after the last cell.
            if session.is_voila() and not form._view_count and clock() > until:  # noqa: SLF001
                raise AitkError(
                    f"Nobody can press {button}: this page is shown only after the last cell. "
                    "Start Voilà with --progressive_rendering=True, which shows it at once."
                )
            await asyncio.sleep(_EVERY)
    except asyncio.CancelledError:
        raise WaitingStopped from None
    finally:
        line.update({"text/plain": "", "text/html": ""}, raw=True)
