"""`ConnectionForm`: the same connection as `connect` means, and no token where it can be read."""

from __future__ import annotations

import gc
import queue
import weakref
from typing import Any

import pytest

from aitk_nb.auth.api import check_auth
from aitk_nb.connection.connection import Connection, Secret, resolve
from aitk_nb.demo import DemoServer
from aitk_nb.errors import BadInput
from aitk_nb.views import ConnectionForm
from tests.conftest import TOKEN
from tests.views.conftest import click, instances, send, stored

PLANTED = "planted-token-4711"
TYPED = "typed-token-0815"


def test_untouched_it_is_what_connect_would_mean() -> None:
    """An empty form, an address and a connection each give what `resolve` gives."""
    environ = {"AITK_URL": "https://one.example/x/", "AITK_TOKEN": PLANTED}
    given = Connection("https://two.example", token=Secret("mine"), verify=False)
    for start, other in (("", {}), ("http://localhost:8675", {}), ("demo:", environ), (given, {})):
        form = ConnectionForm(start, environ=environ | other)
        assert resolve(start, environ=environ) == form.value
        form.close()


def test_edited_by_messages_it_is_the_same_as_constructed() -> None:
    """An address and a token that are typed make the connection that was meant."""
    form = ConnectionForm("demo:", environ={})
    send(form._url, value="https://pod.example/")
    send(form._token, value=f" {TYPED} ")

    assert resolve("https://pod.example", token=TYPED, environ={}) == form.value
    assert ("url", "token") == form.edited
    form.close()


def test_the_check_shows_what_it_found(token_server: DemoServer) -> None:
    """Green and first that it works, then what to do; what is unsafe is folded below."""
    form = ConnectionForm(token_server.url, token=TOKEN, environ={}, on_check=check_auth)
    assert form.check is not None
    form.check.press()
    form.check.wait(30)
    verdict, _, rest = form._status.value.partition("<details>")

    assert ">✓<" in verdict
    assert f"Connected to AI Toolkit&#x27;s web UI at {token_server.url}." in verdict
    assert "Run the next cell" in verdict
    assert "1 security note" in rest
    assert "without the token" in rest
    assert ">✕<" not in rest
    assert "AuthReport" not in form._status.value
    form.close()


def test_the_advice_fits_what_was_done(token_server: DemoServer) -> None:
    """A typed token is typed again; one of a variable is corrected there, or typed."""
    environ = {"AITK_TOKEN": PLANTED}
    form = ConnectionForm(token_server.url, environ=environ, on_check=check_auth)
    assert form.check is not None
    form.check.press()
    form.check.wait(30)
    assert "Set AITK_TOKEN to exactly what the server has" in form._status.value
    assert "Or type it into the field above." in form._status.value
    plain = ConnectionForm(token_server.url, environ={}, on_check=check_auth)
    assert plain.check is not None
    plain.check.press()
    plain.check.wait(30)
    assert "Type into the field above what the server has" in plain._status.value
    plain.close()
    send(form._token, value=TYPED)
    form.check.press()
    form.check.wait(30)

    assert ">✕<" in form._status.value
    assert "Type into the field above exactly what the server has" in form._status.value
    assert "Set AITK_TOKEN" not in form._status.value
    form.close()


def test_enter_checks_what_was_typed() -> None:
    """A page says first that Enter was pressed, and then what was typed, if anything was."""
    seen: queue.Queue[Connection] = queue.Queue()
    form = ConnectionForm("http://localhost", environ={}, on_check=seen.put)
    assert form.check is not None
    enter = {"method": "custom", "content": {"event": "submit"}}
    form._token.comm.handle_msg({"content": {"data": enter}, "buffers": []})
    send(form._token, value=TYPED)
    assert Secret(TYPED) == seen.get(timeout=10).token
    form.check.wait(10)
    form._url.comm.handle_msg({"content": {"data": enter}, "buffers": []})
    assert "http://localhost" == seen.get(timeout=10).url
    form.check.wait(10)
    assert seen.empty()
    form.close()


def test_a_given_connection_keeps_its_other_parts() -> None:
    """Headers and certificates stay when address and token are typed anew."""
    given = Connection("https://a.example", Secret("old"), headers={"X": Secret("y")}, verify=False)
    form = ConnectionForm(given)
    send(form._url, value="https://b.example")
    assert Secret("old") == form.value.token
    send(form._token, value=TYPED)
    value = form.value

    assert ("https://b.example", Secret(TYPED)) == (value.url, value.token)
    assert (given.headers, False) == (value.headers, value.verify)
    form.close()


def test_a_user_name_makes_the_secret_a_password() -> None:
    """As a Gradio app wants both; without the name it is a token again."""
    form = ConnectionForm("http://localhost:7860", environ={})
    send(form._user, value=" me ")
    assert form.value.login is None
    send(form._token, value=TYPED)

    assert ("me", Secret(TYPED)) == form.value.login
    assert form.value.token is None
    assert "the password that you typed" in form._repr_html_()
    assert ("user", "token") == form.edited
    send(form._user, value="")
    assert Secret(TYPED) == form.value.token
    form.close()


def test_a_login_of_the_environment_is_used_and_its_password_not_shown(
    wire: list[dict[str, Any]],
) -> None:
    """The name is no secret and stands in its field; the password stands nowhere."""
    environ = {"AITK_USERNAME": "me", "AITK_PASSWORD": PLANTED}
    form = ConnectionForm("http://localhost:7860", environ=environ)
    given = Connection("http://localhost:7860", login=("you", Secret(PLANTED)))
    other = ConnectionForm(given)

    assert ("me", Secret(PLANTED)) == form.value.login
    assert "me" == form._user.value
    assert "a password from AITK_PASSWORD" in form._fields["token"].note.value
    assert ("you", given) == (other._user.value, other.value)
    states = [part.get_state() for each in (form, other) for part in _all_widgets(each)]
    for text in map(str, (wire, states, form._repr_mimebundle_(), other._repr_mimebundle_())):
        assert PLANTED not in text
    form.close()
    other.close()


def test_while_it_is_invalid_the_value_raises() -> None:
    """Never the last usable value; the reason stands below the field and below the form."""
    form = ConnectionForm("demo:", environ={})
    send(form._url, value="ftp://<b>x")

    with pytest.raises(BadInput, match="Invalid address"):
        _ = form.value
    assert "Invalid address" in form._fields["url"].note.value
    assert 'role="status"' in form._fields["url"].note.value
    assert "Invalid address" not in form._status.value
    assert "<ConnectionForm invalid>" == repr(form)
    send(form._url, value="demo:")
    assert "demo:" == form.value.url
    assert "Invalid address" not in form._fields["url"].note.value
    form.close()


def test_a_token_that_cannot_be_sent_is_told_beside_its_field() -> None:
    """It can be forgotten by a button."""
    form = ConnectionForm("http://localhost", environ={})
    send(form._token, value="two words")

    with pytest.raises(BadInput, match="contains a space"):
        _ = form.value
    assert "contains a space" in form._fields["token"].note.value
    assert "" == form._forget.layout.display
    click(form._forget)
    assert form.value.token is None
    assert "none" == form._forget.layout.display
    form.close()


def test_no_token_is_in_any_widget_or_message(wire: list[dict[str, Any]]) -> None:
    """Not one from the environment, not a given one, not a typed one; the source is named."""
    environ = {"AITK_TOKEN": PLANTED}
    form = ConnectionForm("http://localhost", environ=environ)
    other = ConnectionForm("http://localhost", credentials=PLANTED, headers={"X": PLANTED})
    assert "a token from AITK_TOKEN" in form._fields["token"].note.value
    send(form._token, value=TYPED)

    assert TYPED == form.value.token.reveal()  # type: ignore[union-attr]
    assert "" == form._token.value
    states = [part.get_state() for part in _all_widgets(form)]
    shown = [form._repr_mimebundle_(), other._repr_mimebundle_(), repr(form), vars(form), states]
    for text in map(str, (*shown, wire, form._given, other._given)):
        assert PLANTED not in text
        assert TYPED not in text
    emptied = {"method": "update", "state": {"value": ""}, "buffer_paths": []}
    assert emptied in [message["data"] for message in wire if message["type"] == "comm_msg"]
    assert "the token that you typed" in form._repr_html_()
    form.close()
    other.close()


def _all_widgets(form: Any) -> list[Any]:
    from aitk_nb.views.widgets import _parts

    return list(_parts(form.widget))


def test_an_executed_notebook_holds_no_token(execute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in outputs nor in the state of widgets, whether planted or typed."""
    monkeypatch.setenv("AITK_TOKEN", PLANTED)
    book = execute(
        "from aitk_nb.views import ConnectionForm\nform = ConnectionForm('http://localhost')\nform",
        "data = {'method': 'update', 'buffer_paths': [],"
        f" 'state': {{'value': '-'.join({TYPED.split('-')})}}}}\n"
        "form._token.comm.handle_msg({'content': {'data': data}, 'buffers': []})\n"
        "len(form.value.token.reveal())",
        "form.value",
        "form",
    )

    assert str(len(TYPED)) == book.cells[1].outputs[0]["data"]["text/plain"]
    assert book.metadata["widgets"]
    assert PLANTED not in stored(book)
    assert TYPED not in stored(book)
    first, last = (book.cells[number].outputs[0]["data"] for number in (0, 3))
    assert "<ConnectionForm http://localhost>" == first["text/plain"] == last["text/plain"]
    # What was used stands where the form was; the form that is shown again is a form.
    assert "the token that you typed" in first["text/html"]
    assert ["text/html", "text/plain"] == sorted(first)
    assert 3 == len(last)


def test_the_check_is_injected_and_its_failure_is_shown() -> None:
    """The button calls what was given with the value; a form has none by itself."""
    seen: list[Connection] = []

    def check(connection: Connection) -> str:
        seen.append(connection)
        if len(seen) > 1:
            raise RuntimeError("<i>broken</i>")
        return "fine"

    form = ConnectionForm("demo:", on_check=check, environ={})
    assert form.check is not None
    for word in ("fine", "&lt;i&gt;broken"):
        click(form.check.button)
        form.check.wait(5)
        assert word in form._status.value
    assert [form.value] * 2 == seen
    form.close()
    plain = ConnectionForm("demo:")
    assert plain.check is None
    plain.close()


def test_unknown_arguments_name_the_nearest() -> None:
    """A slip of the pen is a TypeError, and makes no widget."""
    before = instances()
    with pytest.raises(TypeError, match="no argument 'credential'; did you mean 'credentials'"):
        ConnectionForm(credential="x")  # type: ignore[call-arg]
    assert before == instances()


@pytest.mark.slow
def test_two_hundred_forms_leak_nothing() -> None:
    """Closed forms leave no widget, layout or style, and are forgotten."""
    before = instances()
    forms = [ConnectionForm(f"http://localhost:{port}") for port in range(8000, 8200)]
    kept = [weakref.ref(form) for form in forms]
    for form in forms:
        form.close()
        assert "application/vnd.jupyter.widget-view+json" not in form._repr_mimebundle_()
    assert "http://localhost:8199" == forms[-1].value.url
    assert before == instances()
    del form, forms
    gc.collect()
    assert not [ref for ref in kept if ref() is not None]
