"""`resume_point`: the checkpoint from which the trainer continues a job, and by how many steps.

It takes the newest file of the job's folder whose name begins with the job's, and the step from
its metadata (`get_latest_save_path` in AI Toolkit's jobs/process/BaseSDTrainProcess.py).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.errors import BadInput, NotFound, NotSupported, Rejected, UnexpectedReply
from aitk_nb.lora.safetensors_file import read_header
from aitk_nb.models.job import JobDraft, JobState, RemoteFile
from aitk_nb.training.config_paths import MISSING, value_at

MORE = "config.process.0.train.more_steps"

_SKIPPED = ("_LoRA", "_refiner", "_t2i", "_cn")
"""A path with one of them is left out by the trainer, unless the job's name has it too."""


@dataclass(frozen=True)
class ResumePoint:
    """Where the trainer continues a job, as far as that is known."""

    where: str
    """The same as a phrase."""
    step: int | None = None
    """The step; None if the server does not show it."""
    checkpoint: str = ""
    """The file that it continues from; empty if there is none, or it is unknown which."""

    def said(self, config: Mapping[str, Any]) -> str:
        """Return where a job with `config` goes on, and what that config asks for in vain."""
        steps = value_at(config, "config.process.0.train.steps")
        done = isinstance(steps, int) and self.step is not None and self.step >= steps
        left = f"; no step is left to train of {steps}" if done and self.checkpoint else ""
        begun = self.checkpoint and value_at(config, "config.process.0.network.init_lora")
        ignored = "; init_lora is ignored, as the job has a checkpoint"
        return f"{self.where}{left}{ignored if begun and begun is not MISSING else ''}"


def resume_point(backend: Backend, state: JobState, config: Mapping[str, Any]) -> ResumePoint:
    """Return where the trainer continues a job with `config`, as far as that is known.

    No server tells when a file was written. A run saves at growing steps, so that of the job's own
    checkpoints the one of the highest step is the newest; of other files that cannot be known.
    """
    try:
        files = backend.list_files(state)
    except (NotSupported, Rejected, UnexpectedReply):
        return ResumePoint("from its newest checkpoint; the server does not show which that is")
    first = value_at(config, "config.process.0.train.start_step")
    found = [file for file in files if _is_taken(file, state.name)]
    if not found and not isinstance(value_at(config, "config.process.0.network"), Mapping):
        return ResumePoint("from its newest checkpoint; the server lists none of a whole model")
    if not found:
        begin = first if isinstance(first, int) else 0
        return ResumePoint(f"at step {begin}: the server lists no checkpoint", begin)
    own = re.compile(re.escape(state.name) + r"(_\d{9})?\.safetensors")
    if strange := [file.name for file in found if not own.fullmatch(file.name)]:
        which = f"the server does not say which, and {strange[0]} is one of them"
        return ResumePoint(f"from the newest of {plural(len(found), 'file')}; {which}")
    numbered = max(found, key=lambda file: file.name[len(state.name) :])
    final = [file for file in found if file.name == f"{state.name}.safetensors"]
    known = {file: _step(backend, file) for file in {numbered, *final}}
    if None in known.values():
        names = " or ".join(sorted(file.name for file in known))
        return ResumePoint(f"from {names}, at a step that the server does not show")
    newest, step = max(known.items(), key=lambda pair: (pair[1] or 0, pair[0] in final))
    # The trainer does not read the step of the metadata where the config names the first one.
    step = first if isinstance(first, int) else step or 0
    return ResumePoint(f"at step {step}, from {newest.name}", step, newest.name)


def steps_after(backend: Backend, state: JobState | None, draft: JobDraft) -> int:
    """Return the last step of a job that goes on by `more_steps`; once found, it stays.

    Raises:
        BadInput: There is no job, or no checkpoint, to go on from.
        NotSupported: The server does not show the step of the newest checkpoint.
    """
    more, name = value_at(draft.config, MORE), draft.name
    if state is None:
        text = f"more_steps goes on with a job that exists, and the server has no job {name!r}"
        raise BadInput(f"{text}. Name an existing job, or leave more_steps out.")
    if value_at(state.config, MORE) == more:
        return int(value_at(state.config, "config.process.0.train.steps"))
    point = resume_point(backend, state, draft.config)
    if point.step is None:
        instead = "Set steps to the last step that you want, and pass if_exists='resume'."
        said = f"The job goes on {point.where}. {instead}"
        raise NotSupported("count more_steps here", backend.flavour.value.capitalize(), said)
    if not point.checkpoint:
        text = f"more_steps goes on from a checkpoint, and job {name!r} has none"
        raise BadInput(f"{text}. Leave more_steps out, and pass if_exists='resume'.")
    return point.step + int(more)


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
