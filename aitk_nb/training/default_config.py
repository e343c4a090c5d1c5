"""What a job config has by itself: in the web UI's form for a new job, and for the trainer.

Why it is so: docs/behavior.md#trainer
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from aitk_nb._yaml import ours


@cache
def _facts(name: str) -> dict[str, Any]:
    text = files("aitk_nb.training").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    facts: dict[str, Any] = ours(text)
    return facts


def default_process() -> dict[str, Any]:
    """Return the process of a new job, to which `job_config` adds what the parameters say."""
    return copy.deepcopy(_facts("default_process"))


def trainer_defaults() -> Mapping[str, Any]:
    """Return what the trainer takes for each key that a job config leaves out."""
    return _facts("trainer_defaults")
