"""`Secret`: a token or password that cannot be shown by accident."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import quote

__all__ = ["Secret"]

HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")

MIN_SECRET = 8
"""Shorter words of a header, such as "Basic", are not secret."""

_SPACE = (r"(?=\s|.*\s\Z)\s*(?P<kept>.*?)\s*", "a space or a line break around it")
_ACCIDENTS = (
    _SPACE,
    (r"(?:bearer\s+|AI_TOOLKIT_AUTH=|AITK_TOKEN=)(?P<kept>.+)", "a word such as Bearer before it"),
    (r"([\"'`])(?P<kept>.+)\1", "quotation marks around it"),
    (r"[\u2018\u201c\u201e](?P<kept>.+)[\u2019\u201c\u201d]", "quotation marks around it"),
    _SPACE,
)
"""How a secret looks that was copied with more than itself, and what of it is meant."""


class Secret:
    """A token or password that cannot be shown by accident.

    It is not a str: formatting, concatenation, JSON, pickle and copies all fail or show dots.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a Secret is made of a str")
        self.__value = value

    @classmethod
    def basic(cls, user: str, password: Secret) -> Secret:
        """Return the value of an Authorization header that a gateway with Basic login takes."""
        pair = f"{user}:{password.__value}".encode()
        return cls(f"Basic {base64.b64encode(pair).decode()}")

    def reveal(self) -> str:
        """Return the secret itself; for the two modules that send it."""
        return self.__value

    @property
    def is_token(self) -> bool:
        """True when it can be a bearer token: visible ASCII only.

        The server compares the second space-separated word, so one with a space never matches.
        """
        return all(32 < ord(char) < 127 for char in self.__value)

    @property
    def is_header_value(self) -> bool:
        """True when a header can carry it."""
        return HEADER_VALUE.fullmatch(self.__value) is not None

    @property
    def flaws(self) -> tuple[str, ...]:
        """What looks as if it came along by accident, in words that do not show the secret."""
        value, found = self.__value, []
        for pattern, words in _ACCIDENTS:
            if match := re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL):
                found.append(words)
                value = match["kept"]
        return tuple(found)

    @property
    def mended(self) -> Secret:
        """The secret without what `flaws` names."""
        value = self.__value
        for pattern, _ in _ACCIDENTS:
            if match := re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL):
                value = match["kept"]
        return Secret(value)

    def hidden_in(self, text: str) -> str:
        """Return `text` with dots in place of the secret, in every form that it may be said in."""
        value = self.__value
        # Of "Basic dXNl…" the second word is the secret one, and may be said alone.
        for part in (value, *(word for word in value.split() if len(word) >= MIN_SECRET)):
            for form in filter(None, (part, quote(part, safe=""), repr(part)[1:-1])):
                text = text.replace(form, "…")
        return text

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.__value == self.__value

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __repr__(self) -> str:
        return "Secret('…')"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __copy__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __deepcopy__(self, memo: Mapping[int, Any]) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
