"""The operations of a server as a file that a user can edit: written, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aitk_nb._yaml import dumped as yaml_text
from aitk_nb._yaml import parsed
from aitk_nb.backends.gradio.vocabulary import TRAINING_WORDS
from aitk_nb.errors import BadInput
from aitk_nb.models.endpoint import OPERATIONS, Operation
from aitk_nb.models.server import Flavour

__all__ = ["api_names", "dumped", "load"]

NAMES = (*OPERATIONS, "write captions")
"""What may be mapped: captions too, although there is no program for them."""

WORDS = frozenset({"files", "captions", *TRAINING_WORDS})
"""Our words for values, which `arguments` maps to an app's parameters."""

KEYS = frozenset({"api_name", "calls", "arguments", "confidence", "reasons"})

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
        except ValueError as exc:
            raise BadInput(f"{where}: {known}: {exc}.") from None
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
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    except ValueError as exc:
        raise BadInput(f"{path} cannot be read: {exc}.") from exc


def _name(text: object) -> str | None:
    plain = str(text).replace("_", " ").replace("-", " ").lower()
    return next((name for name in NAMES if name.lower() == plain), None)


def _operation(name: str, raw: Any) -> Operation:
    if isinstance(raw, str):
        raw = {"api_name": raw}
    if not isinstance(raw, Mapping):
        raise ValueError("expected a mapping with 'api_name' or 'calls'")
    if unknown := sorted(map(str, set(raw) - KEYS)):
        raise ValueError(f"unknown key {', '.join(unknown)}; choose from {', '.join(sorted(KEYS))}")
    api_name = raw.get("api_name")
    if api_name is not None:
        if not isinstance(api_name, str) or not api_name.strip("/"):
            raise ValueError("'api_name' must be a text such as /start_training")
        api_name = "/" + api_name.lstrip("/")
    calls = raw.get("calls", [api_name] if api_name else None)
    if calls is None:
        raise ValueError("'api_name' or 'calls' is required")
    return Operation(
        name,
        calls=_texts("calls", calls),
        api_name=api_name,
        arguments=_arguments(raw.get("arguments", {})),
        confidence=_confidence(raw.get("confidence", 1.0)),
        reasons=_texts("reasons", raw.get("reasons", ["given by hand"])),
    )


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"'{key}' must be a list of texts")
    return tuple(value)


def _arguments(value: Any) -> dict[str, str | tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ValueError("'arguments' must map our words to the function's parameters")
    if unknown := sorted(map(str, set(value) - WORDS)):
        raise ValueError(
            f"unknown word {', '.join(unknown)}; choose from {', '.join(sorted(WORDS))}"
        )
    return {
        word: item if isinstance(item, str) else _texts(f"arguments: {word}", item)
        for word, item in value.items()
    }


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("'confidence' must be a number from 0 to 1")
    return float(value)
