"""`ConnectionForm`: a server and its token, which never stays in a widget."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._display.error_card import parts
from aitk_nb._units import plural
from aitk_nb.auth import messages
from aitk_nb.auth.report import AuthReport
from aitk_nb.connection.connection import (
    LOGIN_VARIABLES,
    TOKEN_VARIABLES,
    Connection,
    ConnectionOptions,
    Credentials,
    hidden,
    resolve,
)
from aitk_nb.connection.secret import Secret
from aitk_nb.errors import AitkError, BadInput
from aitk_nb.views.action import Action
from aitk_nb.views.forms.field_group import Field, Looks, TokenField
from aitk_nb.views.forms.form import Form
from aitk_nb.views.widgets import can_wait, wait_for

Client = TypeVar("Client")

USER_VARIABLE = LOGIN_VARIABLES[0]
_AFTER_ENTER = 0.3
"""Seconds within which a page sends what was typed, after it has sent that Enter was pressed."""
_TYPE = {
    "Set AITK_TOKEN to": "Type into the field above",
    messages.LOGIN: "Type into the fields above",
}
"""What to do in a form instead of setting a variable."""


class ConnectionForm(Form[Connection]):
    """Edits a `Connection`: the address of a server and its token.

    The token is read from the environment as by `connect`, or typed; typed text is removed from
    the field at once, and kept where no notebook, widget or message shows it.

    Example:
        >>> form = aitk_nb.views.ConnectionForm("http://127.0.0.1:8675", token="my-token")
        >>> form.value
        Connection(url='http://127.0.0.1:8675', verify=True)
    """

    def __init__(
        self,
        connection: Connection | str = "",
        *,
        token: Secret | str | None = None,
        credentials: Credentials | None = None,
        headers: Mapping[str, str | Secret] | None = None,
        verify: bool | str | Path | None = None,
        on_check: Callable[[Connection], object] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Start from a connection, or from what `connect` takes.

        Args:
            connection: A connection, or the address at the start; by default AITK_URL.
            token: The server's token.
            credentials: User name and password.
            headers: Extra headers for a gateway in front of the server.
            verify: File with a private CA; False accepts any certificate.
            on_check: What the button "Check" calls with the form's value, such as
                `aitk_nb.check_auth`; its result is shown. Without it there is no button.
            environ: The environment variables.
        """
        options: ConnectionOptions = {
            "token": token,
            "credentials": credentials,
            "headers": headers,
        }
        del token, credentials, headers
        self._given, self._start = hidden(options), connection
        self._given["verify"] = verify
        url = connection
        if isinstance(connection, Connection):
            url = connection.url
            # An empty secret, so that none is read from the keyring or the environment.
            own = connection.token or connection.login or Secret("")
            self._given = {
                "credentials": own,
                "headers": dict(connection.headers),
                "verify": connection.verify,
            }
            environ = {}
        # Not itself: the form's attributes must show no token.
        self._environ: Callable[[], Mapping[str, str]] = lambda: environ
        given = self._given["credentials"]
        user = "" if given else environ.get(USER_VARIABLE, "")
        self._typed: Secret | None = None
        looks = Looks()
        variable = environ.get("AITK_URL", "")
        empty = f"{variable} (from AITK_URL)" if variable else "empty: an embedded demo server"
        self._url = looks.entry(widgets.Text, "Address", value=url, placeholder=empty)
        self._token = looks.entry(
            TokenField,
            "Token or password",
            # Otherwise each key would be read, and taken out of the field, by itself.
            continuous_update=False,
        )
        user = given[0] if isinstance(given, tuple) else user
        empty = "empty for a token; required by a Gradio app"
        self._user = looks.entry(widgets.Text, "User name", value=user, placeholder=empty)
        self._forget = looks.button("Forget the typed token", display="none")
        self._forget.on_click(lambda _button: self.forget())
        self._token.observe(self._take_token, names="value")
        address = Field(self._url, looks, "https://… of a pod or a gateway, http://… or demo:")
        name = Field(self._user, looks)
        secret = Field(self._token, looks)
        buttons: list[widgets.Widget] = [self._forget]
        self.check: Action | None = None
        self._entered = False
        if on_check is not None:
            self.check = Action(
                "Check",
                "Checking …",
                lambda: on_check(self._read()),
                self._say,
                done=self._in_words,
            )
            self.check.button.button_style = "primary"
            buttons.insert(0, self.check.button)
            for control in (self._url, self._user, self._token):
                control.on_msg(self._on_key)
        body = [*address.widgets, *name.widgets, *secret.widgets, widgets.HBox(buttons)]
        self._build({"url": address, "user": name, "token": secret}, body, looks)
        self._refresh()

    @property
    def edited(self) -> tuple[str, ...]:
        """The fields that were edited since the form was created; `token` if one was typed."""
        token = ("token",) if self._typed is not None else ()
        return tuple(name for name in super().edited if name != "token") + token

    async def connected(self, connect: Callable[[Connection], Client]) -> Client:
        """Return a client that the server accepts; wait for a right token where somebody is there.

        Args:
            connect: What makes a client, such as `aitk_nb.connect`.

        Raises:
            AitkError: The server can't be used, and nobody is there to correct the form.
            WaitingStopped: The cell was interrupted.
        """
        while True:
            try:
                client = connect(self._read())
                # To connect is not to be let in.
                cast(Any, client).datasets.list()
            except AitkError as exc:
                if self.check is None or not can_wait():
                    raise
                await self._checked_again(self.check, parts(exc)[0])
            else:
                self._show_as_used()
                return client

    async def _checked_again(self, check: Action, what: str) -> None:
        """Wait until somebody has pressed the button: what is half typed is sent nowhere."""
        before = check.runs
        why = f"{what} Correct the form above and press Check; this cell then goes on."
        await wait_for(lambda: check.runs > before, self.widget, "Check", why)

    def forget(self) -> None:
        """Forget the token that was typed."""
        self._typed = None
        self._on_edit(None)

    def _take_over(self, before: ConnectionForm) -> None:
        super()._take_over(before)
        # A token is for the address that it was typed for.
        if self._url.value == before._url.value:
            self._typed = before._typed

    def _drop_edits(self) -> None:
        super()._drop_edits()
        self.forget()

    def _take_token(self, change: Mapping[str, Any]) -> None:
        """Keep what was typed as a secret, and empty the field."""
        if text := change["new"].strip():
            self._typed = Secret(text)
        self._token.value = ""
        self._check_entered()

    def _on_key(self, _control: object, content: Mapping[str, Any], _buffers: object) -> None:
        """Check after Enter: at once when the typed token arrives, or soon if none was typed."""
        if content.get("event") == "submit":
            self._entered = True
            threading.Timer(_AFTER_ENTER, self._check_entered).start()

    def _check_entered(self) -> None:
        if self._entered and self.check is not None:
            self._entered = False
            self.check.press()

    def _read(self) -> Connection:
        url, user = self._url.value.strip(), self._user.value.strip()
        start, given = self._start, self._given
        if isinstance(start, Connection) and (url, self._typed) == (start.url, None):
            return start
        typed = (user, self._typed) if self._typed and user else self._typed
        return resolve(
            url,
            environ={**self._environ(), **({USER_VARIABLE: user} if user else {})},
            credentials=typed or given["credentials"],
            headers=given["headers"],
            verify=given["verify"],
        )

    def _token_source(self, connection: Connection | None) -> str:
        """Return where the token or password comes from, without showing it."""
        word = "password" if connection and connection.login and not connection.token else "token"
        if self._typed is not None:
            return f"the {word} that you typed"
        if self._given["credentials"]:
            return f"the {word} that came with the connection"
        if connection is None or not (connection.token or connection.login):
            return "none"
        names = TOKEN_VARIABLES if connection.token else LOGIN_VARIABLES[1:]
        variable = next((name for name in names if self._environ().get(name)), "")
        return f"a {word} from {variable}" if variable else f"a {word} from the system's keyring"

    def _problems(self) -> Mapping[str, str]:
        try:
            self._read()
        except BadInput as exc:
            why = str(exc)
            return {"token" if why.startswith("The token") else "url": why}
        return {}

    def _hints(self) -> Mapping[str, str]:
        connection = None if self._problems() else self._read()
        source = self._token_source(connection)
        if source == "none":
            return {"token": "None is set: that is enough for a server that requires none."}
        return {"token": f"Used: {source}."}

    def _refresh(self) -> None:
        self._forget.layout.display = "none" if self._typed is None else ""
        super()._refresh()

    def _show_status(self, _problems: Mapping[str, str], also: Iterable[object] = ()) -> None:
        # What is wrong stands below its field.
        super()._show_status({}, also)

    def _say(self, text: str, kind: html.Kind) -> None:
        if kind == "error" and self._problems():
            text = "Nothing was checked. Correct the field above first."
        # HTML has a sign of its own.
        is_shown = isinstance(text, html.Html)
        self._show_status({}, [text if is_shown else html.message(text, kind)])

    def _in_words(self, result: object) -> str:
        """Return what a check has found: the verdict, what to do next, and the rest folded."""
        if not isinstance(result, AuthReport):
            return "" if result is None else repr(result)
        if result.ok:
            verdict = f"Connected to {result.product or 'the server'} at {result.url}."
            step = f"{result.diagnosis} Run the next cell to go on."
        else:
            verdict, step = result.diagnosis, result.next_step
            is_elsewhere = self._typed is None and self._token_source(self._read()) != "none"
            for variable, here in _TYPE.items():
                instead = step.replace(variable, here)
                if instead != step:
                    step = f"{step} Or type it into the field above." if is_elsewhere else instead
        said = html.join([html.strong(verdict), " ", step])
        shown = [html.message(said, "ok" if result.ok else "error")]
        if result.findings:
            title = plural(len(result.findings), "security note")
            shown.append(html.details(title, [result.findings.html()]))
        return html.join(shown)

    def _rows(self) -> Iterable[tuple[object, object]]:
        connection = None if self._problems() else self._read()
        yield "address", connection.url if connection else "invalid"
        yield "token", self._token_source(connection)
        if connection and connection.headers:
            yield "extra headers", ", ".join(connection.headers)
        if connection and connection.verify is not True:
            yield "certificate", "a private CA" if connection.verify else "not checked"

    def __repr__(self) -> str:
        problems = self._problems()
        return f"<ConnectionForm {'invalid' if problems else self._read().url}>"
