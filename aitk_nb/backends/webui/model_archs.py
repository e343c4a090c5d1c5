"""The architectures that a web UI lists: JavaScript with their form's defaults, read, never run.

`GET /api/model_archs` (AI Toolkit 0.13.16 and newer) answers transpiled modules, in which the list
is a constant of literals. What is not a literal, such as a function or JSX, is skipped and never
guessed.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aitk_nb.backends.wire.deadline import deadline
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import AitkError

LARGEST = 2_000_000
"""Characters of a module that are read at most."""

SECONDS = 5.0
"""How long a server may take to answer: without its list, ours is used."""

_MOST = 600_000
"""Tokens of a module that are read at most."""
_DEEPEST = 40
_LIST = "AI_TOOLKIT_UI_MODELS"
_PROCESS = "config.process[0]."
_NAME_ALONE = re.compile(r"^ {8}name: [\"']([^\"'\n]+)[\"']", re.M)
_TOKEN = re.compile(
    r"""(?:\s+|//[^\n]*|/\*.*?(?:\*/|\Z))*+(?:
    (?P<number>-?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    |(?P<text>"(?:\\.|[^"\\\n])*+"?|'(?:\\.|[^'\\\n])*+'?|`(?:\\.|\$\{[^{}]*\}|[^`\\])*+`?)
    |(?P<name>(?:void\ 0|[A-Za-z_$][\w$]*))
    |(?P<sign>\.\.\.|.))""",
    re.X | re.S,
)
_ESCAPE = re.compile(
    r"\\(?:u\{0*([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.S
)
_ESCAPED = dict(zip("ntrbfv0\n", "\n\t\r\b\f\v\0", strict=False)) | {"\n": ""}
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
_COMMA, _COLON, _EQUALS, _END = (("sign", sign) for sign in ",:=;")


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""Stands for what is not a literal."""


def model_archs(http: Http) -> dict[str, Mapping[str, Any]]:
    """Return what a web UI lists, by architecture, as our own presets have it.

    What could not be read of an entry is left out of it, and the paths of such defaults are
    `unread`: the empty path stands for all. An older server lists nothing.
    """
    try:
        with deadline(SECONDS):
            answer = http.raw("GET", "/api/model_archs")
        modules = json.loads(answer.content)["modules"] if answer.status_code == 200 else []
        codes = [str(module["code"]) for module in modules]
    except (AitkError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for code in codes:
        found |= entries(code)
    return found


@functools.lru_cache(maxsize=16)
def entries(code: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries of one module by architecture; empty if it holds none.

    A server lists the same at each connection, and reading it takes longer than all the rest.
    """
    if len(code) > LARGEST:
        return {}
    listed = _Reader(code).listed()
    if not isinstance(listed, list):
        return {name: {"unread": [""]} for name in _NAME_ALONE.findall(code)}
    found: dict[str, dict[str, Any]] = {}
    for item in listed:
        if not isinstance(item, dict):
            continue
        words = [item.get(key) for key in ("name", "label", "group")]
        if not all(isinstance(word, str) or word is UNKNOWN for word in words):
            return {}  # as the page does: one bad entry drops its module
        if UNKNOWN not in words:
            found[item["name"]] = _entry(item)
    return found


def _entry(item: Mapping[str, Any]) -> dict[str, Any]:
    sections = item.get("additionalSections", [])
    parts: dict[str, Any] = {
        "label": item["label"],
        "group": item["group"],
        "gate_url": item.get("gateUrl") or "",
        "video": item.get("isVideoModel", False),
        "controls": item.get("controls", []),
    }
    if isinstance(sections, list):
        needs = [name for name in sections if str(name).startswith(("datasets.", "sample."))]
        parts |= {"needs": needs, "offloads": "model.layer_offloading" in sections}
    if _is_unknown(sections):
        parts.pop("needs", None)
    found = {key: part for key, part in parts.items() if not _is_unknown(part)}
    defaults, unread = item.get("defaults", {}), []
    chosen: dict[str, Any] = {}
    for key, pair in defaults.items() if isinstance(defaults, dict) else [("", UNKNOWN)]:
        # [selected, unselected]; a bare value counts as selected.
        value = pair[0] if isinstance(pair, list) and pair else pair
        path = key.removeprefix(_PROCESS)
        if _is_unknown(value):
            unread.append(path)
        elif key != path:
            chosen[path] = value
    return {**found, "defaults": chosen, "unread": unread}


def _is_unknown(value: object) -> bool:
    """Return whether any part of a value is not a literal."""
    if isinstance(value, list | dict):
        return any(map(_is_unknown, value.values() if isinstance(value, dict) else value))
    return value is UNKNOWN


class _Reader:
    """The tokens of a module, of which brackets are paired before anything is read.

    So whatever is not a literal is passed over at once, and nothing is read twice.
    """

    def __init__(self, code: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._ends: dict[int, int] = {}
        self._constants: dict[str, Any] = {"true": True, "false": False}
        self._constants |= dict.fromkeys(("null", "undefined", "void 0"))
        at, opened = 0, list[int]()
        while (token := _TOKEN.match(code, at)) and len(self._tokens) < _MOST:
            kind, at = str(token.lastgroup), token.end()
            text, number = token[kind], len(self._tokens)
            self._tokens.append((kind, text))
            if kind == "sign" and text in _CLOSED_BY:
                opened.append(number)
            elif kind == "sign" and opened and text == _CLOSED_BY[self._tokens[opened[-1]][1]]:
                self._ends[opened.pop()] = number
        # What is never closed reaches to the end.
        self._ends |= dict.fromkeys(opened, len(self._tokens))

    def listed(self) -> Any:
        """Return the list, in which plain constants of the module stand for their values."""
        at, last = 0, len(self._tokens) - 3
        while at < last:
            (kind, name), sign, _, end = self._tokens[at : at + 4]
            if kind == "name" and sign == _EQUALS and name == _LIST:
                # It may be followed by .sort(…) or the like.
                return self._value(at + 2, self._ends.get(at + 2, at) + 1)
            if kind == "name" and sign == _EQUALS and end == _END:
                self._constants[name] = self._value(at + 2, at + 3)
            at = self._ends.get(at, at) + 1
        return UNKNOWN

    def _value(self, start: int, end: int, level: int = 0) -> Any:
        """Return what stands from one token to before another."""
        kind, text = self._tokens[start] if start < end <= len(self._tokens) else _END
        if kind == "sign" and level < _DEEPEST and self._ends.get(start) == end - 1:
            parts = self._parts(start + 1, end - 1)
            if text == "[":
                return [self._value(*part, level + 1) for part in parts]
            return UNKNOWN if text == "(" else dict(self._pair(*part, level) for part in parts)
        if end - start != 1 or kind == "sign":
            return UNKNOWN
        if kind == "name":
            return self._constants.get(text, UNKNOWN)
        return _number(text) if kind == "number" else _text(text)

    def _parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the parts between commas begin and end."""
        at = start
        while at < end:
            if self._tokens[at] == _COMMA:
                yield start, at
                start = at + 1
            at = self._ends.get(at, at) + 1
        if start < end:
            yield start, end

    def _pair(self, start: int, end: int, level: int) -> tuple[str, Any]:
        kind, key = self._tokens[start]
        if end - start < 3 or self._tokens[start + 1] != _COLON:
            return "", UNKNOWN  # a spread, a method, or a constant under its own name
        name = _text(key) if kind == "text" else key
        return str(name), self._value(start + 2, end, level + 1)


def _number(text: str) -> Any:
    try:
        value = int(text, 0) if "x" in text.lower() else float(text)
        return int(value) if value == int(value) else value  # as JavaScript writes it
    except (ValueError, OverflowError):
        return UNKNOWN


def _text(quoted: str) -> Any:
    """Return a text without its quotes and escapes; unknown if it has no end or is computed."""
    if len(quoted) < 2 or quoted[-1] != quoted[0] or (quoted[0] == "`" and "${" in quoted):
        return UNKNOWN
    plain = _ESCAPE.sub(_unescaped, quoted[1:-1])
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code is None:
        return _ESCAPED.get(found[4], found[4])
    return chr(min(int(code, 16), 0x10FFFF))
