"""What a server offers, as values: endpoints with parameters, and operations."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

OPERATIONS = ("create dataset", "start training", "job status", "download LoRA")
"""What people want to do on a server."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an endpoint."""

    name: str
    type: str = "string"
    """`string`, `integer`, `number`, `boolean`, `object`, `file`, `any`; `list of …`."""
    where: str = "data"
    """`path`, `query`, `body` (JSON), `form` (multipart) or `data` (Gradio's list of values)."""
    required: bool = False
    default: object = None
    """Value that the server uses without it, if known."""
    choices: tuple[object, ...] = ()
    """The allowed values; empty if any is."""
    about: str = ""
    """What it is for; on Gradio the label on the page."""
    example: object = None
    """A value that can be sent."""
    minimum: float | None = None
    """The least number that the page takes, if it says so."""
    maximum: float | None = None
    hidden: bool = False
    """True for Gradio's State: the page keeps it, and a raw request sends null instead."""

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
    """What it returns or does, in a few words."""
    parameters: tuple[Parameter, ...] = ()
    returns: str = ""
    """What comes back, in a few words."""
    auth: str = ""
    """`token` or `login` if one is required, `none` if not, `public` if nothing is required despite
    a token, `unknown`."""
    known_by: str = ""
    """How it is known: `catalog, probe`, `info`, `config`, `OpenAPI`."""
    state: str = "unknown"
    """`present`, `changed` (an older form), `absent`, `locked` (only a token shows it) or
    `unknown`."""
    since: str = ""
    """Date of the upstream commit that first had it; empty on Gradio."""
    note: str = ""
    """What is different, if the state is `changed`."""
    acts: bool = False
    """True if a request to it changes something, whatever the method."""
    generator: bool = False
    """True if a Gradio function returns its result in parts."""
    index: int | None = None
    """Gradio's number of the function; an implementation detail, for functions without a name."""

    @property
    def result(self) -> str:
        """What comes back, and whether it comes in parts."""
        return f"{self.returns}, in parts" if self.generator else self.returns

    @property
    def exists(self) -> bool:
        """True if the server has it, in this form or an older one."""
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
    """A task, such as starting a job, and the calls for it on one server."""

    name: str
    """One of `OPERATIONS`."""
    calls: tuple[str, ...] = ()
    """Names of endpoints in the order of calls; empty if the server can't do it."""
    api_name: str | None = None
    """On Gradio the function that does it, such as `/start_training`."""
    arguments: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Our word for a value: the endpoint's parameter, or several of them."""
    confidence: float = 0.0
    """0 to 1; 1 if the calls are known to be right."""
    reasons: tuple[str, ...] = ()
    """Why these calls."""


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
    default = repr(parameter.default)
    return stem, parameter.type, parameter.required, parameter.hidden, default


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
