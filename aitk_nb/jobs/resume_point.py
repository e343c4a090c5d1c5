"""`resume_point`: the checkpoint from which the trainer continues a job.

It takes the newest file of the job's folder whose name begins with the job's, and the step from
its metadata (`get_latest_save_path` in AI Toolkit's jobs/process/BaseSDTrainProcess.py).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.errors import BadInput, NotFound, NotSupported, Rejected, UnexpectedReply
from aitk_nb.lora.safetensors_file import read_header
from aitk_nb.models.job import JobState, RemoteFile
from aitk_nb.training.config_paths import value_at

_SKIPPED = ("_LoRA", "_refiner", "_t2i", "_cn")
"""A path with one of them is left out by the trainer, unless the job's name has it too."""


def resume_point(backend: Backend, state: JobState, config: Mapping[str, Any]) -> str:
    """Return where the trainer continues a job with `config`, as far as that is known, as a phrase.

    No server tells when a file was written. A run saves at growing steps, so that of the job's own
    checkpoints the one of the highest step is the newest; of other files that cannot be known.
    """
    try:
        files = backend.list_files(state)
    except (NotSupported, Rejected, UnexpectedReply):
        return "from its newest checkpoint; the server does not show which that is"
    first = value_at(config, "config.process.0.train.start_step")
    found = [file for file in files if _is_taken(file, state.name)]
    if not found and not isinstance(value_at(config, "config.process.0.network"), Mapping):
        return "from its newest checkpoint; the server lists none of a whole model"
    if not found:
        return f"at step {first if isinstance(first, int) else 0}: the server lists no checkpoint"
    own = re.compile(re.escape(state.name) + r"(_\d{9})?\.safetensors")
    if strange := [file.name for file in found if not own.fullmatch(file.name)]:
        which = f"the server does not say which, and {strange[0]} is one of them"
        return f"from the newest of {plural(len(found), 'file')}; {which}"
    numbered = max(found, key=lambda file: file.name[len(state.name) :])
    final = [file for file in found if file.name == f"{state.name}.safetensors"]
    known = {file: _step(backend, file) for file in {numbered, *final}}
    if None in known.values():
        names = " or ".join(sorted(file.name for file in known))
        return f"from {names}, at a step that the server does not show"
    newest, step = max(known.items(), key=lambda pair: (pair[1] or 0, pair[0] in final))
    # The trainer does not read the step of the metadata where the config names the first one.
    step = first if isinstance(first, int) else step
    steps = value_at(config, "config.process.0.train.steps")
    done = isinstance(steps, int) and (step or 0) >= steps
    left = f"; no step is left to train of {steps}" if done else ""
    return f"at step {step}, from {newest.name}{left}"


def _is_taken(file: RemoteFile, name: str) -> bool:
    """Return whether the trainer takes a file for a checkpoint of the job `name`."""
    if not file.name.startswith(name) or not file.name.endswith(".safetensors"):
        return False
    return not any(word in file.path and word not in name for word in _SKIPPED)


def _step(backend: Backend, file: RemoteFile) -> int | None:
    """Return the step at which training continues from a file; None if it can't be read."""
    try:
        with backend.open_range(file.path) as read:
            _tensors, metadata = read_header(read, file.size, file.name)
        return int(json.loads(metadata.get("training_info", "{}")).get("step", 0))
    except (BadInput, NotFound, Rejected, UnexpectedReply, TypeError, ValueError, AttributeError):
        return None
