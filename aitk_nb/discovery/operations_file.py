"""The operations of a server as a file that a user can edit: written, read and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from aitk_nb._yaml import dumped as yaml_text
from aitk_nb._yaml import parsed
from aitk_nb.errors import BadInput
from aitk_nb.models import OPERATIONS, Flavour, Operation

NAMES = (*OPERATIONS, "write captions")
"""What may be mapped: captions too, although there is no program for them."""

HEAD = """\
# The calls for each operation on this server, as far as they could be found out. Correct each
# api_name, the function of the Gradio app, where it is wrong, and connect with
# gradio=aitk_nb.GradioOptions(operations="server.yaml"). The rest is for the reader:
#   calls      endpoints in the order of calls; an empty list if the server can't do it
#   arguments  our word for a value: the function's parameter, or a list of them
"""


def dumped(operations: Mapping[str, Operation], url: str, flavour: Flavour | None) -> str:
    """Return the operations as YAML with a header that says how to edit it."""
    body = {
        "url": url,
        "flavour": flavour.value if flavour else None,
        "operations": {name: _written(each) for name, each in operations.items()},
    }
    return HEAD + yaml_text(body)


def _written(operation: Operation) -> dict[str, Any]:
    written: dict[str, Any] = {"calls": list(operation.calls)}
    if operation.api_name:
        written = {"api_name": operation.api_name, **written}
    if operation.arguments:
        written["arguments"] = {
            word: value if isinstance(value, str) else list(value)
            for word, value in operation.arguments.items()
        }
    written["confidence"] = operation.confidence
    written["reasons"] = list(operation.reasons)
    return written


class _Entry(BaseModel, frozen=True):
    api_name: str | None = Field(None, pattern="[^/]")


def api_names(source: str | Path | Mapping[str, Any] | None) -> dict[str, str]:
    """Return which function of a Gradio app does what, by operation.

    Args:
        source: A file that `report.save` wrote, a mapping like it, or one of names by operation.

    Raises:
        BadInput: it cannot be read, or names no operation.
    """
    if source is None:
        return {}
    if isinstance(source, Mapping):
        body, where = source if "operations" in source else {"operations": source}, "The operations"
    else:
        body, where = _read(Path(source).expanduser()), f"{source}"
    listed = body.get("operations") if isinstance(body, Mapping) else None
    if not isinstance(listed, Mapping):
        raise BadInput(f"{where}: expected a mapping named 'operations'.")
    found = {}
    for name, raw in listed.items():
        plain = str(name).replace("_", " ").replace("-", " ").lower()
        known = next((one for one in NAMES if one.lower() == plain), None)
        if known is None:
            raise BadInput(f"{where}: unknown operation {name!r}; choose from {', '.join(NAMES)}.")
        try:
            entry = _Entry.model_validate({"api_name": raw} if isinstance(raw, str) else raw)
        except ValidationError as exc:
            error = exc.errors()[0]
            path = "".join(f"{part}: " for part in error["loc"] if isinstance(part, str))
            raise BadInput(f"{where}: {known}: {path}{error['msg']}.") from None
        if entry.api_name:
            found[known] = "/" + entry.api_name.lstrip("/")
    return found


def _read(path: Path) -> Any:
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise BadInput(f"{path} cannot be read: {why}.") from exc
