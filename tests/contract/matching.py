"""Compares an answer with what a case expects, and says in words where they differ.

`differences(expected, actual)` returns one sentence per difference; an empty list is a match.
The expected side is a *shape*: ordinary JSON, in which some values are patterns.

=====================  ==========================================================
`<int>` `<number>`     a JSON type: also `<string> <bool> <null> <list> <object>
                       <any>`; several with a bar: `<int|null>`
`<uuid>` `<iso>`       a UUID; a time such as 2026-01-31T12:00:00.000Z
`<job>`                a whole job, every field of the right type and no other field
`~REGEX`               a string that the regular expression matches as a whole
`{..., "...": true}`   an object that may have more keys than those named
`{"key?": ...}`        a key that may be missing
`{"$each": S}`         a list whose every element has shape S; also `$min`, `$max`, `$size`
`{"$has": [S, ...]}`   a list with at least one element of each shape
`{"$lacks": [S, ...]}` a list without any element of these shapes
`{"$any": [S, ...]}`   one of these shapes; `$all`: all of them
`{"$json": S}`         a string that holds JSON of shape S
`{"$multiple": N}`     a whole number that N divides
`{"$starts": TEXT}`    a string that starts so; also `$ends`, `$contains`, `$len`
=====================  ==========================================================
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.versions import ERAS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aitk_nb.demo import EraName

TYPE = re.compile(r"<[a-z]+(\|[a-z]+)*>")
"""What a type looks like in a shape."""

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "uuid": lambda value: isinstance(value, str) and UUID.fullmatch(value) is not None,
    "iso": lambda value: isinstance(value, str) and ISO.fullmatch(value) is not None,
}

JOB: dict[str, Any] = {
    "id": "<uuid>",
    "name": "<string>",
    "gpu_ids": "<string>",
    "job_config": "<string>",
    "created_at": "<iso>",
    "updated_at": "<iso>",
    "status": "~queued|running|stopping|stopped|completed|error",
    "stop": "<bool>",
    "return_to_queue": "<bool>",
    "save_now": "<bool>",
    "sample_now": "<bool>",
    "step": "<int>",
    "total_steps": "<int|null>",
    "info": "<string>",
    "speed_string": "<string>",
    "queue_position": "<int>",
    "pid": "<int|null>",
    "job_type": "<string>",
    "job_ref": "<string|null>",
}
"""The shape that `<job>` stands for."""

COLUMNS: dict[str, EraName] = {
    "return_to_queue": "2025-11",
    "queue_position": "2025-11",
    "pid": "2026-05",
    "job_type": "2026-05",
    "job_ref": "2026-05",
    "save_now": "2026-08",
    "sample_now": "2026-08",
    "total_steps": "2026-08",
}
"""Which version of the web UI is the first in which jobs have a field; the others always had it."""


def of_era(expected: Any, era: EraName) -> Any:
    """Return what is expected of a version: a `<job>` of it, without the fields it lacks."""
    if expected == "<job>":
        expected = JOB
    if isinstance(expected, dict):
        newer = ERAS[ERAS.index(era) + 1 :]
        kept = {key: value for key, value in expected.items() if COLUMNS.get(key) not in newer}
        return {key: of_era(value, era) for key, value in kept.items()}
    if isinstance(expected, list):
        return [of_era(value, era) for value in expected]
    return expected


def equal(expected: Any, actual: Any) -> bool:
    """Return True for the same JSON: 1 equals 1.0, but neither is `true`."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if _is_number(expected) and _is_number(actual):
        return bool(expected == actual)
    if type(expected) is not type(actual):
        return False
    if isinstance(expected, dict):
        return expected.keys() == actual.keys() and all(
            equal(value, actual[key]) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(map(equal, expected, actual))
    return bool(expected == actual)


def differences(expected: Any, actual: Any, at: str = "$") -> list[str]:
    """Return one sentence for each place where `actual` has not the shape `expected`."""
    if isinstance(expected, dict):
        operators = [key for key in expected if isinstance(key, str) and key.startswith("$")]
        if operators:
            return [
                problem
                for key in operators
                for problem in _operator(key, expected[key], actual, at)
            ]
        return _object(expected, actual, at)
    if isinstance(expected, list):
        return _list(expected, actual, at)
    if isinstance(expected, str):
        return _string(expected, actual, at)
    return [] if equal(expected, actual) else [_sentence(at, expected, actual)]


def _string(expected: str, actual: Any, at: str) -> list[str]:
    if expected == "<job>":
        return differences(JOB, actual, at)
    if TYPE.fullmatch(expected):
        names = expected[1:-1].split("|")
        ok = any(_TYPES[name](actual) for name in names)
    elif expected.startswith("~"):
        ok = isinstance(actual, str) and bool(re.fullmatch(expected[1:], actual, re.DOTALL))
    else:
        ok = equal(expected, actual)
    return [] if ok else [_sentence(at, expected, actual)]


def _list(expected: list[Any], actual: Any, at: str) -> list[str]:
    if not isinstance(actual, list) or len(actual) != len(expected):
        return [_sentence(at, expected, actual)]
    return [
        problem
        for index, (want, got) in enumerate(zip(expected, actual, strict=True))
        for problem in differences(want, got, f"{at}[{index}]")
    ]


def _object(expected: dict[str, Any], actual: Any, at: str) -> list[str]:
    if not isinstance(actual, dict):
        return [_sentence(at, expected, actual)]
    wanted = {key.removesuffix("?"): value for key, value in expected.items() if key != "..."}
    optional = {key.removesuffix("?") for key in expected if key.endswith("?")}
    needed = wanted.keys() - optional
    problems = [f"{at}: no key {key!r}" for key in wanted if key in needed and key not in actual]
    if "..." not in expected:
        problems += [f"{at}: unexpected key {key!r}" for key in actual if key not in wanted]
    for key, value in wanted.items():
        if key in actual:
            problems += differences(value, actual[key], f"{at}.{key}")
    return problems


def _operator(name: str, value: Any, actual: Any, at: str) -> list[str]:
    if name == "$all":
        return [problem for shape in value for problem in differences(shape, actual, at)]
    if name == "$any":
        return (
            []
            if any(not differences(shape, actual, at) for shape in value)
            else [_sentence(at, {name: value}, actual)]
        )
    if name == "$multiple":
        divides = _TYPES["int"](actual) and actual % value == 0
        return [] if divides else [_sentence(at, {name: value}, actual)]
    if name in _STRING_TESTS or name == "$json":
        return _text_operator(name, value, actual, at)
    if not isinstance(actual, list):
        return [_sentence(at, {name: value}, actual)]
    if name == "$each":
        return [
            problem
            for index, got in enumerate(actual)
            for problem in differences(value, got, f"{at}[{index}]")
        ]
    return [] if _LIST_TESTS[name](actual, value) else [_sentence(at, {name: value}, actual)]


def _text_operator(name: str, value: Any, actual: Any, at: str) -> list[str]:
    if not isinstance(actual, str):
        return [_sentence(at, {name: value}, actual)]
    if name != "$json":
        return [] if _STRING_TESTS[name](actual, value) else [_sentence(at, {name: value}, actual)]
    try:
        return differences(value, json.loads(actual), f"{at}(json)")
    except ValueError:
        return [f"{at}: not JSON: {_short(actual)}"]


def _has(actual: list[Any], shape: Any) -> bool:
    return any(not differences(shape, element) for element in actual)


_STRING_TESTS: dict[str, Callable[[str, Any], bool]] = {
    "$starts": lambda actual, value: actual.startswith(value),
    "$ends": lambda actual, value: actual.endswith(value),
    "$contains": lambda actual, value: value in actual,
    "$len": lambda actual, value: len(actual) == value,
}

_LIST_TESTS: dict[str, Callable[[list[Any], Any], bool]] = {
    "$min": lambda actual, value: len(actual) >= value,
    "$max": lambda actual, value: len(actual) <= value,
    "$size": lambda actual, value: len(actual) == value,
    "$has": lambda actual, value: all(_has(actual, shape) for shape in value),
    "$lacks": lambda actual, value: not any(_has(actual, shape) for shape in value),
}

TYPE_NAMES = frozenset({"job", *_TYPES})
"""Every name that may stand between `<` and `>`."""

OPERATORS = frozenset({"$all", "$any", "$multiple", "$each", "$json", *_STRING_TESTS, *_LIST_TESTS})
"""Every operator a shape may use; the loader refuses others."""


def _sentence(at: str, expected: Any, actual: Any) -> str:
    return f"{at}: expected {_short(expected)}, got {_short(actual)}"


def _short(value: Any, limit: int = 300) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
