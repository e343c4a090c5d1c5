"""Tokens: from a variable, a file or a prompt, and never in what is printed."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, Ran, environment, run
from tests.cli.conftest import TOKEN

WRONG = "another-token-that-must-not-be-seen"


def seen(ran: Ran) -> str:
    """Return all that was printed."""
    return ran.out + ran.err


def test_a_token_from_a_variable(closed_url: str) -> None:
    """The usual variable by itself, and another one by its name."""
    for variable, option in (("AITK_TOKEN", []), ("MINE", ["--token-env", "MINE"])):
        ran = run("jobs", "--url", closed_url, "--json", *option, env={variable: TOKEN})

        assert [] == ran.json
        assert TOKEN not in seen(ran)


def test_a_token_from_a_file(closed_url: str, tmp_path: Path) -> None:
    """The line break at its end does not belong to it."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")

    assert [] == run("jobs", "--url", closed_url, "--json", "--token-file", file).json


@pytest.mark.skipif(os.name != "posix", reason="a terminal is made for it")
def test_a_token_from_a_prompt(closed_url: str) -> None:
    """It is asked for on the terminal, and not shown there; stdout has the JSON alone."""
    code, out, terminal = _typed(["jobs", "--url", closed_url, "--json", "--ask-token"], TOKEN)

    assert (0, "[]") == (code, out.strip())
    assert "Token" in terminal
    assert TOKEN not in terminal


@pytest.mark.skipif(os.name != "posix", reason="a terminal is made for it")
def test_a_wrong_token_from_a_prompt(closed_url: str) -> None:
    """It is refused without being shown."""
    code, out, terminal = _typed(["jobs", "--url", closed_url, "--ask-token"], WRONG)

    assert 4 == code
    assert WRONG not in out + terminal


def _typed(args: list[str], text: str) -> tuple[int, str, str]:
    """Run a command on a terminal, type `text`, and return its code, stdout and the terminal."""
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        # A new session takes the first terminal that it opens as its own.
        [
            "/bin/sh",
            "-c",
            f'exec 3<>{os.ttyname(theirs)}; exec "$@" 2>&3 3>&-',
            "sh",
            *COMMAND,
            *args,
        ],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        shown = _read(ours, until=b"Token: ")
        os.close(theirs)
        os.write(ours, text.encode() + b"\n")
        out, _ = process.communicate(timeout=30)
    shown += _read(ours)
    os.close(ours)
    return process.returncode, out, shown.decode()


def _read(terminal: int, until: bytes = b"\0") -> bytes:
    """Return what the terminal shows, up to `until` or its end."""
    shown = b""
    while until not in shown and select.select([terminal], [], [], 20)[0]:
        piece = b""
        with contextlib.suppress(OSError):  # nobody has the other end any more
            piece = os.read(terminal, 1000)
        if not piece:
            break
        shown += piece
    return shown


@pytest.mark.parametrize("token", [{}, {"AITK_TOKEN": WRONG}, {"AI_TOOLKIT_AUTH": WRONG}])
def test_without_the_right_token(closed_url: str, token: dict[str, str]) -> None:
    """One sentence says which is the case and what to set."""
    ran = run("jobs", "--url", closed_url, "--json", env=token, code=4)

    assert "" == ran.out
    assert 1 == len(ran.err.splitlines())
    assert ("rejects the token" if token else "requires a token") in ran.err
    assert "AITK_TOKEN" in ran.err
    assert WRONG not in ran.err


@pytest.mark.parametrize(
    "args",
    [
        ["jobs", "--token-env", WRONG],
        ["jobs", "--token-file", WRONG],
        ["jobs", "--token", WRONG],
        ["jobs", f"--token={WRONG}"],
        ["serve", "--token-env", WRONG],
        ["jobs", "--url", f"http://me:{WRONG}@127.0.0.1:9"],
        ["jobs", "--url", f"{WRONG}://"],
    ],
    ids=" ".join,
)
def test_a_token_given_in_the_wrong_place_is_not_repeated(args: list[str]) -> None:
    """Whoever pastes it as an argument finds it in no log of ours."""
    assert WRONG not in seen(run(*args, code=2))


def test_a_token_that_no_header_can_carry(closed_url: str) -> None:
    """It is refused before it is sent, without being shown."""
    for token in ("with a space", "umläut-töken", "two\nlines"):
        ran = run("jobs", "--url", closed_url, env={"AITK_TOKEN": token}, code=2)

        assert token.split()[0] not in ran.err.replace("with a character", "")
