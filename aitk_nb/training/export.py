"""Training parameters written as a notebook's cell, a command line, a job config and requests."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from aitk_nb.backends.webui import script
from aitk_nb.training.config_files import unresolved
from aitk_nb.training.fields import schema
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import items


def parameters_cell(params: TrainingParams) -> str:
    """Return a notebook's parameters cell, one line for each field.

    `TrainingParams.from_names(globals())` after it gives the same parameters.
    """
    return "".join(
        f"{name}: {_type(entry)} = {_literal(getattr(params, name))}  # {entry['description']}\n"
        for name, entry in schema().items()
    )


def _type(entry: Mapping[str, Any]) -> str:
    names = {"integer": "int", "number": "float", "boolean": "bool", "string": "str"}
    return f"list[{_type(entry['items'])}]" if "items" in entry else names[entry["type"]]


def _literal(value: object) -> str:
    # Double quotes, as a formatter would write them; what JSON escapes so, Python does too.
    if isinstance(value, str):
        readable = json.dumps(value, ensure_ascii=False)
        return ascii(value) if _CONTROL.search(readable) else readable
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def command_line(params: TrainingParams) -> str:
    """Return the command that starts the same training job from a shell."""
    # These are always said; the defaults of all others may depend on them.
    own = {name: getattr(params, name) for name in ("name", "dataset", "arch", "base_model")}
    usual = TrainingParams(**own)
    words = [
        word
        for name, value in params
        if (value if name in own else value != getattr(usual, name))
        for word in _options(name, value)
    ]
    return " \\\n  ".join(["aitk-nb train", *words]) + "\n"


def _options(name: str, value: object) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    texts = [str(item) for item in (value if isinstance(value, tuple) else (value,))]
    if isinstance(value, tuple):
        # What would not be read as one item is written as JSON.
        texts = [text if items([text], str) == [text] else json.dumps([text]) for text in texts]
    # With `=`, a value may begin with a dash.
    return [shlex.quote(f"--{flag}={text}") for text in texts]


def _unresolved(params: TrainingParams) -> str:
    return unresolved(draft(params).config, "These requests train")


FORMATS: Mapping[str, Callable[[TrainingParams], str]] = {
    "Job config": lambda params: (
        json.dumps(draft(params).config, indent=2, ensure_ascii=False) + "\n"
    ),
    "Notebook parameters": parameters_cell,
    "Command line": command_line,
    "Requests with curl": lambda params: _unresolved(params) + script.curl(draft(params)),
    "Requests in Python": lambda params: _unresolved(params) + script.python(draft(params)),
}
"""How the parameters can be written down, by title."""
