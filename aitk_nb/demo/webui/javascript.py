"""JavaScript's ways with numbers, text and JSON, which the real server shows on the wire."""

import json
import math
import re
import unicodedata
from decimal import Decimal
from urllib.parse import unquote_to_bytes

_SAFE_INTEGER = 2**53
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LEADING_INTEGER = re.compile(r"\s*([+-]?[0-9]+)")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_PREFIXED = re.compile(r"0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
# The order in which ICU's root collation puts what is neither digit nor letter.
_PUNCTUATION = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"


def units(text: str) -> int:
    """Return the length of `text` in UTF-16 code units, as JavaScript counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def replace_each(text: str, keep: re.Pattern[str]) -> str:
    """Return `text` with every code unit that `keep` does not match as one underscore."""
    return "".join(char if keep.fullmatch(char) else "_" * units(char) for char in text)


def number(text: str) -> float:
    """Return what `Number(text)` is, NaN included."""
    stripped = text.strip()
    if not stripped:
        return 0
    if _PREFIXED.fullmatch(stripped):
        return int(stripped, 0)
    if stripped in {"Infinity", "+Infinity", "-Infinity"}:
        return float(stripped)
    if not _DECIMAL.fullmatch(stripped):
        return math.nan
    value = float(stripped)
    return int(value) if value.is_integer() and abs(value) < _SAFE_INTEGER else value


def parse_int(text: str) -> int | None:
    """Return the integer that `text` starts with, or None where JavaScript says NaN."""
    match = _LEADING_INTEGER.match(text)
    return int(match[1]) if match else None


def decode_component(text: str) -> str:
    """Return `text` percent-decoded; a broken escape or broken UTF-8 is a `ValueError`."""
    if _BAD_ESCAPE.search(text):
        raise ValueError("malformed escape")
    return unquote_to_bytes(text).decode("utf-8")


def loads(body: bytes) -> object:
    """Return the JSON value of `body`; anything else than JSON is a `ValueError`."""
    try:
        return json.loads(
            body.decode("utf-8-sig", "replace"),
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse,
        )
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def dumps(value: object) -> str:
    """Return `value` as `JSON.stringify` writes it: no spaces, no NaN, 1.0 as 1."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def collation_key(text: str) -> tuple[object, ...]:
    """Return a sort key close to `localeCompare`: punctuation, digits, then letters, a before A."""
    letters = [
        char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char)
    ]
    return ([_weight(char) for char in letters], text.casefold(), text.swapcase())


def _weight(char: str) -> tuple[int, int, str]:
    if char.isspace():
        return (0, 0, char)
    place = _PUNCTUATION.find(char)
    if place >= 0:
        return (1, place, char)
    return (2 if char.isdigit() else 3, 0, char.casefold())


def _integer(text: str) -> int | float:
    # JavaScript has doubles only, and prints the shortest digits that give the same double.
    if len(text) < len(str(_SAFE_INTEGER)):
        return int(text)
    return _float(text)


def _float(text: str) -> int | float:
    value = float(text)
    if not math.isfinite(value) or not value.is_integer() or abs(value) >= 1e21:
        return value
    return int(Decimal(repr(value)))


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is not JSON")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(Decimal(repr(value))) if value.is_integer() and abs(value) < 1e21 else value
    return value
