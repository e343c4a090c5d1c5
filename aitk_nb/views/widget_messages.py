"""Edits of widgets while a cell waits: told to the page as taken, so that it sends the next."""

from __future__ import annotations

from typing import Any

from aitk_nb._display import session


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
