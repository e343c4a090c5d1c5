"""A notebook's parameters cell read as its signature, and values typed by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from aitk_nb._yaml import parsed
from aitk_nb.errors import BadInput
from aitk_nb.training.validation import did_you_mean, problems

_KINDS: Mapping[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list[str]": list[str],
    "list[int]": list[int],
    "list[float]": list[float],
}
"""The annotations that are checked; a value of another one is what its YAML says."""


def signature(notebook: Path) -> Mapping[str, Any]:
    """Return the parameters of a notebook by name, in their order, as papermill finds them.

    Each has an `inferred_type_name` (its annotation), a `default` and a `help` (the comment behind
    it).

    Raises:
        BadInput: there is no such notebook, or it has no cell tagged `parameters`.
    """
    # Imported late, as it takes long and only running a notebook needs it.
    from papermill.iorw import load_notebook_node
    from papermill.translators import PythonTranslator
    from papermill.utils import find_first_tagged_cell_index

    try:
        node = load_notebook_node(str(notebook))
    except FileNotFoundError:
        raise BadInput(f"No such notebook: {notebook}.") from None
    except Exception as exc:  # a broken file fails in a dozen ways
        raise BadInput(f"{notebook} cannot be read as a notebook: {exc}.") from exc
    at = find_first_tagged_cell_index(node, "parameters")
    if at < 0:
        raise BadInput(f"{notebook} takes no parameters: no cell of it is tagged 'parameters'.")
    # As `inspect_notebook` does for a notebook that names its language, which ours need not.
    return {entry.name: entry for entry in PythonTranslator.inspect(node.cells[at])}


def typed(given: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return `name=value` texts as values of the types that the parameters cell says.

    Raises:
        BadInput: a name is not known, or a value does not fit; all of them are named.
    """
    values: dict[str, Any] = {}
    wrong = []
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError("write name=value")
            if name not in known:
                hint = did_you_mean(name, known) or f"; choose from {', '.join(known)}"
                raise ValueError(f"no such parameter{hint}")
            values[name] = _value(value, known[name].inferred_type_name)
        except ValidationError as exc:
            wrong += [f"{name}: {why}" for why in problems(exc, known).values()]
        except ValueError as exc:
            wrong.append(f"{name}: {exc}")
    if wrong:
        raise BadInput("Invalid parameters. " + "; ".join(wrong) + ".")
    return values


def _value(text: str, kind: str) -> Any:
    plain: Any = text
    if kind.startswith("list") and not text.startswith("["):
        # `512,768`, which YAML takes for one text.
        plain = [part.strip() for part in text.split(",") if part.strip()]
    elif kind not in {"str", "int", "float", "bool"}:
        plain = parsed(text)
    config = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)
    return TypeAdapter(_KINDS.get(kind, Any), config=config).validate_python(plain)
