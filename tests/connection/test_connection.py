"""Which server is meant, and how to prove who we are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.connection.connection import Connection, Secret, clean_url, resolve
from aitk_nb.errors import BadInput


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:8675", "http://127.0.0.1:8675"),
        ("http://127.0.0.1:8675/", "http://127.0.0.1:8675"),
        (" https://abc-8675.proxy.runpod.net/ \n", "https://abc-8675.proxy.runpod.net"),
        (
            "https://abc-8675.proxy.runpod.net/jobs?tab=1#top",
            "https://abc-8675.proxy.runpod.net/jobs",
        ),
        ("HTTPS://Example.ORG:443/Proxy/8675/", "https://example.org:443/Proxy/8675"),
        ("abc-8675.proxy.runpod.net", "https://abc-8675.proxy.runpod.net"),
        ("localhost:8675", "http://localhost:8675"),
        ("127.0.0.1:8675/lab/proxy/8675/", "http://127.0.0.1:8675/lab/proxy/8675"),
        ("192.168.1.5:8675", "http://192.168.1.5:8675"),
        ("[::1]:8675", "http://[::1]:8675"),
        ("http://[::1]:8675", "http://[::1]:8675"),
        ("demo:", "demo:"),
        ("demo:/data/Server One", "demo:/data/Server One"),
    ],
)
def test_addresses_as_people_paste_them(text: str, url: str) -> None:
    """Spaces, slashes, queries and missing schemes are mended; a path is kept."""
    assert url == clean_url(text)
    assert url == clean_url(url)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http:///jobs",
        "https://[::1",
        "http://host:port",
        "http://host:99999",
        "http://ex..ample",
        "http://" + "a" * 64 + ".org",
        "http://a b.org",
        "https://host\x00.org",
        "my secret token",
        "htp:/nonsense",
        "://",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """In one sentence."""
    with pytest.raises(BadInput) as caught:
        clean_url(text)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["https://user:hunter2@host", "https://hunter2@host"])
def test_a_password_in_the_address_is_refused_without_repeating_it(text: str) -> None:
    """It would stand in every message and in the notebook."""
    with pytest.raises(BadInput, match="credentials") as caught:
        clean_url(text)

    assert "hunter2" not in str(caught.value)


@given(st.text())
def test_any_text_is_an_address_or_bad_input(text: str) -> None:
    """Nothing else comes out of it, and a clean address stays clean."""
    try:
        url = clean_url(text)
    except BadInput:
        return
    assert url == clean_url(url)


def test_what_is_given_comes_before_the_environment() -> None:
    """Address and token."""
    environ = {"AITK_URL": "http://127.0.0.1:1", "AITK_TOKEN": "theirs"}

    given = resolve("http://127.0.0.1:2", token="ours", environ=environ)
    from_environ = resolve(environ=environ)

    assert ("http://127.0.0.1:2", Secret("ours")) == (given.url, given.token)
    assert ("http://127.0.0.1:1", Secret("theirs")) == (from_environ.url, from_environ.token)


def test_without_anything_it_is_the_embedded_server_and_no_token() -> None:
    """A token that was set for another server does not go to it."""
    nothing = resolve(environ={})
    assert nothing.is_demo
    assert nothing.token is None
    assert resolve("demo:", environ={"AITK_TOKEN": "for another"}).token is None


def test_our_variable_comes_before_the_servers() -> None:
    """`AI_TOOLKIT_AUTH` counts where `AITK_TOKEN` is missing or empty."""
    both = {"AITK_TOKEN": "ours", "AI_TOOLKIT_AUTH": "servers"}
    url = "http://127.0.0.1:1"
    assert Secret("ours") == resolve(url, environ=both).token
    assert Secret("servers") == resolve(url, environ={**both, "AITK_TOKEN": ""}).token
    assert resolve(url, credentials="", environ=both).token is None


def test_a_connection_is_taken_as_it_is() -> None:
    """Nothing is added from the environment."""
    connection = Connection("http://127.0.0.1:1")
    assert connection is resolve(connection, environ={"AITK_TOKEN": "x"})


def test_a_login_is_no_token() -> None:
    """A user name with a password is for Gradio."""
    connection = resolve("http://127.0.0.1:1", credentials=("user", "password"), environ={})
    assert connection.token is None
    assert ("user", Secret("password")) == connection.login


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tökén", "\x00", " padded"])
def test_a_token_that_no_request_can_carry_is_refused(token: str) -> None:
    """Without repeating it."""
    with pytest.raises(BadInput, match="token") as caught:
        resolve("http://127.0.0.1:1", token=token, environ={})

    assert token not in str(caught.value)


def test_extra_headers_become_secrets() -> None:
    """They are a gateway's tokens most of the time."""
    given: dict[str, str | Secret] = {"X-Plain": "a", "X-Secret": Secret("b")}
    headers = resolve("http://127.0.0.1:1", headers=given, environ={}).headers
    assert {"X-Plain": Secret("a"), "X-Secret": Secret("b")} == headers


def test_a_private_ca_is_a_file_that_is_there(tmp_path: Path) -> None:
    """As text or as a path; a home folder is understood."""
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    for verify in (ca, str(ca)):
        assert ca == resolve("http://127.0.0.1:1", verify=verify, environ={}).verify
    assert resolve("http://127.0.0.1:1", verify=False, environ={}).verify is False
    assert resolve("http://127.0.0.1:1", environ={}).verify is True
    with pytest.raises(BadInput, match="missing"):
        resolve("http://127.0.0.1:1", verify=tmp_path / "missing.pem", environ={})
