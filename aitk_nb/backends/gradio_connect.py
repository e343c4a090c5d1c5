"""`gradio`: from a connection to the backend of a Gradio app, forks of AI Toolkit's included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aitk_nb.backends.gradio import Gradio, Place
from aitk_nb.backends.gradio_app import CAPTION, CREATE, TRAIN
from aitk_nb.backends.gradio_login import GradioHttp
from aitk_nb.errors import BadInput
from aitk_nb.safe_yaml import parsed
from aitk_nb.settings import Connection

__all__ = ["api_names", "gradio"]

_OPERATIONS: Final = (CREATE, TRAIN, CAPTION)


def gradio(
    connection: Connection,
    operations: str | Path | Mapping[str, object] | None = None,
    results: Place = "served",
) -> Gradio:
    """Return the backend, having looked at the app as somebody without a login.

    Raises:
        BadInput: `operations` or `results` are not understood.
        NotSupported: it is an app of Gradio 3.
    """
    if results not in {"served", "server"}:
        raise BadInput(f"results is 'served' or 'server', not {results!r}.")
    # Twice: after an error the app drops the line that it came on.
    http = GradioHttp(connection, attempts=2)
    backend = Gradio(http, api_names=api_names(operations), results=results)
    try:
        backend.look()
    except BaseException:
        backend.close()
        raise
    return backend


def api_names(operations: str | Path | Mapping[str, object] | None) -> dict[str, str]:
    """Return the app's names by our operations, from a mapping or a YAML file.

    Raises:
        BadInput: the file cannot be read, or is no such mapping.
    """
    if operations is None:
        return {}
    if isinstance(operations, str | Path):
        operations = _read(Path(operations).expanduser())
    names = {}
    for key, entry in operations.items():
        name = entry.get("api_name") if isinstance(entry, Mapping) else entry
        operation = str(key).replace("_", " ")
        if operation in _OPERATIONS and name:
            if not isinstance(name, str):
                raise BadInput(f"The operation {key!r} needs the name of a function, not {name!r}.")
            names[operation] = "/" + name.lstrip("/")
    return names


def _read(path: Path) -> Mapping[str, object]:
    try:
        body = parsed(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise BadInput(f"The operations in {path} cannot be read: {exc}") from exc
    found = body.get("operations") if isinstance(body, Mapping) else None
    if not isinstance(found, Mapping):
        raise BadInput(f"{path} has no mapping below 'operations'.")
    return found
