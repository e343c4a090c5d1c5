"""Every error that aitk_nb raises on purpose, split by whose turn it is.

    AitkError
    ├── BadInput                what was given cannot be used: mend it and call again
    │   ├── InvalidParams       training parameters out of bounds, unknown or contradictory
    │   ├── InvalidDataset      a folder that cannot become a dataset
    │   └── MissingExtra        an optional package is not installed
    ├── ConnectionFailed        nobody answered
    │   └── ServerNotReady      something answered, but no training server (yet)
    ├── Unauthorized            the server wants a token, or another one
    ├── Rejected                the server understood and said no
    │   ├── NotFound            no job, dataset or file of that name
    │   └── JobConflict         a job of that name exists with another config
    ├── UnexpectedReply         the server answered in a form that nobody has seen
    ├── NotSupported            this flavour of server cannot do it at all
    └── TransferFailed          files that did not arrive whole

The message says what happened and what to do next; the facts are attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = [
    "AitkError",
    "BadInput",
    "ConnectionFailed",
    "InvalidDataset",
    "InvalidParams",
    "JobConflict",
    "MissingExtra",
    "NotFound",
    "NotSupported",
    "Rejected",
    "ServerNotReady",
    "TransferFailed",
    "Unauthorized",
    "UnexpectedReply",
]


class AitkError(Exception):
    """Any failure that aitk_nb explains."""


class BadInput(AitkError):
    """Something that the caller gave cannot be used."""


class InvalidParams(BadInput):
    """Training parameters that cannot be sent; `problems` maps a field to what is wrong."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        lines = "; ".join(": ".join(filter(None, item)) for item in problems.items())
        end = "" if lines.endswith("?") else "."
        super().__init__(f"Invalid training parameters: {lines}{end}")
        self.problems = dict(problems)


class InvalidDataset(BadInput):
    """A folder that cannot become a dataset; `problems` has one sentence each."""

    def __init__(self, folder: str, problems: Sequence[str]) -> None:
        shown = " ".join(problems[:5])
        more = f" And {len(problems) - 5} more." if len(problems) > 5 else ""
        super().__init__(f"{folder} cannot be used as a dataset. {shown}{more}")
        self.folder = folder
        self.problems = tuple(problems)


class MissingExtra(BadInput):
    """An optional package is not installed."""

    def __init__(self, package: str, install: str) -> None:
        super().__init__(f"This needs {package}, which is not installed. Install it by: {install}")
        self.package = package
        self.install = install


class ConnectionFailed(AitkError):
    """The server could not be reached; `cause` is a word for why.

    It is one of `dns`, `refused`, `no route`, `timeout`, `tls`, `proxy` and `broken`, or empty.
    """

    def __init__(self, url: str, reason: str = "", *, cause: str = "") -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"No server answers at {url}{because}. "
            "Is it running, is the address right, and is the port reachable from here?"
        )
        self.url = url
        self.reason = reason
        self.cause = cause


class ServerNotReady(ConnectionFailed):
    """Something answers at the address, but it is no training server, or not yet one."""

    def __init__(self, url: str, seen: str, advice: str = "") -> None:
        booting = (
            "A pod that is still booting answers like this: wait a minute and try again, "
            "then check the port in the address (AI Toolkit's web UI listens on 8675)."
        )
        AitkError.__init__(
            self, f"{url} answers {seen}, which is not a training server. {advice or booting}"
        )
        self.url = url
        self.reason = seen
        self.cause = ""


class Unauthorized(AitkError):
    """The server wants credentials, or does not accept what it got; `sent` tells which."""

    def __init__(self, url: str, *, sent: bool, login: bool = False) -> None:
        thing, do = (_LOGIN if login else _TOKEN)[sent]
        what = f"does not accept {thing}" if sent else f"wants {thing}, and none was given"
        super().__init__(f"The server at {url} {what}. {do}")
        self.url = url
        self.sent = sent
        self.login = login


_GIVE_ONE = (
    "Set AITK_TOKEN to the value that the server has in "
    "AI_TOOLKIT_AUTH (AI Toolkit's own default in Docker is the word 'password')."
)
_TOKEN = (("a token", _GIVE_ONE), ("the token", _GIVE_ONE))
_GIVE_BOTH = (
    "Set AITK_USERNAME and AITK_PASSWORD (or AITK_PASSWORD, with --user on the command line), or "
    "give credentials=('user', 'password'): those that the app was launched with."
)
_LOGIN = (
    ("a user name and password", _GIVE_BOTH),
    ("this user name and password", _GIVE_BOTH),
)


class Rejected(AitkError):
    """The server understood the request and refused it."""

    def __init__(self, what: str, reply: str = "", status: int = 0) -> None:
        said = f": {reply}" if reply else ""
        code = f" ({status})" if status else ""
        super().__init__(f"The server refused to {what}{code}{said}")
        self.reply = reply
        self.status = status


class NotFound(Rejected):
    """There is no job, dataset or file of that name on the server."""

    def __init__(self, kind: str, name: str, known: Sequence[str] = (), *, hint: str = "") -> None:
        listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        have = f" It has: {listed}." if known else ""
        more = f" {hint}" if hint else ""
        AitkError.__init__(self, f"The server has no {kind} named {name!r}.{have}{more}")
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        self.reply = ""
        self.status = 404


class JobConflict(Rejected):
    """A job of that name exists with another config; `differences` says where they differ."""

    def __init__(self, name: str, differences: Sequence[str], *, active: bool = False) -> None:
        shown = "; ".join(differences[:6])
        more = f" (and {len(differences) - 6} more)" if len(differences) > 6 else ""
        first = "Stop it first, or choose" if active else "Choose"
        AitkError.__init__(
            self,
            f"A job named {name!r} exists with another config: {shown}{more}. {first} another "
            "name, start with if_exists='new' (--if-exists new) for a fresh name, or with "
            "if_exists='resume' (--if-exists resume) to go on from its last checkpoint with the "
            "new config.",
        )
        self.name = name
        self.differences = tuple(differences)
        self.reply = ""
        self.status = 409


class UnexpectedReply(AitkError):
    """The server answered in a form that is not known; `seen` describes it."""

    def __init__(self, what: str, seen: str) -> None:
        super().__init__(
            f"The server's answer to '{what}' is not understood: {seen}. It may be of a newer "
            "or older version than this client knows."
        )
        self.what = what
        self.seen = seen


class NotSupported(AitkError):
    """This server cannot do it at all."""

    def __init__(self, ability: str, flavour: str, instead: str) -> None:
        super().__init__(f"A {flavour} server cannot {ability}. {instead}")
        self.ability = ability
        self.flavour = flavour
        self.instead = instead


class TransferFailed(AitkError):
    """Files that did not arrive; `failures` maps each to the reason, `done` counts the others."""

    def __init__(self, failures: Mapping[str, str], done: int = 0) -> None:
        shown = "; ".join(f"{name}: {why}" for name, why in list(failures.items())[:5])
        more = f" (and {len(failures) - 5} more)" if len(failures) > 5 else ""
        super().__init__(
            f"{len(failures)} of {len(failures) + done} files did not arrive: {shown}{more}. "
            "Call again: what has arrived is not sent twice."
        )
        self.failures = dict(failures)
        self.done = done
