"""Training parameters as a notebook's cell, a command line and requests, and in figures."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args, get_origin

from aitk_nb.backends.webui import script
from aitk_nb.training.fields import TrainingParams
from aitk_nb.training.job_config import draft

__all__ = ["FACES", "Plan", "command_line", "parameters_cell", "plan", "size"]


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


def _config(params: TrainingParams) -> str:
    return json.dumps(draft(params).config, indent=2, ensure_ascii=False) + "\n"


FACES: Mapping[str, Callable[[TrainingParams], str]] = {
    "Job config": _config,
    "Notebook parameters": parameters_cell,
    "Command line": command_line,
    "Requests by curl": lambda params: script.curl(draft(params), freest=not params.gpu_ids),
    "Requests in Python": lambda params: script.python(draft(params), freest=not params.gpu_ids),
}
"""How the parameters can be written down, by title."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training comes to; what is not known is None."""

    images_seen: int
    steps_per_epoch: int | None
    epochs: float | None
    checkpoints: int
    """Files that are left at the end, the last one included."""
    disk: int | None
    """Bytes of these files."""

    def __str__(self) -> str:
        words = [f"{self.images_seen:,} images seen"]
        if self.steps_per_epoch and self.epochs is not None:
            epochs = f"{self.epochs:,.0f}" if self.epochs >= 100 else f"{self.epochs:.3g}"
            words += [f"{self.steps_per_epoch:,} steps per epoch", f"{epochs} epochs"]
        else:
            words.append("epochs unknown without the number of images")
        words.append(f"{self.checkpoints} checkpoint{'s' * (self.checkpoints != 1)} kept")
        if self.disk is None:
            words.append("disk unknown before the first checkpoint")
        else:
            words.append(f"about {size(self.disk)}")
        return " · ".join(words)


def size(amount: int) -> str:
    """Return bytes for people."""
    if amount < 1e6:
        return f"{amount / 1e3:,.1f} kB"
    return f"{amount / 1e6:,.0f} MB" if amount < 1e10 else f"{amount / 1e9:,.1f} GB"


def plan(
    params: TrainingParams, images: int | None = None, checkpoint_size: int | None = None
) -> Plan:
    """Return what a training comes to, with a dataset of so many images.

    An epoch shows each image once at each resolution. `checkpoint_size` are the bytes of a
    checkpoint that was seen; without it nothing is said of the disk.
    """
    at_once = params.batch_size * params.gradient_accumulation
    seen = params.steps * at_once
    shown = images * len(params.resolution) if images else None
    # The last step is saved as the LoRA, beside the numbered ones.
    kept = min((params.steps - 1) // params.save_every, params.max_saves) + 1
    return Plan(
        images_seen=seen,
        steps_per_epoch=math.ceil(shown / at_once) if shown else None,
        epochs=seen / shown if shown else None,
        checkpoints=kept,
        disk=None if checkpoint_size is None else kept * checkpoint_size,
    )
