"""`fetch`: brings a file of a job, unless the same one is here already."""

import re
from collections.abc import Callable
from pathlib import Path

from aitk_nb._files import keeping
from aitk_nb._progress import ProgressOption, reporting
from aitk_nb.backends.base import Backend
from aitk_nb.errors import NotFound
from aitk_nb.models import DownloadReport, JobState, RemoteFile, Sample, safe_file_name

ENDS = 2**18
"""Bytes at both ends of a file that are compared before it is fetched again."""


_NUMBERED = re.compile(r"_(\d+)\.safetensors$", re.ASCII)


def the_file(state: JobState, files: tuple[RemoteFile, ...], name: str) -> RemoteFile:
    """Return the file of that name; without one the final LoRA, or the newest while there is none.

    Raises:
        NotFound: there is none.
    """
    for file in files:
        if name and file.name == name:
            return file
    if name:
        raise NotFound("file", name, [file.name for file in files])
    final = f"{state.name}.safetensors"
    loras = sorted(
        (file for file in files if file.name.endswith(".safetensors")),
        # The final one has no number, so that it sorts before the numbered ones.
        key=lambda file: (file.name == final, file.name),
    )
    if not loras:
        told = f"The job is {state.status.value} at step {state.step}; a checkpoint is written "
        raise NotFound("LoRA", final, hint=told + "each save_every steps and at the end.")
    return loras[-1]


def saved_steps(state: JobState, files: tuple[RemoteFile, ...]) -> tuple[int, ...]:
    """Return the steps at which the checkpoints among `files` were saved, each once, in order."""
    steps = {int(match[1]) for file in files if (match := _NUMBERED.search(file.name))}
    if any(file.name == f"{state.name}.safetensors" for file in files):
        steps.add(state.step)
    return tuple(sorted(steps))


def fetch(
    backend: Backend,
    remote: RemoteFile | Sample,
    folder: str | Path,
    progress: ProgressOption,
    clock: Callable[[], float],
) -> DownloadReport:
    """Bring `remote` into `folder`; another file of its name is kept under a new name."""
    target = Path(folder).expanduser() / safe_file_name(remote.name)
    started = clock()
    if target.exists() and _same(backend, remote, target):
        return DownloadReport(str(target), target.stat().st_size, 0.0, fetched=False)
    with keeping(target), reporting(progress, "downloading") as report:
        size = backend.download(remote.path, target, report)
    return DownloadReport(str(target), size, clock() - started)


def _same(backend: Backend, remote: RemoteFile | Sample, target: Path) -> bool:
    """Return whether the local file is the server's one, by its size, beginning and end.

    Another training changes every weight, so that both ends of a LoRA differ.
    """
    size = target.stat().st_size
    if size != getattr(remote, "size", size):
        return False
    piece = min(ENDS, size)
    with backend.open_range(remote.path) as read, target.open("rb") as file:
        for start in {0, size - piece}:
            file.seek(start)
            # One byte more than there should be: of a sample the server tells no size.
            if read(start, piece + (start + piece == size)) != file.read(piece):
                return False
    return True
