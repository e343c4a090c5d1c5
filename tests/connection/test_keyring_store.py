"""Credentials from the system's keyring, the environment and a prompt."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aitk_nb import ask_login, ask_secret
from aitk_nb.connection.connection import resolve
from aitk_nb.connection.secret import SERVICE, Secret, entry
from aitk_nb.errors import BadInput

keyring = pytest.importorskip("keyring")
URL = "https://pod.example"


class Kept(keyring.backend.KeyringBackend):  # type: ignore[misc,name-defined]
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept under both names."""
        if self.broken:
            raise keyring.errors.KeyringLocked("nobody unlocks it")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""
        del self.entries[service, username]


@pytest.fixture
def ring() -> Iterator[Kept]:
    """A keyring of the test's own in the place of the system's."""
    before = keyring.get_keyring()
    kept = Kept()
    keyring.set_keyring(kept)
    yield kept
    keyring.set_keyring(before)


def test_a_token_is_kept_by_address(ring: Kept) -> None:
    """As `keyring set aitk-nb ADDRESS` puts it there; another address has another one."""
    keyring.set_password(SERVICE, URL, "kept-token")

    assert Secret("kept-token") == resolve(f"{URL}/", environ={}).token
    assert resolve("https://other.example", environ={}).token is None
    assert resolve("demo:", environ={}).token is None


def test_what_is_given_and_the_environment_come_before_it(ring: Kept) -> None:
    """The keyring is asked last."""
    keyring.set_password(SERVICE, URL, "kept-token")

    assert Secret("ours") == resolve(URL, token="ours", environ={}).token
    assert Secret("theirs") == resolve(URL, environ={"AITK_TOKEN": "theirs"}).token
    assert resolve(URL, credentials="", environ={}).token is None
    login = {"AITK_USERNAME": "me", "AITK_PASSWORD": "mine"}
    assert ("me", Secret("mine")) == resolve(URL, environ=login).login


def test_a_password_is_kept_by_user_and_address(ring: Kept) -> None:
    """The name alone is in the environment."""
    keyring.set_password(SERVICE, entry(URL, "me"), "kept-password")
    connection = resolve(URL, environ={"AITK_USERNAME": "me"})

    assert ("me", Secret("kept-password")) == connection.login
    assert resolve(URL, environ={"AITK_USERNAME": "you"}).login is None


def test_a_keyring_that_cannot_be_asked_has_nothing(ring: Kept) -> None:
    """Locked, or broken in its own way: it is as if there were none."""
    ring.broken = True

    assert resolve(URL, environ={}).token is None


def test_without_the_package_nothing_is_asked() -> None:
    """The package is optional, and not imported where credentials were given."""
    code = (
        "import sys; sys.modules['keyring'] = None\n"
        "from aitk_nb.connection.connection import resolve\n"
        "assert resolve('https://pod.example', environ={}).token is None\n"
        "del sys.modules['keyring']\n"
        "resolve('https://pod.example', token='token', environ={})\n"
        "assert 'keyring' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_both_kinds_of_the_environment_are_taken() -> None:
    """The flavour decides which of them is used."""
    both = {"AITK_TOKEN": "token", "AITK_USERNAME": "me", "AITK_PASSWORD": "mine"}
    connection = resolve(URL, environ=both)

    assert Secret("token") == connection.token
    assert ("me", Secret("mine")) == connection.login
    half = resolve(URL, environ={"AITK_PASSWORD": "mine"})
    assert (None, None) == (half.token, half.login)


# -- a prompt -------------------------------------------------------------------------------------


def test_what_is_typed_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """`getpass` asks, as a kernel's does that can ask."""
    asked: list[str] = []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or " typed \n")

    assert Secret("typed") == ask_secret()
    assert ("me", Secret("typed")) == ask_login("me")
    assert ["Token: ", "Password of me: "] == asked


def test_where_nobody_can_be_asked_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without a front end, a closed terminal, an empty answer."""
    from IPython.core.error import StdinNotImplementedError

    def cannot(_prompt: str) -> str:
        raise StdinNotImplementedError("this frontend does not support input requests")

    for ask in (cannot, lambda _prompt: "  "):
        monkeypatch.setattr(getpass, "getpass", ask)
        with pytest.raises(BadInput):
            ask_secret()


def test_without_a_terminal_nothing_is_typed_in_the_open() -> None:
    """`getpass` would read from stdin and show it; here it is an error in one sentence."""
    code = "import aitk_nb\ntry: aitk_nb.ask_secret()\nexcept aitk_nb.AitkError as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="typed\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        start_new_session=True,
    )

    assert done.stdout.startswith("Can't prompt")
    assert "typed" not in done.stdout + done.stderr
