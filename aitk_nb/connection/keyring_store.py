"""Tokens that the system's keyring keeps, where the package `keyring` is installed.

They are put there by keyring's own command, which asks for the secret:

    keyring set aitk-nb https://<pod id>-8675.proxy.runpod.net           a token
    keyring set aitk-nb me@https://<pod id>-7860.proxy.runpod.net        the password of `me`
"""

from __future__ import annotations

import logging
from importlib import import_module

from aitk_nb.connection.secret import Secret

__all__ = ["SERVICE", "entry", "stored"]

SERVICE = "aitk-nb"

_log = logging.getLogger(__name__)


def entry(address: str, user: str = "") -> str:
    """Return the name under which the secret for an address is kept."""
    return f"{user}@{address}" if user else address


def stored(address: str, user: str = "") -> Secret | None:
    """Return the secret that the system's keyring has for an address; None when it has none."""
    try:
        keyring = import_module("keyring")
    except ImportError:
        return None
    try:
        found = keyring.get_password(SERVICE, entry(address, user))
    except Exception as exc:  # noqa: BLE001 - each system fails in its own way, and none has to
        _log.debug("the keyring cannot be asked: %s", type(exc).__name__)
        return None
    return Secret(found) if found else None
