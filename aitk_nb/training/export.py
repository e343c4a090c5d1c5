"""Training parameters as a notebook's cell, a command line and requests, and in figures."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import get_args, get_origin

from aitk_nb.backends.webui import script
from aitk_nb.models.job import JobDraft
from aitk_nb.training.fields import TrainingParams
from aitk_nb.training.job_config import draft

__all__ = ["FACES", "command_line", "parameters_cell"]


def parameters_cell(params: TrainingParams) -> str:
    """Return a notebook's parameters cell, one line for each field.

    `TrainingParams.from_names(globals())` after it gives the same parameters.
    """
    return "".join(
        f"{name}: {_type(name)} = {_literal(getattr(params, name))}  # {field.description}\n"
        for name, field in TrainingParams.model_fields.items()
    )


def _type(name: str) -> str:
    kind = TrainingParams.model_fields[name].annotation
    if get_origin(kind) is tuple:
        return f"list[{get_args(kind)[0].__name__}]"
    return str(getattr(kind, "__name__", kind))


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
    """Return the command that starts the same training from a shell."""
    usual = TrainingParams.model_validate(
        {"name": "x", "dataset": "x", "arch": params.arch, "base_model": params.base_model}
    )
    words = []
    for name in TrainingParams.model_fields:
        value = getattr(params, name)
        if name not in ("name", "dataset", "arch", "base_model") and value == getattr(usual, name):
            continue
        if name in ("arch", "base_model") and not value:
            continue
        words += [shlex.join(part) for part in _options(name, value)]
    return " \\\n  ".join(["aitk-nb train", *words]) + "\n"


def _options(name: str, value: object) -> list[list[str]]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [[flag if value else f"--no-{flag[2:]}"]]
    # With `=`, a value may begin with a dash.
    return [[f"{flag}={item}"] for item in (value if isinstance(value, tuple) else (value,))]


def _config(job: JobDraft) -> str:
    return json.dumps(job.config, indent=2, ensure_ascii=False) + "\n"


def _of_draft(write: Callable[[JobDraft], str]) -> Callable[[TrainingParams], str]:
    return lambda params: write(draft(params))


FACES: Mapping[str, Callable[[TrainingParams], str]] = {
    "Job config": _of_draft(_config),
    "Notebook parameters": parameters_cell,
    "Command line": command_line,
    "Requests by curl": _of_draft(script.curl),
    "Requests in Python": _of_draft(script.python),
}
"""How the parameters can be written down, by title."""
