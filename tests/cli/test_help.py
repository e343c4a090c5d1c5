"""The help texts: complete, and readable in 80 columns."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import typer.main

from aitk_nb.cli import app
from aitk_nb.training.fields import schema
from tests.cli.command import run

EXIT_CODES = {"0": "done", "1": "failed", "2": "bad input", "3": "unreachable", "4": "unauthorized"}


def commands(command: Any, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return every command and group below `command` with the words that call it."""
    inner = getattr(command, "commands", {})
    below = [commands(sub, (*words, name)) for name, sub in inner.items()]
    return [(words, command), *(item for items in below for item in items)]


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_version_imports_no_command() -> None:
    """Nor what commands need: it is shown at once."""
    code = (
        "import sys; from aitk_nb.cli import app\n"
        "app(['--version'], standalone_mode=False)\n"
        "print(sorted({'numpy', 'pydantic', 'httpx', 'aitk_nb.cli.params'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ["[]"] == done.stdout.splitlines()[1:]


@pytest.fixture(scope="module")
def train_help() -> str:
    """What `train --help` says, on one line."""
    return " ".join(run("train", "--help").out.split())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_its_options(words: tuple[str, ...]) -> None:
    """No command, option or argument is without a sentence, and none is wider than 80 columns."""
    command = COMMANDS[words]
    shown = run(*words, "--help").out

    assert command.help
    assert max(map(len, shown.splitlines())) <= 80
    for parameter in command.params:
        assert parameter.help, parameter.name
        for flag in [flag for flag in parameter.opts if flag.startswith("--")]:
            assert flag in shown


def test_the_list_of_commands_is_not_cut_short() -> None:
    """Each command is described by a whole sentence, and exit codes are told."""
    shown = run("--help").out
    listed = re.findall(r"^  ([a-z][a-z-]*)  +(.+)$", shown, re.MULTILINE)

    assert "demo" == listed[0][0]
    assert {words[0] for words in COMMANDS if words} == {name for name, _ in listed}
    assert all(text.endswith(".") and "..." not in text for _, text in listed)
    for code, word in EXIT_CODES.items():
        assert re.search(rf"\b{code}\s[a-z ]*{word}", " ".join(shown.split()))


@pytest.mark.parametrize("name", schema())
def test_every_training_parameter_is_an_option(name: str, train_help: str) -> None:
    """`train` has an option for each field, with its description and its default."""
    entry = schema()[name]

    assert f"--{name.replace('_', '-')}" in train_help
    assert entry["description"] in train_help
    if isinstance(entry.get("default"), int | float):
        assert f"{entry['description']}. [default: {entry['default']}]" in train_help


def test_brackets_are_shown(train_help: str) -> None:
    """What stands in brackets is text and no markup."""
    assert "replaces [trigger] in captions" in train_help
    assert "[default: 512 768 1024]" in train_help
    assert "--lr <float 0..10>" in train_help


def test_no_option_takes_a_token() -> None:
    """The process list and the shell's history would keep it."""
    flags = {flag for command in COMMANDS.values() for p in command.params for flag in p.opts}

    assert {"--token-env", "--token-file", "--ask-token"} <= flags
    assert not flags & {"--token", "--password", "--credentials", "--header"}


def test_every_command_that_speaks_to_a_server_takes_its_address() -> None:
    """All but the local ones; those that return data have `--json`, and `params` has `--format`."""
    leaves = {
        words[-1]: [flag for p in c.params for flag in p.opts]
        for words, c in COMMANDS.items()
        if words and not hasattr(c, "commands") and words[0] != "runpod"  # which has --api
    }

    local = {"serve", "lora", "check", "fix", "params"}
    assert local == {name for name, flags in leaves.items() if "--url" not in flags}
    assert {"serve", "params"} == {name for name, flags in leaves.items() if "--json" not in flags}
