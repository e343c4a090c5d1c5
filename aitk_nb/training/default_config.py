"""What a job config has by itself: in the web UI's form for a new job, and for the trainer.

Why it is so: docs/behavior.md#trainer
"""

import copy
from collections.abc import Mapping
from typing import Any

from aitk_nb._yaml import facts


def default_process() -> dict[str, Any]:
    """Return the process of a new job, to which `job_config` adds what the parameters say."""
    return dict(copy.deepcopy(facts("aitk_nb.training", "default_process")))


def trainer_defaults() -> Mapping[str, Any]:
    """Return what the trainer takes for each key that a job config leaves out."""
    found: Mapping[str, Any] = facts("aitk_nb.training", "trainer_defaults")
    return found
