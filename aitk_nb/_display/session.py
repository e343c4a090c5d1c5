"""What asked for the running cell: a page with somebody before it, or a program."""

import os
import sys
from collections.abc import Mapping
from typing import Any


def shell() -> Any:
    """Return the running IPython shell; None without one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def request() -> Mapping[str, Any]:
    """Return the message that asked for the running cell; empty outside one, as in a callback."""
    parent: dict[str, Any] = getattr(shell(), "get_parent", dict)() or {}
    is_cell = parent.get("header", {}).get("msg_type") == "execute_request"
    return parent if is_cell else {}


def request_id() -> str:
    """Return what names this run of the running cell; empty outside one."""
    return str(request().get("header", {}).get("msg_id", ""))


def is_attended() -> bool:
    """Return whether somebody who could answer has run the cell.

    Pages allow a cell to ask for input; nbclient, papermill and nbval don't.
    """
    return bool(request().get("content", {}).get("allow_stdin"))


def is_voila() -> bool:
    """Return whether Voilà runs the cell: by nbclient, and yet for somebody before a page."""
    return bool(request()) and os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")
