"""`Secret`: a token or password that can't be shown by accident, typed or from the keyring.

The keyring of the system is read if the package `keyring` is installed. Its own command stores
secrets there, and asks for them:

    keyring set aitk-nb https://<pod id>-8675.proxy.runpod.net           a token
    keyring set aitk-nb me@https://<pod id>-7860.proxy.runpod.net        the password of `me`
"""

from __future__ import annotations

import base64
import getpass
import logging
import re
import warnings
from importlib import import_module
from typing import NoReturn
from urllib.parse import quote

from aitk_nb.errors import BadInput

SERVICE = "aitk-nb"
"""The service under which the keyring stores secrets."""

_log = logging.getLogger(__name__)

HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")

MIN_SECRET = 8
"""Length of a secret word in a header; shorter ones, such as "Basic", are not secret."""

_SPACE = (r"(?=\s|.*\s\Z)\s*(?P<kept>.*?)\s*", "a space or a line break around it")
_ACCIDENTS = (
    _SPACE,
    (r"(?:bearer\s+|AI_TOOLKIT_AUTH=|AITK_TOKEN=)(?P<kept>.+)", "a word such as Bearer before it"),
    (r"([\"'`])(?P<kept>.+)\1", "quotation marks around it"),
    (r"[\u2018\u201c\u201e](?P<kept>.+)[\u2019\u201c\u201d]", "quotation marks around it"),
    _SPACE,
)
"""What a secret looks like if more than itself was copied, and which part is meant."""


class Secret:
    """A token or password that can't be shown by accident.

    It is not a str: formatting, concatenation, JSON, pickle and copies all fail or show dots.

    Example:
        >>> print(f"{aitk_nb.Secret('my token')}")
        Secret('…')
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        """Hide `value`."""
        if not isinstance(value, str):
            raise TypeError("a Secret takes a str")
        self.__value = value

    @classmethod
    def basic(cls, user: str, password: Secret) -> Secret:
        """Return the value of an Authorization header for Basic authentication.

        Args:
            user: User name.
            password: Password.
        """
        pair = f"{user}:{password.__value}".encode()
        return cls(f"Basic {base64.b64encode(pair).decode()}")

    def reveal(self) -> str:
        """Return the secret itself; only for the modules that send it."""
        return self.__value

    @property
    def is_token(self) -> bool:
        """True if it can be a bearer token: visible ASCII only.

        The server compares the second space-separated word, so one with a space never matches.
        """
        return all(32 < ord(char) < 127 for char in self.__value)

    @property
    def is_header_value(self) -> bool:
        """True if a header can carry it."""
        return HEADER_VALUE.fullmatch(self.__value) is not None

    @property
    def flaws(self) -> tuple[str, ...]:
        """What was probably copied by accident, in words that don't show the secret."""
        return self._stripped()[0]

    @property
    def mended(self) -> Secret:
        """The secret without its `flaws`."""
        return self._stripped()[1]

    def _stripped(self) -> tuple[tuple[str, ...], Secret]:
        value, found = self.__value, []
        for pattern, words in _ACCIDENTS:
            if match := re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL):
                found.append(words)
                value = match["kept"]
        return tuple(found), Secret(value)

    def hidden_in(self, text: str) -> str:
        """Return `text` with dots in place of the secret, in every form that it may take."""
        value = self.__value
        # In "Basic dXNl…" the second word is the secret, and may appear alone.
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

    def __reduce__(self) -> NoReturn:  # which `copy` calls too
        raise TypeError("a Secret cannot be pickled or copied")


def ask_secret(prompt: str = "Token: ", instead: str = "AITK_TOKEN") -> Secret:
    """Prompt for a secret; what is typed is not shown.

    A notebook that runs headless can't prompt; set the environment variable for it instead.

    Args:
        prompt: The text shown before the input.
        instead: The environment variable to set where nobody can be prompted.

    Returns:
        What was typed, without spaces around it.

    Raises:
        BadInput: There is no interactive terminal, or nothing was typed.

    Example:
        >>> aitk_nb.ask_secret()
        Secret('…')
    """
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would echo what is typed, and warn.
            warnings.simplefilter("error", getpass.GetPassWarning)
            secret = Secret(getpass.getpass(prompt).strip())
    except (EOFError, getpass.GetPassWarning, NotImplementedError) as exc:
        # A kernel that may not prompt, as papermill's, raises a kind of NotImplementedError.
        raise BadInput(f"Can't prompt: no interactive terminal. Set {instead} instead.") from exc
    if not secret:
        raise BadInput("No token was given.")
    return secret


def ask_login(user: str) -> tuple[str, Secret]:
    """Prompt for the password of `user`.

    Returns:
        The user name and the password, for `connect(url, credentials=…)`.

    Raises:
        BadInput: There is no interactive terminal, or nothing was typed.

    Example:
        >>> aitk_nb.ask_login("me")
        ('me', Secret('…'))
    """
    return user, ask_secret(f"Password of {user}: ", "AITK_PASSWORD")


def entry(address: str, user: str = "") -> str:
    """Return the name under which the keyring stores the secret for an address."""
    return f"{user}@{address}" if user else address


def stored(address: str, user: str = "") -> Secret | None:
    """Return the secret that the system's keyring has for an address; None if it has none."""
    try:
        keyring = import_module("keyring")
    except ImportError:
        return None
    try:
        found = keyring.get_password(SERVICE, entry(address, user))
    except Exception as exc:  # noqa: BLE001 - each system fails in its own way, and none has to
        _log.debug("the keyring can't be read: %s", type(exc).__name__)
        return None
    return Secret(found) if found else None
