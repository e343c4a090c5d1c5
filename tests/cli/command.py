"""Running `aitk-nb` in this process or in one of its own, and what came of it."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from aitk_nb.cli import app

COMMAND = (sys.executable, "-m", "aitk_nb.cli")

# In a process of its own no command is registered yet, and a group finds those it needs.
_APP = copy.copy(app)
_APP.registered_commands, _APP.registered_groups = [], []

PATIENCE = 300.0
"""Seconds after which a command hangs, however busy the machine is."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def run(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    code: int = 0,
    cwd: Path | None = None,
    answer: str = "",
) -> Ran:
    """Run a command in this process to its end, check that this is `code`, and return all.

    What no command expects is raised. `answer` is what somebody types; else nobody is there.
    A server of `demo:` would live on after the command: that is one for `run_process`.
    """
    with contextlib.chdir(cwd or Path.cwd()):
        ended = CliRunner().invoke(
            _APP,
            [*map(str, args)],
            input=answer,
            env={**dict.fromkeys(os.environ), **environment(env)},
            catch_exceptions=False,
            prog_name="aitk-nb",
        )
    return _checked(Ran(ended.exit_code, ended.stdout, ended.stderr), code)


def run_process(
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    code: int = 0,
    start: Sequence[str] = COMMAND,
) -> Ran:
    """Do the same in a process, for what only one of its own has: encodings, limits, folders."""
    done = subprocess.run(
        [*start, *map(str, args)],
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return _checked(Ran(done.returncode, out, err), code)


def _checked(ran: Ran, code: int) -> Ran:
    assert "Traceback" not in ran.err + ran.out, ran.err
    assert code == ran.code, ran.err
    return ran


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of this process without addresses, tokens and proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "AITK_JOURNAL"
        or (not name.startswith(("AITK_", "AI_TOOLKIT_")) and name.lower() not in _PROXIES)
    }
    return {**kept, "COLUMNS": "80", **(changes or {})}


def start(
    *args: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, as a shell does."""
    # A shell that starts the tests in the background has them, and so their children, ignore it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        env=environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextlib.contextmanager
def served(
    data: Path, *args: str, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Yield the address of an `aitk-nb serve` on the folder `data`, and its process."""
    with start("serve", "--data", data, *args, env=env) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.terminate()
