"""From what was given to an address that answers: starts the embedded server where it is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from aitk_nb.connection.connection import Connection, Credentials, Secret, hidden, resolve
from aitk_nb.errors import BadInput, MissingExtra

__all__ = ["locate"]


def locate(
    url: str | Connection = "",
    credentials: Credentials | None = None,
    headers: Mapping[str, str | Secret] | None = None,
    verify: bool | str | Path | None = None,
    *,
    any_token: bool = False,
) -> Connection:
    """Return the connection that is meant, as `settings.resolve`, with an address of http.

    The embedded server of `demo:` (or `demo:PATH`) is started at its first mention in a process
    and ends with it; so is the one of `demo:gradio` (or `demo:gradio:PATH`). `any_token` is
    handed to `resolve`.

    Raises:
        BadInput: the address is none, or the embedded server cannot start.
        MissingExtra: the Gradio flavour is meant, and Gradio is not installed.
    """
    credentials, headers = hidden(credentials, headers)
    connection = resolve(url, credentials, headers, verify, any_token=any_token)
    if not connection.is_demo:
        return connection
    from aitk_nb import demo

    try:
        server = demo.shared(connection.url)
    except demo.GradioMissing as exc:
        raise MissingExtra("gradio", exc.install) from exc
    except (demo.FolderInUse, OSError) as exc:
        raise BadInput(f"The embedded server cannot start: {exc}") from exc
    return replace(connection, url=server.url)
