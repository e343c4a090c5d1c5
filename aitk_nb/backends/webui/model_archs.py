"""The architectures that a web UI lists: JavaScript with their form's defaults, read, never run.

`GET /api/model_archs` (AI Toolkit 0.13.16 and newer) answers transpiled modules, in which the list
is a constant of literals. What is not a literal, such as a function or JSX, is skipped and never
guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from aitk_nb.backends.wire.deadline import deadline
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import AitkError

LARGEST = 2_000_000
"""Characters of a module that are read at most."""

SECONDS = 5.0
"""How long a server may take to answer: without its list, ours is used."""

_MOST = 600_000
"""Tokens of a module, and values in what is read of it, at most."""
_DEEPEST = 40
_LIST = "AI_TOOLKIT_UI_MODELS"
_PROCESS = "config.process[0]."
_NAME_ALONE = re.compile(r"^ {8}name: [\"']([^\"'\n]+)[\"']", re.M)
_STRING = r""""(?:\\.|[^"\\\n])*+"?|'(?:\\.|[^'\\\n])*+'?"""
_TOKEN = re.compile(
    rf"""(?:\s+|//[^\n]*|/\*.*?(?:\*/|\Z))*+(?:
    (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<string>{_STRING})
    |(?P<name>[A-Za-z_$][\w$]*)
    |(?P<sign>\.\.\.|.))""",
    re.X | re.S,
)
_IN_TEMPLATE = re.compile(r"\\.|`|\$\{", re.S)
_IN_CODE = re.compile(rf"{_STRING}|[`{{}}]", re.S)
_ESCAPE = re.compile(
    r"\\(?:u\{0*([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.S
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_WORDS = {"true": True, "false": False, "null": None, "undefined": None}
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
_ENDS = frozenset({("sign", sign) for sign in ",;)]}"})
_COMMA = ("sign", ",")


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""Stands for what is not a literal."""


def model_archs(http: Http) -> dict[str, dict[str, Any]]:
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
    found: dict[str, dict[str, Any]] = {}
    for code in codes:
        found |= entries(code)
    return found


def entries(code: str) -> dict[str, dict[str, Any]]:
    """Return the entries of one module by architecture; empty if it holds none."""
    if len(code) > LARGEST:
        return {}
    listed = _Reader(code).constants.get(_LIST, (UNKNOWN,))[0]
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
    """Reads the constants of a module, once and from left to right.

    Brackets are paired first, so that whatever is not a literal is passed over at once.
    """

    def __init__(self, code: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._ends: dict[int, int] = {}
        self._at = self._values = self._level = 0
        self.constants: dict[str, tuple[Any, int, int]] = {}
        """Each with the number of its values, and how deep they nest."""
        self._split(code)
        while self._at < len(self._tokens):
            self._statement()

    def _split(self, code: str) -> None:
        at, opened = 0, list[int]()
        while (token := _TOKEN.match(code, at)) and len(self._tokens) < _MOST:
            kind = str(token.lastgroup)
            text, start, at = token[kind], token.start(kind), token.end()
            number = len(self._tokens)
            if text == "`":
                at = _template_end(code, at)
                kind, text = "template", code[start:at]
            elif text in _CLOSED_BY and kind == "sign":
                opened.append(number)
            elif opened and _CLOSED_BY[self._tokens[opened[-1]][1]] == text and kind == "sign":
                self._ends[opened.pop()] = number
            self._tokens.append((kind, text))
        # What is never closed reaches to the end.
        self._ends |= dict.fromkeys(opened, len(self._tokens))

    def _next(self, ahead: int = 0) -> tuple[str, str]:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else ("end", "")

    def _statement(self) -> None:
        """Keep a constant of the module; pass over anything else, with what is inside it."""
        (_, word), (kind, name) = self._next(), self._next(1)
        declared = word in ("const", "let", "var") and kind == "name"
        if not declared or self._next(2) != ("sign", "="):
            self._at = self._ends.get(self._at, self._at) + 1
            return
        self._at += 3
        self._values = self._level = 0
        # The list itself may be followed by .sort(…) or the like.
        value = self._literal(0) if name == _LIST else self._value(0)
        self.constants[name] = value, self._values, self._level

    def _value(self, level: int) -> Any:
        """Return a value; unknown if it is followed by anything but its end."""
        value = self._literal(level)
        if self._at >= len(self._tokens) or self._next() in _ENDS:
            return value
        while self._at < len(self._tokens) and self._next() not in _ENDS:
            self._at = self._ends.get(self._at, self._at) + 1
        return UNKNOWN

    def _literal(self, level: int) -> Any:
        (kind, text), start = self._next(), self._at
        self._values += 1
        self._level = max(self._level, level)
        if kind == "sign" and text in "[{":
            end = self._ends[start]
            value: Any = UNKNOWN
            if level < _DEEPEST and end < len(self._tokens):
                self._at += 1
                value = self._list(end, level) if text == "[" else self._mapping(end, level)
            self._at = end + 1
            return value
        if kind == "sign" and text == "-" and self._next(1)[0] == "number":
            self._at += 2
            return _number(f"-{self._tokens[start + 1][1]}")
        if kind in ("sign", "end"):
            return UNKNOWN
        self._at += 1
        if kind == "name":
            return self._named(text, level)
        return _number(text) if kind == "number" else _text(text)

    def _named(self, name: str, level: int) -> Any:
        if name == "void" and self._next() == ("number", "0"):
            self._at += 1
            return None
        value, size, deep = self.constants.get(name, (_WORDS.get(name, UNKNOWN), 0, 0))
        # Constants of constants of constants could grow without end.
        if level + deep > _DEEPEST or self._values + size > _MOST:
            return UNKNOWN
        self._values += size
        self._level = max(self._level, level + deep)
        return value

    def _list(self, end: int, level: int) -> list[Any]:
        found = []
        while self._at < end:
            if self._next() not in _ENDS:
                found.append(self._value(level + 1))
            else:
                self._at += 1
        return found

    def _mapping(self, end: int, level: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._at < end:
            kind, text = self._next()
            self._at += 1
            if (kind, text) == ("sign", "..."):
                spread = self._value(level + 1)
                found |= spread if isinstance(spread, dict) else {"": UNKNOWN}
            elif self._next() == ("sign", ":"):
                self._at += 1
                found[str(_text(text)) if kind == "string" else text] = self._value(level + 1)
            elif (kind, text) != _COMMA:
                self._value(level + 1)  # a method, or a constant's own name
                found[text] = UNKNOWN
        return found


def _template_end(code: str, at: int) -> int:
    """Return where the template ends whose backtick stands before `at`; `${` may nest others."""
    inside = ["`"]
    while inside:
        found = (_IN_TEMPLATE if inside[-1] == "`" else _IN_CODE).search(code, at)
        if found is None:
            return len(code)
        at, sign = found.end(), found[0]
        if sign == ("`" if inside[-1] == "`" else "}"):
            inside.pop()
        elif sign in ("${", "{", "`"):
            inside.append(sign[-1])
    return at


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
