"""Asking somebody for a secret: on a terminal, or in a notebook whose kernel can ask."""

from __future__ import annotations

import getpass
import warnings

from aitk_nb.connection.secret import Secret
from aitk_nb.errors import BadInput

__all__ = ["ask_login", "ask_secret"]


def ask_secret(prompt: str = "Token: ", instead: str = "AITK_TOKEN") -> Secret:
    """Return what somebody types, which is not shown: `connect(url, aitk_nb.ask_secret())`.

    A notebook that runs headless cannot ask; set AITK_TOKEN for it instead.

    Args:
        prompt: what is shown before the place to type.
        instead: the variable to set where nobody can be asked.

    Raises:
        BadInput: nobody can be asked here, or nothing was typed.
    """
    try:
        with warnings.catch_warnings():
            # Without a terminal getpass would show what is typed, and warn.
            warnings.simplefilter("error", getpass.GetPassWarning)
            secret = Secret(getpass.getpass(prompt).strip())
    except (EOFError, getpass.GetPassWarning, NotImplementedError) as exc:
        # A kernel that may not ask, as papermill's, raises an error made of NotImplementedError.
        raise BadInput(
            f"Nobody can be asked for it here. Set {instead}, or call this where there is a "
            "terminal."
        ) from exc
    if not secret:
        raise BadInput("No token was given.")
    return secret


def ask_login(user: str) -> tuple[str, Secret]:
    """Return `user` with the password that somebody types, as `connect` takes both.

    Raises:
        BadInput: nobody can be asked here, or nothing was typed.
    """
    return user, ask_secret(f"Password of {user}: ", "AITK_PASSWORD")
