"""What tests of forms share: a front-end's messages, and kernels that execute real notebooks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comm
import nbformat
import pytest
from comm.base_comm import BaseComm
from nbclient import NotebookClient


class RecordingComm(BaseComm):
    """A comm without a front-end, which keeps what the kernel would send to it."""

    sent: list[dict[str, Any]] = []  # noqa: RUF012 - one wire for all

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        """Keep the message."""
        type(self).sent.append({"type": msg_type, "comm": self.comm_id, "data": data})


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """All messages that the kernel sends to front-ends from now on."""
    sent: list[dict[str, Any]] = []

    class Wire(RecordingComm):
        pass

    Wire.sent = sent
    monkeypatch.setattr(comm, "create_comm", lambda **options: Wire(**options))
    return sent


def send(widget: Any, **state: Any) -> None:
    """Do as a front-end does when somebody edits `widget`."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})


def click(button: Any) -> None:
    """Do as a front-end does when somebody clicks `button`."""
    data = {"method": "custom", "content": {"event": "click"}}
    button.comm.handle_msg({"content": {"data": data}, "buffers": []})


def instances() -> set[str]:
    """Return the ids of all widgets that are open, their layouts and styles too."""
    from ipywidgets.widgets import widget

    return set(widget._instances)


@pytest.fixture
def execute(tmp_path: Path) -> Callable[..., Any]:
    """Executes cells as a real notebook, and returns it as it is stored."""

    def run(*cells: str, **options: Any) -> Any:
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        client = NotebookClient(
            book,
            timeout=60,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
            **options,
        )
        return client.execute()

    return run


def stored(book: Any) -> str:
    """Return all bytes of a notebook as text."""
    return json.dumps(book, default=str)
