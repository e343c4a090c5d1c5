"""`Secret`: what came along by accident, and hiding it in texts, without showing it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.connection.secret import Secret

BARE = "token-4711"
TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        (BARE, 0),
        ("", 0),
        ("two words", 0),
        ('"', 0),
        ("it's", 0),
        (f"{BARE} ", 1),
        (f"\n{BARE}", 1),
        (f'"{BARE}"', 1),
        (f"'{BARE}'", 1),
        (f"`{BARE}`", 1),
        (f"“{BARE}”", 1),
        (f"Bearer {BARE}", 1),
        (f"bearer  {BARE}", 1),
        (f"AITK_TOKEN={BARE}", 1),
        (f' AI_TOOLKIT_AUTH="{BARE}" \r\n', 3),
        (f'" {BARE} "', 2),
    ],
)
def test_what_came_along_is_named_and_taken_away(text: str, flaws: int) -> None:
    """The bare secret is what is left; nothing of it is in the words."""
    secret = Secret(text)

    assert flaws == len(secret.flaws), secret.flaws
    assert "4711" not in str(secret.flaws)
    assert secret.mended == (Secret(BARE) if flaws else secret)


@given(TOKENS)
def test_a_mended_token_has_no_space_around_it(token: str) -> None:
    """Whatever it is, spaces and line breaks around it go, and a token without flaws stays."""
    secret = Secret(token)

    assert Secret(f" {token}\r\n").mended == secret.mended
    assert bool(secret.flaws) is (secret.mended != secret)


@given(TOKENS.filter(lambda token: len(token) > 3), st.text(), st.text())
def test_no_text_shows_it(token: str, before: str, after: str) -> None:
    """Plain, as Python writes it, and in an address."""
    from urllib.parse import quote

    secret = Secret(token)
    for form in (token, repr(token)[1:-1], quote(token, safe="")):
        assert form not in secret.hidden_in(f"{before} {form} {after}") or form in "…"


@given(TOKENS, TOKENS)
def test_basic_credentials_are_hidden_as_a_whole_and_alone(user: str, password: str) -> None:
    """The word that is sent is as good as the password."""
    import base64

    basic = Secret.basic(user, Secret(password))
    word = base64.b64encode(f"{user}:{password}".encode()).decode()

    assert basic.is_header_value
    assert basic == Secret(f"Basic {word}")
    if len(word) >= 8:
        assert word not in basic.hidden_in(f"echo: {word}")
