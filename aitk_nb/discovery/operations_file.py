"""The operations of a server as a file that a user can edit: written, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from aitk_nb._yaml import dumped as yaml_text
from aitk_nb._yaml import parsed
from aitk_nb.backends.gradio.vocabulary import TRAINING_WORDS
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS, Operation
from aitk_nb.models.server import Flavour

NAMES = (*OPERATIONS, "write captions")
"""What may be mapped: captions too, although there is no program for them."""

WORDS = frozenset({"files", "captions", *TRAINING_WORDS})
"""Our words for values, which `arguments` maps to an app's parameters."""

HEAD = """\
# The calls for each operation on this server, as far as they could be found out.
# Correct what is wrong, and connect with gradio=aitk_nb.GradioOptions(operations="{name}").
#   api_name   the function of the Gradio app
#   calls      endpoints in the order of calls; an empty list if the server can't do it
#   arguments  our word for a value: the function's parameter, or a list of them
# Words: {words}.
"""


def dumped(operations: Mapping[str, Operation], url: str, flavour: Flavour | None) -> str:
    """Return the operations as YAML with a header that says how to edit it."""
    body = {
        "url": url,
        "flavour": flavour.value if flavour else None,
        "operations": {name: _written(each) for name, each in operations.items()},
    }
    return HEAD.format(name="server.yaml", words=", ".join(sorted(WORDS))) + yaml_text(body)


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


def load(source: str | Path | Mapping[str, Any]) -> dict[str, Operation]:
    """Return the operations of a file that `report.save` wrote, or of a mapping like it.

    Raises:
        BadInput: The file can't be read, or something in it is invalid.
    """
    body = source if isinstance(source, Mapping) else _read(Path(source).expanduser())
    where = "The operations" if isinstance(source, Mapping) else f"{source}"
    listed = body.get("operations") if isinstance(body, Mapping) else None
    if not isinstance(listed, Mapping):
        raise BadInput(f"{where}: expected a mapping named 'operations'.")
    found = {}
    for name, raw in listed.items():
        known = _name(name)
        if known is None:
            words = ", ".join(NAMES)
            raise BadInput(f"{where}: unknown operation {name!r}; choose from {words}.")
        try:
            found[known] = _operation(known, raw)
        except ValidationError as exc:
            error = exc.errors()[0]
            path = "".join(f"{part}: " for part in error["loc"] if isinstance(part, str))
            raise BadInput(f"{where}: {known}: {path}{error['msg']}.") from None
    return found


def api_names(source: str | Path | Mapping[str, Any] | None) -> dict[str, str]:
    """Return the functions of a Gradio app by our operations.

    `source` is what `load` takes, or a short mapping such as `{"start training": "/train"}`.

    Raises:
        BadInput: as `load`.
    """
    if source is None:
        return {}
    if isinstance(source, Mapping) and "operations" not in source:
        source = {"operations": source}
    found = load(source)
    return {name: each.api_name for name, each in found.items() if each.api_name}


def _read(path: Path) -> Any:
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise BadInput(f"{path} cannot be read: {why}.") from exc


def _name(text: object) -> str | None:
    plain = str(text).replace("_", " ").replace("-", " ").lower()
    return next((name for name in NAMES if name.lower() == plain), None)


class _Entry(BaseModel, extra="forbid", frozen=True):
    """What the file says of one operation."""

    api_name: str | None = Field(None, pattern="[^/]")
    calls: tuple[str, ...] | None = None
    arguments: dict[str, str | tuple[str, ...]] = {}
    confidence: float = Field(1.0, ge=0, le=1)
    reasons: tuple[str, ...] = ("given by hand",)

    @field_validator("arguments")
    @classmethod
    def _known(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(set(arguments) - WORDS):
            words = ", ".join(sorted(WORDS))
            raise PydanticCustomError("word", f"unknown {', '.join(unknown)}; choose from {words}")
        return arguments

    @model_validator(mode="after")
    def _calls_something(self) -> Self:
        if self.api_name is None and self.calls is None:
            raise PydanticCustomError("calls", "'api_name' or 'calls' is required")
        return self


def _operation(name: str, raw: Any) -> Operation:
    entry = _Entry.model_validate({"api_name": raw} if isinstance(raw, str) else raw)
    api_name = entry.api_name and "/" + entry.api_name.lstrip("/")
    calls = ((api_name,) if api_name else ()) if entry.calls is None else entry.calls
    fields = {**entry.model_dump(), "api_name": api_name, "calls": calls}
    return Operation(name, **fields)
