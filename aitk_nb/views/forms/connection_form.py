"""`ConnectionForm`: a server and its token, which never stays in a widget."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from traitlets import Unicode

from aitk_nb import _html
from aitk_nb.auth.report import AuthReport
from aitk_nb.connection.connection import (
    LOGIN_VARIABLES,
    TOKEN_VARIABLES,
    Connection,
    ConnectionOptions,
    Credentials,
    Secret,
    resolve,
)
from aitk_nb.errors import BadInput
from aitk_nb.views.action import Action
from aitk_nb.views.forms.form import Field, Form, Looks

__all__ = ["ConnectionForm", "Given", "Typed", "read_connection", "token_source"]

USER_VARIABLE = LOGIN_VARIABLES[0]


@dataclass(frozen=True, slots=True)
class Given:
    """What the form was created with: the parts of a connection that are not typed."""

    connection: Connection | str = ""
    credentials: Credentials | None = field(default=None, repr=False)
    headers: Mapping[str, str | Secret] | None = field(default=None, repr=False)
    verify: bool | str | Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def url(self) -> str:
        """The given address, which may be empty."""
        given = self.connection
        return given.url if isinstance(given, Connection) else given

    @property
    def has_credentials(self) -> bool:
        """True if a token, or a user name and password, came with it."""
        if isinstance(self.connection, Connection):
            return bool(self.connection.token or self.connection.login)
        return bool(self.credentials)

    @property
    def user(self) -> str:
        """The given user name, or the one in the environment; it is not a secret."""
        given = self.connection
        login = given.login if isinstance(given, Connection) else self.credentials
        if isinstance(login, tuple):
            return login[0]
        return "" if self.has_credentials else self.environ.get(USER_VARIABLE, "")


@dataclass(frozen=True, slots=True)
class Typed:
    """The content of the form's fields, and the secret that was taken out of one of them."""

    url: str
    user: str = ""
    """The user name; if it is empty, the secret is a token."""
    secret: Secret | None = None


def read_connection(given: Given, typed: Typed) -> Connection:
    """Return the connection that the given and the typed values describe.

    Raises:
        BadInput: The address is invalid, or the token can't be sent.
    """
    url, user = typed.url.strip(), typed.user.strip()
    credentials: Credentials | None = typed.secret
    if typed.secret and user:
        credentials = (user, typed.secret)
    if not isinstance(given.connection, Connection):
        named = {**given.environ, USER_VARIABLE: user} if user else given.environ
        options: ConnectionOptions = {
            "credentials": credentials or given.credentials,
            "headers": given.headers,
            "verify": given.verify,
        }
        return resolve(url, environ=named, **options)
    if credentials is None and url == given.connection.url:
        return given.connection
    checked = resolve(url, credentials=credentials, environ=given.environ)
    if credentials is None:
        return replace(given.connection, url=checked.url)
    return replace(given.connection, url=checked.url, token=checked.token, login=checked.login)


def token_source(given: Given, connection: Connection | None, typed: Typed) -> str:
    """Return where the token or password comes from, without showing it."""
    word = "password" if connection and connection.login and not connection.token else "token"
    if typed.secret is not None:
        return f"the {word} that you typed"
    if given.has_credentials:
        return f"the {word} that came with the connection"
    if connection is None or not (connection.token or connection.login):
        return "none"
    names = TOKEN_VARIABLES if connection.token else LOGIN_VARIABLES[1:]
    variable = next((name for name in names if given.environ.get(name)), "")
    return f"a {word} from {variable}" if variable else f"a {word} from the system's keyring"


class _TokenField(widgets.Password):  # type: ignore[misc]  # ipywidgets publishes no types
    """A password field whose content the kernel never sends back."""

    value = Unicode("").tag(sync=True, echo_update=False)


class ConnectionForm(Form[Connection]):
    """Edits a `Connection`: the address of a server and its token.

    The token is read from the environment as by `connect`, or typed; typed text is taken out of
    the field at once, and kept where no notebook, widget or message shows it.
    """

    def __init__(
        self,
        connection: Connection | str = "",
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        verify: bool | str | Path | None = None,
        on_check: Callable[[Connection], object] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Start from a connection, or from what `connect` takes.

        `on_check`, such as `aitk_nb.check_auth`, adds a button that calls it with the form's value
        and shows the result.
        """
        self._given = Given(connection, credentials, headers, verify, environ)
        self._typed: Secret | None = None
        looks = Looks()
        self._url = widgets.Text(
            self._given.url,
            description="Address",
            placeholder=_default_address(environ),
            style=looks.text,
            layout=looks.control,
        )
        self._token = _TokenField(
            description="Token, password",
            placeholder="empty: use the one named below",
            # Otherwise each key would be read, and taken out of the field, by itself.
            continuous_update=False,
            style=looks.text,
            layout=looks.control,
        )
        self._user = widgets.Text(
            self._given.user,
            description="User name",
            placeholder="empty for a token; required by a Gradio app",
            style=looks.text,
            layout=looks.control,
        )
        self._forget = widgets.Button(
            description="Forget the typed token",
            layout=widgets.Layout(**looks.indented, display="none"),
        )
        self._forget.on_click(lambda _button: self.forget())
        self._token.observe(self._take_token, names="value")
        url = Field(self._url, looks, "https://… of a pod or a gateway, http://… or demo:")
        user = Field(self._user, looks)
        token = Field(self._token, looks)
        body = [*url.widgets, *user.widgets, *token.widgets, self._forget]
        self.check: Action | None = None
        if on_check is not None:
            self.check = Action(
                "Check",
                "Checking …",
                lambda: on_check(self.value),
                self._say,
                done=_in_words,
                layout=widgets.Layout(**looks.indented),
            )
            body.append(self.check.button)
        self._build({"url": url, "user": user, "token": token}, body, looks)
        self._refresh()

    @property
    def edited(self) -> tuple[str, ...]:
        """What was changed since the form was created."""
        token = ("token",) if self._typed is not None else ()
        return tuple(name for name in super().edited if name != "token") + token

    def forget(self) -> None:
        """Forget the token that was typed."""
        self._typed = None
        self._on_edit(None)

    def _take_token(self, change: Mapping[str, Any]) -> None:
        """Keep what was typed as a secret, and empty the field."""
        if text := change["new"].strip():
            self._typed = Secret(text)
        self._token.value = ""

    def _read(self) -> Connection:
        return read_connection(self._given, self._now)

    @property
    def _now(self) -> Typed:
        return Typed(self._url.value, self._user.value, self._typed)

    def _problems(self) -> Mapping[str, str]:
        try:
            self._read()
        except BadInput as exc:
            why = str(exc)
            return {"token" if why.startswith("The token") else "url": why}
        return {}

    def _hints(self) -> Mapping[str, str]:
        connection = None if self._problems() else self._read()
        source = token_source(self._given, connection, self._now)
        return {"token": "No token is used." if source == "none" else f"Used: {source}."}

    def _refresh(self) -> None:
        self._forget.layout.display = "none" if self._typed is None else ""
        super()._refresh()

    def _say(self, text: str, kind: _html.Kind) -> None:
        # HTML has a sign of its own.
        is_shown = isinstance(text, _html.Html)
        self._show_status({}, [text if is_shown else _html.message(text, kind)])

    def _rows(self) -> Iterable[tuple[object, object]]:
        connection = None if self._problems() else self._read()
        yield "address", connection.url if connection else "invalid"
        yield "token", token_source(self._given, connection, self._now)
        if connection and connection.headers:
            yield "extra headers", ", ".join(connection.headers)
        if connection and connection.verify is not True:
            yield "certificate", "a private CA" if connection.verify else "not checked"

    def __repr__(self) -> str:
        problems = self._problems()
        return f"<ConnectionForm {'invalid' if problems else self._read().url}>"


def _default_address(environ: Mapping[str, str]) -> str:
    variable = environ.get("AITK_URL", "")
    return f"{variable} (from AITK_URL)" if variable else "empty: an embedded demo server"


def _in_words(result: object) -> str:
    if isinstance(result, AuthReport):
        return result.html()
    return "" if result is None else repr(result)
