"""Every error that aitk_nb raises on purpose, split by whose turn it is.

    AitkError
    ├── BadInput                an argument is invalid: correct it and call again
    │   ├── InvalidParams       training parameters out of range, unknown or contradictory
    │   ├── InvalidDataset      a folder that can't become a dataset
    │   └── MissingExtra        an optional package is not installed
    ├── ConnectionFailed        the server is unreachable
    │   └── ServerNotReady      something else answers, or the server is still starting
    ├── Unauthorized            authentication failed
    ├── Rejected                the server understood the request and rejected it
    │   ├── NotFound            no job, dataset or file of that name
    │   ├── JobConflict         a job of that name exists with another config
    │   └── RunPodError         RunPod rejected the request
    ├── UnexpectedReply         the server's response has an unknown form
    ├── NotSupported            this flavour of server can't do it at all
    ├── JobFailed               the job ended in error or was stopped
    └── TransferFailed          files that did not arrive complete

The message says what happened and what to do next; the facts are attributes.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from aitk_nb._display import error_card

__all__ = [
    "AitkError",
    "BadInput",
    "ConnectionFailed",
    "InvalidDataset",
    "InvalidParams",
    "JobConflict",
    "JobFailed",
    "MissingExtra",
    "NotFound",
    "NotSupported",
    "Rejected",
    "RunPodError",
    "ServerNotReady",
    "TransferFailed",
    "Unauthorized",
    "UnexpectedReply",
]


class AitkError(Exception):
    """Any failure that aitk_nb explains.

    Example:
        >>> try:
        ...     client.jobs.get("no such job")
        ... except aitk_nb.AitkError as error:
        ...     print(error)
        The server has no job named 'no such job'. It has: ...
    """

    command = ""
    """A line of a cell or a terminal that mends it; empty if there is none."""

    @staticmethod
    def _said(about: str) -> Any:
        from aitk_nb._yaml import facts  # late: most runs have no error

        return facts("aitk_nb", "errors")[about]

    def _render_traceback_(self) -> list[str]:
        # IPython's hook; the traceback would push what happened off the page.
        return error_card.rendered(self, self.command)


class BadInput(AitkError):
    """An argument is invalid.

    Example:
        >>> aitk_nb.connect("ftp://example.com")
        Traceback (most recent call last):
        aitk_nb.errors.BadInput: Invalid address. It must start with http:// or https://...
    """


class InvalidParams(BadInput):
    """Invalid training parameters; `problems` maps a field to what is wrong.

    Example:
        >>> aitk_nb.InvalidParams({"steps": "must be at least 1"}).problems
        {'steps': 'must be at least 1'}
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        lines = "; ".join(": ".join(filter(None, item)) for item in problems.items())
        end = "" if lines.endswith("?") else "."
        super().__init__(f"Invalid training parameters: {lines}{end}")
        self.problems = dict(problems)


class InvalidDataset(BadInput):
    """A folder that can't become a dataset; `problems` has a sentence for each.

    Example:
        >>> aitk_nb.InvalidDataset("cats", ["There are no images."]).problems
        ('There are no images.',)
    """

    def __init__(self, folder: str, problems: Sequence[str]) -> None:
        shown = " ".join(problems[:5])
        more = f" And {len(problems) - 5} more." if len(problems) > 5 else ""
        super().__init__(f"{folder} is not a valid dataset. {shown}{more}")
        self.folder = folder
        self.problems = tuple(problems)


class MissingExtra(BadInput):
    """An optional package is not installed.

    Example:
        >>> print(aitk_nb.MissingExtra("pyarrow", "pip install pyarrow"))
        This requires pyarrow, which is not installed. Install it with: pip install pyarrow
    """

    def __init__(self, package: str, install: str) -> None:
        super().__init__(
            f"This requires {package}, which is not installed. Install it with: {install}"
        )
        self.package = package
        self.install = self.command = install


class ConnectionFailed(AitkError):
    """The server is unreachable; `cause` is a word for why.

    It is one of `dns`, `refused`, `no route`, `timeout`, `tls`, `proxy` and `broken`, or empty.

    Example:
        >>> aitk_nb.ConnectionFailed("https://my-pod.example", cause="dns").cause
        'dns'
    """

    cause = ""

    def __init__(self, url: str, reason: str = "", *, cause: str = "") -> None:
        because = f" ({reason})" if reason else ""
        hint = " Is the server running, the address correct and the port open?"
        super().__init__(f"Can't reach {url}{because}.{'' if cause == 'proxy' else hint}")
        self.url = url
        self.reason = reason
        self.cause = cause
        self.command = f"aitk-nb doctor --url {shlex.quote(url)}"


class ServerNotReady(ConnectionFailed):
    """Something answers at the address, but it is not a training server, or not yet.

    Example:
        >>> print(aitk_nb.ServerNotReady("http://pod", "with a login page", "Check the port."))
        http://pod answers with a login page, which is not a training server. Check the port.
    """

    def __init__(self, url: str, seen: str, advice: str = "") -> None:
        advice = advice or self._said("booting")
        AitkError.__init__(self, f"{url} answers {seen}, which is not a training server. {advice}")
        self.url = url
        self.reason = seen


class Unauthorized(AitkError):
    """Authentication failed; `sent` is true if credentials were sent and rejected.

    `gateway` is what a gateway in front of the server answered, if that refused the request.

    Example:
        >>> aitk_nb.Unauthorized("https://my-pod.example", sent=True).sent
        True
    """

    def __init__(self, url: str, *, sent: bool, login: bool = False, gateway: str = "") -> None:
        required, rejected, do = self._said("login" if login else "token")
        what = f"rejects {rejected}" if sent else f"requires {required}, and none was given"
        text = f"The server at {url} {what}. {do}"
        super().__init__(f"{url} answers {gateway}. {self._said('gateway')}" if gateway else text)
        self.url = url
        self.sent = sent
        self.login = login
        self.gateway = gateway
        ask = 'credentials=aitk_nb.ask_login("user")' if login else "token=aitk_nb.ask_secret()"
        self.command = "" if gateway else f"client = aitk_nb.connect({url!r}, {ask})"


class Rejected(AitkError):
    """The server understood the request and rejected it; `status` is the HTTP status, or 0.

    Example:
        >>> aitk_nb.Rejected("save the job", "Internal error", 500).status
        500
    """

    reply = ""
    status = 0

    def __init__(self, what: str, reply: str = "", status: int = 0) -> None:
        said = f": {reply}" if reply else ""
        code = f" ({status})" if status else ""
        super().__init__(f"The server refused to {what}{code}{said}")
        self.reply = reply
        self.status = status


class NotFound(Rejected):
    """The server has no job, dataset or file of that name; `known` lists what it has.

    Example:
        >>> aitk_nb.NotFound("job", "dog", ["cat"]).known
        ('cat',)
    """

    status = 404

    def __init__(self, kind: str, name: str, known: Sequence[str] = (), *, hint: str = "") -> None:
        listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        have = f" It has: {listed}." if known else ""
        more = f" {hint}" if hint else ""
        AitkError.__init__(self, f"The server has no {kind} named {name!r}.{have}{more}")
        self.kind = kind
        self.name = name
        self.known = tuple(known)


class JobConflict(Rejected):
    """A job of that name exists with another config; `differences` lists where they differ.

    Example:
        >>> aitk_nb.JobConflict("cat", ["train.steps: 500 on the server, now 900"]).differences
        ('train.steps: 500 on the server, now 900',)
    """

    status = 409

    def __init__(self, name: str, differences: Sequence[str], *, active: bool = False) -> None:
        shown = "; ".join(differences[:6])
        more = f" (and {len(differences) - 6} more)" if len(differences) > 6 else ""
        first = "Stop it first, or choose" if active else "Choose"
        what = f"A job named {name!r} exists with another config: {shown}{more}."
        AitkError.__init__(self, f"{what} {first} {self._said('conflict')}")
        self.name = name
        self.differences = tuple(differences)
        self.command = 'client.jobs.start(params, if_exists="new")'


class RunPodError(Rejected):
    """RunPod rejected a request; `status` is the HTTP status and `reply` its explanation.

    Example:
        >>> aitk_nb.RunPodError("create the pod", "insufficient balance", 402).status
        402
    """

    def __init__(self, what: str, reply: str = "", status: int = 0, advice: str = "") -> None:
        said = f": {reply.rstrip('.')}" if reply else ""
        code = f" ({status})" if status else ""
        advice = advice or _OF_RUNPOD.get(status, "")
        AitkError.__init__(self, f"RunPod refused to {what}{code}{said}. {advice}".rstrip())
        self.reply = reply
        self.status = status


_OF_RUNPOD = {
    401: "Create a key in RunPod's console under Settings, API Keys, and set RUNPOD_API_KEY.",
    402: "The account has no credit left, so nothing can be created: add credit in its console.",
    403: "The key does not permit this: RunPod's console shows what it may do.",
}


class UnexpectedReply(AitkError):
    """The server's response has an unknown form; `seen` describes it.

    Example:
        >>> print(aitk_nb.UnexpectedReply("list the jobs", "not a list of jobs"))
        Unexpected response to 'list the jobs': not a list of jobs. The server may be newer ...
    """

    def __init__(self, what: str, seen: str) -> None:
        super().__init__(
            f"Unexpected response to '{what}': {seen}. The server may be newer or older than this "
            "client supports."
        )
        self.what = what
        self.seen = seen


class NotSupported(AitkError):
    """This flavour of server does not support it; `instead` says what to do.

    Example:
        >>> aitk_nb.NotSupported("list jobs", "Gradio", "Keep the job in a variable.").instead
        'Keep the job in a variable.'
    """

    def __init__(self, ability: str, flavour: str, instead: str) -> None:
        super().__init__(f"A {flavour} server cannot {ability}. {instead}")
        self.ability = ability
        self.flavour = flavour
        self.instead = instead


class JobFailed(AitkError):
    """A job ended in an error or was stopped; `status`, `step` and `info` describe it.

    Example:
        >>> aitk_nb.JobFailed("cat", "error", 40, "CUDA out of memory").step
        40
    """

    def __init__(self, name: str, status: str, step: int, info: str = "") -> None:
        super().__init__(
            f"{name} ended as {status} at step {step}: "
            f"{info.rstrip('.') or 'the server does not say why'}."
        )
        self.name = name
        self.status = status
        self.step = step
        self.info = info


class TransferFailed(AitkError):
    """Files that did not arrive; `failures` maps each to the reason, `done` counts the others.

    Example:
        >>> aitk_nb.TransferFailed({"a.png": "timeout"}, done=11).failures
        {'a.png': 'timeout'}
    """

    def __init__(self, failures: Mapping[str, str], done: int = 0) -> None:
        shown = "; ".join(f"{name}: {why}" for name, why in list(failures.items())[:5])
        more = f" (and {len(failures) - 5} more)" if len(failures) > 5 else ""
        super().__init__(
            f"{len(failures)} of {len(failures) + done} files did not arrive: {shown}{more}. "
            "Call again: files that arrived are not sent again."
        )
        self.failures = dict(failures)
        self.done = done
