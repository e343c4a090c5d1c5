"""What a server can be asked: endpoints, operations, and claims held against it, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

__all__ = [
    "OPERATIONS",
    "Claim",
    "Endpoint",
    "Operation",
    "Parameter",
    "described",
    "rows",
    "shortened",
]

OPERATIONS = ("create dataset", "start training", "job status", "download LoRA")
"""What people want of a server."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that an endpoint is given."""

    name: str
    type: str = "string"
    """`string`, `integer`, `number`, `boolean`, `object`, `file`, `any`; `list of …`."""
    where: str = "data"
    """`path`, `query`, `body` (JSON), `form` (multipart) or `data` (Gradio's list of values)."""
    required: bool = False
    default: object = None
    """Value that the server takes without it, where one is known."""
    choices: tuple[object, ...] = ()
    """The only values allowed; empty when there is no such list."""
    about: str = ""
    """What it is for; on Gradio the label that the page shows."""
    example: object = None
    """A value that can be sent."""
    hidden: bool = False
    """True for Gradio's State: the page keeps it, and a raw request sends null in its place."""

    @property
    def word(self) -> str:
        """The parameter in a few characters: `steps: number = 1000`."""
        text = f"{self.name}: {self.type}"
        if self.choices:
            text = f"{self.name}: {' | '.join(map(str, self.choices))}"
        if self.hidden:
            return f"({text}, kept by the page)"
        if self.required:
            return text
        shown = "" if self.default is None else f" = {shortened(self.default)}"
        return f"{text}{shown}" if shown else f"{text}?"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One callable address of a server."""

    name: str
    method: str
    path: str
    """Below the server's address; `{name}` stands for a path parameter."""
    does: str = ""
    """What it gives or does, in a few words."""
    parameters: tuple[Parameter, ...] = ()
    returns: str = ""
    """What comes back, in a few words."""
    auth: str = ""
    """`token` or `login` where one is asked for, `none` where not, `public` where in spite of it
    nothing is asked for, `unknown`."""
    known_by: str = ""
    """How we know: `catalogue, probe`, `info`, `config`, `OpenAPI`."""
    state: str = "unknown"
    """`present`, `changed` (an older form), `absent`, `locked` (a token is needed to see) or
    `unknown`."""
    since: str = ""
    """Date of the upstream commit that first had it; empty on Gradio."""
    note: str = ""
    """What is different here, where the state is `changed`."""
    acts: bool = False
    """True when a request to it changes something, whatever the method."""
    generator: bool = False
    """True when a Gradio function gives its result bit by bit."""
    index: int | None = None
    """Gradio's number of the function; an implementation detail, for functions without a name."""

    @property
    def exists(self) -> bool:
        """True when the server has it, in this form or an older one."""
        return self.state in {"present", "changed"}

    @property
    def probe_path(self) -> str:
        """A path to probe for its existence with PUT, which no endpoint implements."""
        return re.sub(r"\{(\w+)\}", lambda name: "x" if name[1] == "path" else "0", self.path)

    @property
    def sent(self) -> tuple[Parameter, ...]:
        """The parameters that a caller gives."""
        return tuple(parameter for parameter in self.parameters if not parameter.hidden)


@dataclass(frozen=True, slots=True)
class Operation:
    """What somebody wants to do, and the calls behind it on one server."""

    name: str
    """One of `OPERATIONS`."""
    calls: tuple[str, ...] = ()
    """Names of endpoints in the order of calls; empty when the server cannot do it."""
    api_name: str | None = None
    """On Gradio the function that does it, as `/start_training`."""
    arguments: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Our word for a value: the endpoint's parameter, or several of them."""
    confidence: float = 0.0
    """0 to 1; 1 when the server is known to be as we say."""
    reasons: tuple[str, ...] = ()
    """Why these calls."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that people are told, held against one server."""

    claim: str
    verdict: str
    """`true`, `false`, or a word for what it is instead."""
    evidence: str
    """The request and what it answered: status, content type, first characters."""
    instead: str
    """What holds or works on this server; empty where the claim is true."""


LIKE = 4
"""This many parameters that differ only in their number are a row."""


def rows(parameters: Sequence[Parameter]) -> list[tuple[Parameter, ...]]:
    """Return parameters one by one, but those of a long row of similar ones together."""
    found: list[tuple[Parameter, ...]] = []
    for _, group in groupby(parameters, key=_kind):
        row = tuple(group)
        found += [row] if len(row) >= LIKE else [(parameter,) for parameter in row]
    return found


def _kind(parameter: Parameter) -> tuple[object, ...]:
    """Return what the parameters of a row have in common."""
    stem = parameter.name.rstrip("0123456789")
    if stem == parameter.name or parameter.choices:
        return (parameter.name,)
    return stem, parameter.type, parameter.required, parameter.hidden


def described(parameters: Sequence[Parameter]) -> str:
    """Return parameters on one line, a long row of similar ones as its first and last."""
    return ", ".join(
        row[0].word if len(row) == 1 else f"{row[0].name} … {row[-1].word}"
        for row in rows(parameters)
    )


def shortened(value: object, length: int = 24) -> str:
    """Return a value as one short line."""
    text = " ".join((value if isinstance(value, str) else str(value)).split())
    text = text if len(text) <= length else text[: length - 1] + "…"
    return repr(text) if isinstance(value, str) else text
