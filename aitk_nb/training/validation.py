"""What a training parameter may be: its declaration, conversions and checks, and its errors."""

import ast
import difflib
import inspect
import json
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from aitk_nb.models.names import name_problem

_FOLDERS = {
    "SimpleJob.tsx": "ui/src/app/jobs/new/",
    "options.tsx": "ui/src/app/jobs/new/",
    "config_modules.py": "toolkit/",
}
"""Where the files of AI Toolkit (0.12.26) are that define most of the fields."""


def field(
    default: Any,
    path: str = "",
    *,
    group: str = "",
    short: str = "",
    label: str | None = None,
    per_job: bool | None = None,
    multiline: bool = False,
    **constraints: Any,
) -> Any:
    """Declare a training parameter; forms, the command line and the job config read it.

    Args:
        default: The value if neither the user nor the architecture's preset sets it.
        path: Where it stands in the job's process, as it is; empty if it is converted.
        group: The heading in the form that begins with it.
        short: A second option on the command line.
        label: How forms call it, unless that is its name.
        per_job: Whether its value belongs to a job rather than to the architecture; the default
            is that one with a path does not.
        multiline: Whether it is a text of several lines.
        constraints: Bounds, as pydantic's `Field` takes them.

    Returns:
        What the field is assigned; the string below it is its help text, and says the source.
    """
    about: dict[str, Any] = {
        "path": path,
        "group": group,
        "short": short,
        "per_job": not path if per_job is None else per_job,
        "multiline": multiline,
    }
    return Field(default, title=label, json_schema_extra=about, **constraints)


def place(entry: Mapping[str, Any], source: str) -> str:
    """Return the file of AI Toolkit that defines a field, and the words there.

    Without a file they are words of `SimpleJob.tsx`, the form for a new job; by default the path.
    """
    file, _, words = source.rpartition(": ")
    file, words = file or "SimpleJob.tsx", words or entry["path"].removeprefix("datasets[x].")
    return f"{_FOLDERS.get(file, '')}{file}: {words}"


def complete(schema: dict[str, Any], model: type) -> None:
    """Add each field's group, and what the string below it says, read when it is asked for."""
    group = ""
    for entry in schema["properties"].values():
        group = entry["group"] = entry["group"] or group
    # A subclass declares no fields of its own.
    declaring = next(one for one in model.__mro__ if "name" in inspect.get_annotations(one))
    (tree,) = ast.parse(inspect.getsource(declaring)).body
    for one, following in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match one, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                told, _, source = inspect.cleandoc(text).partition("\n\nSource: ")
                entry = schema["properties"][name]
                entry |= {"description": told.removesuffix("."), "source": place(entry, source)}


def fact(info: FieldInfo, name: str) -> Any:
    """Return what a declaration says under this name; None where pydantic declared it."""
    extra = info.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


# -- values as papermill, shells and files hand them over -----------------------------------------


def listed(value: object) -> object:
    """Accept a single value where a list is meant."""
    return [value] if isinstance(value, int | str) else value


def numbers(value: object) -> object:
    """Accept one number, or a text of numbers with commas, where a list of numbers is meant."""
    if isinstance(value, str):
        return [part for part in re.split(r"[\s,]+", value) if part]
    return listed(value)


def items(texts: Sequence[str], kind: object) -> list[Any]:
    """Return the items of a list that is given as texts: each a JSON list, else items itself.

    A text is one item as it stands, with its commas, unless numbers are meant (`kind` is not
    `str`). An empty one has none.
    """
    found: list[Any] = []
    for text in texts:
        value: object = None
        with suppress(ValueError, RecursionError):
            value = json.loads(text) if text.lstrip().startswith("[") else None
        if not isinstance(value, list):
            value = list(filter(None, [text] if kind is str else re.split(r"[\s,\[\]]+", text)))
        found += value
    return found


def quantized(value: object) -> object:
    """Accept yes and no where a kind of quantization is meant."""
    return {True: "qfloat8", False: ""}[value] if isinstance(value, bool) else value


# -- checks that a type cannot make ---------------------------------------------------------------


def safe_name(value: str) -> str:
    """Refuse what cannot be the name of a job or a dataset."""
    if why := name_problem(value):
        raise ValueError(f"{value!r}: {why}")
    return value


def no_variables(value: str) -> str:
    """Refuse what the server would replace from its environment, in files that anyone can read."""
    if "${" in value:
        raise ValueError("'${' would be replaced from the server's environment")
    return value


def gpu_list(value: str) -> str:
    """Refuse what the server cannot read as GPUs."""
    if not re.fullmatch(r"(mps|\d{1,3}(,\d{1,3})*)?", value):
        raise ValueError(f"{value!r} should be one number, several with commas, 'mps', or empty")
    return value


def not_zero(value: int) -> int:
    """Refuse a factor of 0."""
    if value == 0:
        raise ValueError("0 should be -1 or a whole number from 1")
    return value


# -- types of fields -----------------------------------------------------------------------------

Name = Annotated[str, AfterValidator(safe_name)]
OptionalName = Annotated[str, AfterValidator(lambda value: value and safe_name(value))]
Names = Annotated[tuple[Name, ...], BeforeValidator(listed)]
Text = Annotated[str, AfterValidator(no_variables)]
Prompts = Annotated[tuple[Text, ...], BeforeValidator(listed)]
Resolution = Annotated[tuple[Annotated[int, Field(ge=16, le=8192)], ...], BeforeValidator(numbers)]
NotZero = Annotated[int, AfterValidator(not_zero)]
Gpus = Annotated[str, AfterValidator(gpu_list)]
# The trainer itself takes more words than the web UI's form offers, by way of `extra`.
Quantization = Annotated[
    Literal["", "qfloat8", "float8", "convrot8", "convrot4", "nvfp4", "convrotint7", "convrotint6",
            "convrotint5", "convrotint4", "convrotint3", "convrotint2", "convrotbitnet", "uint7",
            "uint6", "uint5", "uint4", "uint3", "uint2"],
    BeforeValidator(quantized),
]  # fmt: skip
Optimizer = Literal["adamw8bit", "adamw", "adam", "adafactor", "automagic", "automagic2",
                    "automagic3", "prodigyopt", "prodigy8bit", "adam8bit", "lion8bit", "lion",
                    "prodigy"]  # fmt: skip
TimestepType = Literal["sigmoid", "linear", "shift", "weighted", "lognorm_blend", "next_sample",
                       "one_step"]  # fmt: skip


# -- in words -------------------------------------------------------------------------------------


def limits(entry: Mapping[str, Any]) -> str:
    """Return the limits of a number by its JSON schema, such as `1..4096`; else nothing."""
    item = entry.get("items", entry)
    low = item.get("minimum", item.get("exclusiveMinimum"))
    high = item.get("maximum", item.get("exclusiveMaximum", ""))
    return "" if low is None else f"{low}..{high}"


def allowed(entry: Mapping[str, Any]) -> str:
    """Return what one value of a field may be, by its JSON schema."""
    item = entry.get("items", entry)
    if choices := item.get("enum"):
        return f"one of {', '.join(word or repr('') for word in choices)}"
    words = {"integer": "a whole number", "number": "a number", "boolean": "yes or no"}
    return f"{words.get(item['type'], 'text')} {limits(entry)}".rstrip()


def problems(error: ValidationError, known: Iterable[str]) -> dict[str, str]:
    """Return the first thing that is wrong with each field, as one clause."""
    found: dict[str, str] = {}
    for one in error.errors():
        found.setdefault(str(one["loc"][0]) if one["loc"] else "", _problem(one, known))
    return found


def did_you_mean(word: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the question for the nearest known word; nothing if none is near."""
    text = word[:60] if isinstance(word, str) else ""
    near = difflib.get_close_matches(text, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


def _problem(error: ErrorDetails, known: Iterable[str]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "required"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown field{did_you_mean(error['loc'][-1], known)}"
    if kind == "value_error":
        return str(context["error"])
    text = re.sub("^Input", lambda _: _shown(error["input"]), error["msg"])
    if kind == "literal_error":
        words = re.findall("'(.*?)'", context["expected"])
        text += did_you_mean(error["input"], words)
    return text


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60


def _shown(value: object) -> str:
    text = _REPR.repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
