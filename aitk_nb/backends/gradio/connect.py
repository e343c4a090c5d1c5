"""`gradio`: from a connection to the backend of a Gradio app, forks of AI Toolkit's included."""

from __future__ import annotations

from collections.abc import Mapping

from aitk_nb.backends.gradio.backend import Gradio, Place
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import BadInput


def gradio(
    connection: Connection,
    api_names: Mapping[str, str] | None = None,
    results: Place = "served",
) -> Gradio:
    """Return the backend, having looked at the app as somebody without a login.

    `api_names` are the names of a fork's functions, by operation.

    Raises:
        BadInput: `results` is not understood.
        NotSupported: it is an app of Gradio 3.
    """
    if results not in {"served", "server"}:
        raise BadInput(f"results is 'served' or 'server', not {results!r}.")
    # Twice: after an error the app drops the line that it came on.
    http = GradioHttp(connection, attempts=2)
    backend = Gradio(http, api_names=api_names, results=results)
    try:
        backend.look()
    except BaseException:
        backend.close()
        raise
    return backend
