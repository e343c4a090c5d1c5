"""A local dataset on its way: what is missing is sent, and what was sent is looked at."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from aitk_nb.datasets.digest_cache import UploadNotes, digest
from aitk_nb.errors import BadInput, InvalidDataset, NotFound, TransferFailed
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.server import Ability
from aitk_nb.models.verify_report import FileCheck, FileState, VerifyReport

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend, Progress, Upload

__all__ = ["Confirm", "Depth", "IfDiffers", "Outcome", "UploadOptions", "send", "verify"]

IfDiffers: TypeAlias = Literal["refuse", "replace"]
"""What to do about other files of the same names on the server."""

Depth: TypeAlias = Literal["sample", "full"]
"""How much content is compared: of some files, or of all."""

Confirm: TypeAlias = Callable[[Sequence[str]], bool]
"""Gets the names of files that would be deleted, and says whether they may be."""

MEASURED = 8
"""Files whose sizes are asked after an upload, besides those whose captions were compared."""
READ = 2
"""Files that are read back and compared after an upload."""


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How an upload is to be done."""

    if_differs: IfDiffers = "refuse"
    verify: Depth = "sample"
    mirror: bool = False
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an upload did."""

    sent: int
    kept: int
    there: DatasetInfo
    """The dataset as the server has it then."""
    report: VerifyReport | None


def send(
    backend: Backend,
    dataset: str,
    notes: UploadNotes,
    files: Sequence[Upload],
    options: UploadOptions,
    progress: Progress,
) -> Outcome:
    """Send what the server lacks of `files`, and look at what is there then.

    Raises:
        InvalidDataset: the server has other files of these names, and they may not be replaced.
        TransferFailed: some did not arrive, or are not there as they were sent.
        BadInput: `mirror` is to delete files, and nobody confirms it.
    """
    if any(not file.sha256 for file in files) and _is_there(backend, dataset):
        files = notes.digested(files)
    absent, differing = backend.missing(dataset, files)
    if differing and options.if_differs == "refuse":
        raise _differs(dataset, [file.name for file in differing])
    to_send = (*absent, *differing)
    if to_send:
        digests = backend.upload(dataset, to_send, progress) or {}
        notes.note(to_send, digests)
        files = [replace(file, sha256=digests.get(file.name, file.sha256)) for file in files]
        names = {file.name for file in to_send}
        to_send = tuple(file for file in files if file.name in names)
    there, report = _looked_at(backend, dataset, files, to_send, options)
    if options.mirror:
        _mirror(backend, there, files, options.confirm)
        there, report = _examined(backend, dataset, files, MEASURED, READ)
    return Outcome(len(to_send), len(files) - len(to_send), there, report)


def _is_there(backend: Backend, dataset: str) -> bool:
    return Ability.LIST_DATASETS in backend.abilities and dataset in backend.list_datasets()


def _looked_at(
    backend: Backend,
    dataset: str,
    files: Sequence[Upload],
    sent: Sequence[Upload],
    options: UploadOptions,
) -> tuple[DatasetInfo, VerifyReport | None]:
    """Return what is there, and the report on what was sent or on all files.

    What is not right is sent once more.
    """
    full = options.verify == "full"
    to_check = files if full else sent
    if Ability.EDIT_DATASETS not in backend.abilities:
        return backend.get_dataset(dataset), None
    if not to_check:
        # What was just found complete need not be asked for again.
        return backend.dataset_tools.seen(dataset) or backend.get_dataset(dataset), None
    limits = (None, None) if full else (MEASURED, READ)
    there, report = _examined(backend, dataset, to_check, *limits)
    if report.ok:
        return there, report
    wrong = {*report.missing, *report.differing}
    backend.upload(dataset, [file for file in to_check if file.name in wrong], _ignore)
    there, report = _examined(backend, dataset, to_check, *limits, surely=wrong)
    if not report.ok:
        raise _not_there(backend, report)
    return there, report


def _not_there(backend: Backend, report: VerifyReport) -> TransferFailed:
    wrong = [file for file in report.files if not file.state.is_right]
    # Notes of files that are not what was noted would keep them from being sent again.
    backend.dataset_tools.forget(report.dataset, [file.name for file in wrong])
    why = {
        file.name: "the server has no such file after it was sent"
        if file.state is FileState.MISSING
        else "the server has other bytes of it than were sent"
        for file in wrong
    }
    return TransferFailed(why, done=len(report.files) - len(wrong))


def verify(backend: Backend, dataset: str, files: Sequence[Upload], depth: Depth) -> VerifyReport:
    """Return what the server has of `files`: every size, and the content of some or of all.

    Files that are there and none of `files` are named. What is wrong is sent again by the next
    upload: its notes on the server are dropped.
    """
    there, report = _examined(backend, dataset, files, None, None if depth == "full" else READ)
    if not _is_there(backend, dataset):
        return report
    if wrong := [*report.missing, *report.differing]:
        backend.dataset_tools.forget(dataset, wrong)
    others = _foreign(backend, there, files)
    return replace(report, extra=others)


def _examined(
    backend: Backend,
    dataset: str,
    files: Sequence[Upload],
    measure: int | None,
    read: int | None,
    *,
    surely: Collection[str] = (),
) -> tuple[DatasetInfo, VerifyReport]:
    """Look at `files`: measure and read so many of those that the server lists, None for all."""
    try:
        there = backend.get_dataset(dataset)
    except NotFound:
        gone = tuple(_checked(file, FileState.MISSING) for file in files)
        return DatasetInfo(dataset), VerifyReport(dataset, gone)
    listed = frozenset(there.images)
    texts = _texts(there)
    same = {file.name for file in files if _is_that_caption(file, texts)} - set(surely)
    open_ones = [file for file in files if file.name not in same]
    unsure = [file for file in open_ones if file.name not in listed or file.name in surely]
    sampled = _some([file for file in open_ones if file not in unsure], measure)
    measured = [*unsure, *sampled]
    sizes = backend.dataset_tools.sizes(dataset, [file.name for file in measured])
    right = [file for file in measured if sizes[file.name] == file.size]
    certain = [file for file in right if file.name in surely]
    to_read = {*certain, *_some(right, read)}
    digests = backend.dataset_tools.digests(dataset, {file.name: file.size for file in to_read})
    states = dict.fromkeys(same, FileState.SAME)
    for file in measured:
        states[file.name] = _state(file, sizes[file.name], digests.get(file.name))
    checks = [_checked(file, states.get(file.name, FileState.LISTED)) for file in files]
    return there, VerifyReport(dataset, tuple(checks))


def _state(file: Upload, size: int | None, there: str | None) -> FileState:
    if size is None:
        return FileState.MISSING
    if size != file.size:
        return FileState.DIFFERS
    if there is None:
        return FileState.SIZE
    return FileState.SAME if (file.sha256 or digest(file)) == there else FileState.DIFFERS


def _checked(file: Upload, state: FileState) -> FileCheck:
    return FileCheck(file.name, file.source.name, file.size, state)


def _some(files: Sequence[Upload], count: int | None) -> list[Upload]:
    # Others each time, so that in the end all were looked at.
    return list(files) if count is None else random.sample(files, min(count, len(files)))


def _texts(there: DatasetInfo) -> dict[str, str]:
    """Return the captions by the names of their files."""
    return {_caption_name(image): text for image, text in there.captions.items()}


def _caption_name(image: str) -> str:
    return f"{image.rpartition('.')[0]}.txt"


def _is_that_caption(file: Upload, texts: Mapping[str, str]) -> bool:
    if (text := texts.get(file.name)) is None:
        return False
    try:
        return file.source.read_bytes() == text.encode()
    except (OSError, UnicodeEncodeError):
        return False


def _foreign(backend: Backend, there: DatasetInfo, files: Sequence[Upload]) -> tuple[str, ...]:
    """Return the names of the files on the server that are none of `files`."""
    ours = {file.name for file in files}
    seen = {*there.images, *_texts(there)} - ours
    noted = [name for name in backend.dataset_tools.noted(there.name) if name not in ours | seen]
    sizes = backend.dataset_tools.sizes(there.name, noted)
    return tuple(sorted({*seen, *(name for name, size in sizes.items() if size is not None)}))


def _mirror(
    backend: Backend, there: DatasetInfo, files: Sequence[Upload], confirm: Confirm | None
) -> None:
    """Delete what is none of ours, if somebody says so."""
    others = _foreign(backend, there, files)
    shown = ", ".join(others[:10]) + (f" and {len(others) - 10} more" if len(others) > 10 else "")
    if others and confirm is None:
        raise BadInput(
            f"mirror=True would delete {len(others)} files of the server's dataset {there.name!r} "
            f"that are not in the folder: {shown}. All files of the folder are there. To delete "
            "the others, give confirm=, a function that gets their names and returns True."
        )
    if others and confirm is not None and confirm(others):
        failures = backend.dataset_tools.remove(there.name, others)
        if failures:
            raise BadInput(
                f"{len(failures)} of {len(others)} files could not be deleted: "
                + "; ".join(f"{name}: {why}" for name, why in list(failures.items())[:5])
            )


def _differs(dataset: str, names: Sequence[str]) -> InvalidDataset:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return InvalidDataset(
        dataset,
        [
            f"The server's dataset {dataset!r} has other files under the names {shown}.",
            "Choose another name, or replace them with if_differs='replace' "
            "(on the command line --replace).",
        ],
    )


def _ignore(_done: int, _total: int) -> None:
    """Take progress and show nothing."""
