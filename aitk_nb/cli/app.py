"""What all commands share: options, exit codes, JSON on stdout and everything else on stderr."""

import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from types import FrameType
from typing import Annotated, Any, ClassVar, TypeVar

import typer
import typer.main
from typer.core import TyperGroup

from aitk_nb.cli.options import set_signature, signature, summary
from aitk_nb.errors import AitkError, BadInput, ConnectionFailed, Unauthorized

COMMANDS = {
    **dict.fromkeys(("demo", "serve"), "serve"),
    "dataset": "dataset",
    "train": "params",
    **dict.fromkeys(("auth", "doctor", "discover"), "discover"),
    **dict.fromkeys(("jobs", "watch", "stop", "losses", "compare"), "jobs"),
    **dict.fromkeys(("download", "safe-to-stop"), "jobs"),
    **dict.fromkeys(("export", "import"), "bundle"),
    **dict.fromkeys(("lora", "loras"), "lora"),
    "params": "params",
    "run": "serve",
    "runpod": "runpod",
}
"""The module of each command, in the order of the help."""


class Commands(Mapping[str, Any]):
    """The commands by name; the module of one is imported when it is asked for."""

    _made: ClassVar[dict[str, Any]] = {}

    def __getitem__(self, name: str) -> Any:
        import_module(f"aitk_nb.cli.{COMMANDS[name]}")
        if name not in self._made:
            self._made.update(vars(typer.main.get_command(app))["registered"])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class LazyGroup(TyperGroup):
    """Imports the module of a command when that command is run or listed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.registered = self.commands
        self.commands: Any = Commands()


app = typer.Typer(
    name="aitk-nb",
    cls=LazyGroup,
    epilog="Exit codes: 0 done, 1 server or job failed, 2 bad input, 3 unreachable, "
    "4 unauthorized, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    # Markup would swallow what stands in brackets, such as "[trigger]".
    rich_markup_mode=None,
    # A traceback with the values of variables would show a token.
    pretty_exceptions_show_locals=False,
    pretty_exceptions_enable=False,
)

Every = Annotated[float, typer.Option(min=0.1, help="Polling interval in seconds.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"aitk-nb {version('aitk-nb')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Train LoRAs on a remote AI Toolkit server."""


Command = TypeVar("Command", bound=Callable[..., None])


def command(
    name: str, on: typer.Typer = app, **options: Any
) -> Callable[[Command], Callable[..., None]]:
    """Register a command whose failures are one sentence on stderr and an exit code."""

    def register(function: Command) -> Callable[..., None]:
        def run(**kwargs: Any) -> None:
            with _explained():
                function(**kwargs)

        set_signature(run, signature(function).parameters.values(), function)
        on.command(name, help=summary(function), **options)(run)
        return run

    return register


@contextmanager
def _explained() -> Iterator[None]:
    try:
        with _interruptible():
            yield
    except AitkError as exc:
        # A server's words may be in it.
        say("\n".join(map(plain, f"aitk-nb: {exc}".splitlines())))
        raise typer.Exit(_exit_code(exc)) from None
    except KeyboardInterrupt as exc:
        # Python notes an interrupt that ends an `exec` of text, by which every dataclass is made,
        # and `python -m` kills itself with it at exit, whoever has caught it. One more `exec`, and
        # it is forgotten.
        exec("")  # noqa: S102
        say(f"aitk-nb: interrupted{f'; {exc}' if exc.args else ''}")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        _close_stdout()
        raise typer.Exit(0) from None
    except OSError as exc:
        # Such as a full disk under `aitk-nb jobs > file`.
        say(f"aitk-nb: {exc.strerror or exc}{f': {exc.filename}' if exc.filename else ''}")
        _close_stdout()
        raise typer.Exit(1) from None


@contextmanager
def if_interrupted(then: str) -> Iterator[None]:
    """Make an interrupt of the block say `then`."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(then) from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does, so that it cleans up.

    Only the first one counts: a second Ctrl-C must not cut the cleanup short, which ends by
    itself within seconds.
    """
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What `nohup`, or a shell that starts us in the background, ignores stays ignored.
    before = {number: signal.getsignal(number) for number in known}
    ours = [number for number in known if before[number] is not signal.SIG_IGN]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            # What an interrupt has made us ignore stays ignored to the end of the process.
            if signal.getsignal(number) is interrupt:
                signal.signal(number, before[number])


def _close_stdout() -> None:
    """Discard what is left for stdout: writing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(exc: AitkError) -> int:
    if isinstance(exc, BadInput):
        return 2
    if isinstance(exc, ConnectionFailed):
        return 3
    refused = isinstance(exc, Unauthorized) or getattr(exc, "status", 0) == 401
    return 4 if refused else 1


def say(text: str, *, end: str = "\n") -> None:
    """Write a line for people, on stderr."""
    typer.echo(text + end, err=True, nl=False)


def confirmed(question: str) -> bool:
    """Ask on stderr, and return whether the answer is yes.

    Raises:
        BadInput: There is no answer, as in a script.
    """
    # The prompt of a library would put a space on stdout, which is for results.
    say(f"{question} [y/N]: ", end="")
    answer = sys.stdin.readline()
    if not answer:
        say("")
        raise BadInput("No answer, so nothing was deleted. Pass --yes to continue.")
    return answer.strip().lower() in {"y", "yes"}


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def plain(text: str) -> str:
    """Return a server's text on one line, without control characters that a terminal would obey."""
    return _CONTROL.sub(" ", text)


def show(document: Callable[[], object], words: str, *, as_json: bool) -> None:
    """Write the result on stdout: one JSON document, or words for people if there are any."""
    if as_json:
        show_json(document())
    elif words:
        typer.echo(words)


def show_json(value: object) -> None:
    """Write this command's JSON document on stdout; NaN and infinity become null."""
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    typer.echo(json.dumps(_finite(value), ensure_ascii=ascii_only, indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
