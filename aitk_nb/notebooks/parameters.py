"""A notebook's parameters cell read as its signature, and values typed by it."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from aitk_nb._yaml import parsed
from aitk_nb.errors import BadInput
from aitk_nb.training.validation import did_you_mean, items, problems

_TYPES: Mapping[str, Any] = {
    "path": str,
    **{kind.__name__: kind for kind in (str, int, float, bool, dict)},
}
"""The annotations that are checked; a value of another one is what its YAML says."""


def signature(notebook: Path) -> Mapping[str, Any]:
    """Return the parameters of a notebook by name, in their order.

    Each has an `inferred_type_name` (its annotation), a `default` and a `help` (the comment behind
    it).

    Raises:
        BadInput: there is no such notebook, or it has no cell tagged `parameters`.
    """
    # Imported late, as it takes long and only running a notebook needs it.
    from papermill.iorw import load_notebook_node
    from papermill.models import Parameter
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
    try:
        found = list(_assigned(node.cells[at].source))
    except (SyntaxError, ValueError, RecursionError):  # as a cell with magics, a line at a time
        found = [tuple(entry) for entry in PythonTranslator.inspect(node.cells[at])]
    return {entry[0]: Parameter(*entry) for entry in found}


def _assigned(source: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, annotation, default and help of each value that a cell assigns.

    Papermill reads lines by a pattern, and misses `int | None` and texts with a `#`.
    """
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(targets[0], ast.Name):
            continue
        annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        line = source.split("\n")[(node.end_lineno or 1) - 1].encode()
        comment = re.match(
            r"\s*#\s*(?:type:\s*(\S+))?\s*(.*?)\s*$", line[node.end_col_offset :].decode()
        )
        kind, about = comment.groups() if comment else ("", "")
        about = re.sub(r"\s*#\s?@param.*", "", about or "")  # for Colab
        default = ast.get_source_segment(source, node.value) if node.value else ""
        yield targets[0].id, annotation or kind or "None", default or "", about


def typed(given: Sequence[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return `name=value` texts as values of the types that the parameters cell says.

    Raises:
        BadInput: a name is not known, or a value does not fit; all of them are named.
    """
    texts: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    wrong = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            wrong.append(f"{name}: write name=value")
        elif name not in known:
            hint = did_you_mean(name, known) or f"; choose from {', '.join(known)}"
            wrong.append(f"{name}: no such parameter{hint}")
        else:
            texts.setdefault(name, []).append(value)
    for name, several in texts.items():
        try:
            values[name] = _value(several, known[name].inferred_type_name)
        except ValidationError as exc:
            wrong += [f"{name}: {why}" for why in problems(exc, known).values()]
        except ValueError as exc:
            wrong.append(f"{name}: {exc}")
    if wrong:
        raise BadInput("Invalid parameters. " + "; ".join(wrong) + ".")
    return values


def _value(texts: Sequence[str], annotation: str) -> Any:
    """Return what the texts of one parameter say; only a list may have several."""
    "".join(texts).encode()  # a notebook cannot hold half of a surrogate pair
    bare = re.sub(r"[\s'\"]|\w+\.", "", annotation).lower()
    word, optional = re.subn(r"^optional\[(.*)\]$|\|none$|^none\|", r"\1", bare)
    many = re.fullmatch(r"(?:list|sequence)(?:\[(\w+)\])?", word)
    kind = _TYPES.get(many[1] or "" if many else word, Any)
    if optional and texts[-1].lower() in {"", "none", "null"}:
        return None
    plain: Any = texts[-1]
    if many and kind is not Any:
        plain = items(texts, kind)
    elif kind in {Any, dict}:
        plain = parsed(plain)
        plain = [plain] if many and not isinstance(plain, list) else plain
    config = ConfigDict(allow_inf_nan=False, coerce_numbers_to_str=True)
    return TypeAdapter(list[kind] if many else kind, config=config).validate_python(plain)  # type: ignore[valid-type]
