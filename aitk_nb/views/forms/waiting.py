"""Waiting in a cell for somebody to press a button of a form above it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

import ipywidgets as widgets
from IPython.display import display

from aitk_nb._display import session
from aitk_nb.errors import AitkError
from aitk_nb.views.widgets import Notice

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
