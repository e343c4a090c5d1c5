"""Which checkpoint: the final one, those of some steps, or the one with the best validation."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

from aitk_nb.errors import BadInput, NotFound
from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.smoothing import centered
from aitk_nb.models.job import JobState, RemoteFile
from aitk_nb.models.names import name_problem, safe_file_name

Which: TypeAlias = Literal["final", "all", "best"] | str | Iterable[int]
"""The final checkpoint or the newest while there is none, all, the best, a file, or some steps."""

VALIDATION = "val/loss"

ENDING = ".safetensors"

_NUMBERED = re.compile(r"_(\d+)\.safetensors$", re.ASCII)

_PROGRAMS = {"comfyui": ("ComfyUI", "loras"), "a1111": ("the Stable Diffusion web UI", "Lora")}


def by_step(state: JobState, files: Iterable[RemoteFile]) -> dict[RemoteFile, int]:
    """Return the checkpoints among `files` with their steps, oldest first and the final one last.

    A file whose name has no step, or which is not the final one, is that of step -1.
    """
    final = f"{state.name}{ENDING}"
    steps = {}
    for file in files:
        if file.name.endswith(ENDING):
            match = _NUMBERED.search(file.name)
            steps[file] = state.step if file.name == final else int(match[1]) if match else -1
    return dict(sorted(steps.items(), key=lambda pair: (pair[0].name == final, pair[0].name)))


def saved_steps(state: JobState, files: Iterable[RemoteFile]) -> tuple[int, ...]:
    """Return the steps at which the checkpoints among `files` were saved, each once, in order."""
    return tuple(sorted({step for step in by_step(state, files).values() if step >= 0}))


def chosen(
    which: Which, state: JobState, files: Iterable[RemoteFile], losses: LossHistory | None
) -> list[RemoteFile]:
    """Return the files that are meant, oldest first.

    Args:
        which: Which ones; a name may be that of any file.
        state: The job's state.
        files: What it has on the server.
        losses: For the best one, what it has logged.

    Raises:
        NotFound: There is none, or not at such a step.
        BadInput: No checkpoint is the best beyond the spread.
    """
    files = tuple(files)
    steps = by_step(state, files)
    if isinstance(which, str) and which not in {"final", "all", "best"}:
        found = [file for file in files if file.name == which]
        if not found:
            raise NotFound("file", which, [file.name for file in files])
        return found
    if not steps:
        told = f"The job is {state.status.value} at step {state.step}; a checkpoint is written "
        hint = told + "each save_every steps and at the end."
        raise NotFound("LoRA", f"{state.name}{ENDING}", hint=hint)
    if which == "all":
        return list(steps)
    if which == "final":
        return [list(steps)[-1]]
    wanted = {best_step(losses, steps.values())} if which == "best" and losses else {*which}
    if unknown := wanted - {*steps.values()}:
        known = [str(step) for step in saved_steps(state, files)]
        raise NotFound("checkpoint of step", str(min(unknown)), known)
    # A step may have several files, as of two transformers; the final one repeats the last.
    return [file for file, step in steps.items() if step in wanted]


def best_step(losses: LossHistory, steps: Iterable[int]) -> int:
    """Return the step of the checkpoint with the lowest validation loss.

    Values are averaged over neighbors; only a difference larger than their spread counts.

    Raises:
        BadInput: There is no validation loss, or none is lower beyond the spread.
    """
    at, values = losses.columns(VALIDATION)
    otherwise = "Compare the samples (job.samples()), or download which='all'."
    if VALIDATION not in losses.keys or not at.size:
        raise BadInput(
            f"No checkpoint is known to be the best: no {VALIDATION} was logged. {otherwise}"
        )
    curve = centered(values)
    last = {step: int(at.searchsorted(step, side="right")) - 1 for step in {*steps}}
    found = {step: float(curve[place]) for step, place in last.items() if place >= 0}
    ranked = sorted((value, step) for step, value in found.items() if math.isfinite(value))
    spread = math.sqrt(2) * losses.summary(VALIDATION).spread
    if not ranked or (len(ranked) > 1 and not math.isfinite(spread)):
        raise BadInput(f"There are too few values of {VALIDATION} to tell the best. {otherwise}")
    if len(ranked) > 1 and ranked[1][0] - ranked[0][0] <= spread:
        (low, one), (high, other) = ranked[:2]
        raise BadInput(
            f"No checkpoint is clearly the best: {VALIDATION} is {low:.4g} at step {one} and "
            f"{high:.4g} at step {other}, which is within the spread of {spread:.2g}. {otherwise}"
        )
    return ranked[0][1]


def program_folder(to: str) -> Path:
    """Return the folder where a program looks for LoRAs.

    Args:
        to: `comfyui:PATH` or `a1111:PATH`, with the folder of the program.

    Raises:
        BadInput: It is neither, or the program is not there.
    """
    program, _, path = to.partition(":")
    if program not in _PROGRAMS or not path:
        raise BadInput(f"{to!r} is not a program's folder: use comfyui:PATH or a1111:PATH.")
    title, folder = _PROGRAMS[program]
    models = Path(path).expanduser() / "models"
    if not models.is_dir():
        raise BadInput(f"{path} is not the folder of {title}: it has no folder 'models'.")
    return models / folder


def local_name(file: RemoteFile, job: str, name: str) -> str:
    """Return the name of a checkpoint here: the server's, with `name` in the place of the job's.

    Raises:
        BadInput: `name` can't be a file name.
    """
    if not name:
        return safe_file_name(file.name)
    stem = name.removesuffix(ENDING)
    why = name_problem(stem)
    if why or safe_file_name(stem) != stem:
        raise BadInput(f"{name!r} can't be the name of a file: {why or 'not on every system'}.")
    return (
        f"{stem}{file.name.removeprefix(job)}" if file.name.startswith(job) else f"{stem}{ENDING}"
    )
