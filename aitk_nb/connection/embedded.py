"""The embedded server of `demo:`, started when an address asks for it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Unpack

from aitk_nb.connection.connection import (
    DEMO,
    Connection,
    ConnectionOptions,
    clean_url,
    hidden,
    resolve,
)
from aitk_nb.errors import BadInput, MissingExtra


def locate(
    url: str | Connection = "", *, any_token: bool = False, **options: Unpack[ConnectionOptions]
) -> Connection:
    """Return the connection as `resolve` does, always with an http address.

    The first use of `demo:`, `demo:PATH`, `demo:gradio` or `demo:gradio:PATH` in a process starts
    the embedded server, which ends with the process.

    Raises:
        BadInput: The address is invalid, or the embedded server can't start.
        MissingExtra: The Gradio flavour was asked for, and Gradio is not installed.
    """
    given = hidden(options)
    connection = resolve(url, any_token=any_token, **given)
    if not connection.is_demo:
        return connection
    # Imported late: only `demo:` needs it, and it takes as long to import as all the rest.
    from aitk_nb import demo

    with explained_start():
        server = demo.shared(connection.url)
    return replace(connection, url=server.url)


def runpod_api(address: str) -> str:
    """Return the address of RunPod's API; for `demo:` that of the imitation in this process.

    Raises:
        BadInput: The address is invalid, or the imitation can't start.
    """
    if not address.startswith(DEMO):
        return clean_url(address)
    from aitk_nb import demo

    with explained_start():
        return demo.shared_runpod().url


@contextmanager
def explained_start() -> Iterator[None]:
    """Say why an embedded server that the block starts can't start, and what to install."""
    from aitk_nb import demo

    try:
        yield
    except demo.GradioMissing as exc:
        raise MissingExtra("gradio", exc.install) from exc
    except (demo.FolderInUse, OSError, sqlite3.Error) as exc:
        raise BadInput(f"The embedded server cannot start: {exc}") from exc
