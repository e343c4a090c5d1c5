"""Uploading a dataset: files that the server lacks are sent, and then compared."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from aitk_nb._files import sha256
from aitk_nb._units import plural
from aitk_nb.backends.base import no_progress
from aitk_nb.datasets.digest_cache import DigestCache
from aitk_nb.errors import BadInput, InvalidDataset, NotFound, TransferFailed
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.names import check_name
from aitk_nb.models.server import Ability
from aitk_nb.models.verify_report import FileCheck, FileState, VerifyReport

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend, Progress, Upload
    from aitk_nb.datasets.local.scanned import Scanned

__all__ = ["Confirm", "IfDiffers", "Outcome", "UploadOptions", "Verify", "send", "verify"]

IfDiffers: TypeAlias = Literal["refuse", "replace"]
"""What to do if the server has other files with the same names."""

Verify: TypeAlias = Literal["sample", "full"]
"""Whose contents are compared: those of some files, or of all."""

Confirm: TypeAlias = Callable[[Sequence[str]], bool]
"""Gets the names of files that would be deleted; returns whether to delete them."""

MEASURED = 8
"""Files whose sizes are compared after an upload, in addition to all captions."""
READ = 2
"""Files that are read back and compared after an upload."""


def renamed(backend: Backend, file: str) -> str:
    """Return the name that the server gives to a file."""
    return backend.server_names("", [file])[1][0]


def server_name(backend: Backend, name: str, local: Scanned) -> str:
    """Return the server's form of the given name, or else of the folder's."""
    wanted = check_name("dataset", name) if name else local.name
    # Of a folder's name only what the server makes of it has to be safe.
    return check_name("dataset", backend.server_names(wanted, ())[0])


def parts(
    backend: Backend, local: Scanned, dataset: str, cache: DigestCache
) -> dict[str, tuple[Upload, ...]]:
    """Return the files of a dataset and of its control images, by dataset name on the server."""
    sources = {dataset: local.files}
    for controls in local.controls:
        sources[server_name(backend, f"{dataset}_{controls.name}", local)] = controls.files
    found = {}
    for part, paths in sources.items():
        names = backend.server_names("", [path.name for path in paths])[1]
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise BadInput(f"Several files would be named {twice[0]!r} on the server; rename them.")
        found[part] = tuple(map(cache.upload, paths, names))
    return found


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """How to upload."""

    if_differs: IfDiffers = "refuse"
    verify: Verify = "sample"
    mirror: bool = False
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an upload."""

    sent: int
    kept: int
    dataset: DatasetInfo
    """The dataset as the server has it afterwards."""
    report: VerifyReport | None


def send(
    backend: Backend,
    dataset: str,
    cache: DigestCache,
    files: Sequence[Upload],
    options: UploadOptions,
    progress: Progress,
) -> Outcome:
    """Send the files that the server lacks, and compare what it has then.

    Raises:
        InvalidDataset: The server has other files with these names, and they may not be replaced.
        TransferFailed: Some did not arrive, or arrived with other content.
        BadInput: `mirror` would delete files, and there is no `confirm`.
    """
    if any(not file.sha256 for file in files) and _is_there(backend, dataset):
        files = cache.digested(files)
    absent, differing = backend.missing(dataset, files)
    if differing and options.if_differs == "refuse":
        raise _differs(dataset, [file.name for file in differing])
    to_send = (*absent, *differing)
    if to_send:
        digests = backend.upload(dataset, to_send, progress) or {}
        cache.record(to_send, digests)
        files = [replace(file, sha256=digests.get(file.name, file.sha256)) for file in files]
        names = {file.name for file in to_send}
        to_send = tuple(file for file in files if file.name in names)
    there, report = _compared(backend, dataset, files, to_send, options)
    if options.mirror:
        _mirror(backend, there, files, options.confirm)
        there, report = _examined(backend, dataset, files, MEASURED, READ)
    return Outcome(len(to_send), len(files) - len(to_send), there, report)


def _is_there(backend: Backend, dataset: str) -> bool:
    return Ability.LIST_DATASETS in backend.abilities and dataset in backend.list_datasets()


def _compared(
    backend: Backend,
    dataset: str,
    files: Sequence[Upload],
    sent: Sequence[Upload],
    options: UploadOptions,
) -> tuple[DatasetInfo, VerifyReport | None]:
    """Return the dataset, and the report on the sent files or on all.

    Files that are missing or different are sent once more.
    """
    full = options.verify == "full"
    to_check = files if full else sent
    if Ability.EDIT_DATASETS not in backend.abilities:
        return backend.get_dataset(dataset), None
    if not to_check:
        # What was just found complete is not requested again.
        return backend.dataset_tools.seen(dataset) or backend.get_dataset(dataset), None
    limits = (None, None) if full else (MEASURED, READ)
    there, report = _examined(backend, dataset, to_check, *limits)
    if report.ok:
        return there, report
    wrong = {*report.missing, *report.differing}
    backend.upload(dataset, [file for file in to_check if file.name in wrong], no_progress)
    there, report = _examined(backend, dataset, to_check, *limits, surely=wrong)
    if not report.ok:
        raise _not_there(backend, report)
    return there, report


def _not_there(backend: Backend, report: VerifyReport) -> TransferFailed:
    wrong = [file for file in report.files if not file.state.is_right]
    # The server's manifest would otherwise keep them from being sent again.
    backend.dataset_tools.forget(report.dataset, [file.name for file in wrong])
    words = {
        FileState.MISSING: "the server does not have it after it was sent",
        FileState.DIFFERS: "the server's content differs from what was sent",
    }
    why = {file.name: words[file.state] for file in wrong}
    return TransferFailed(why, done=len(report.files) - len(wrong))


def verify(backend: Backend, dataset: str, files: Sequence[Upload], extent: Verify) -> VerifyReport:
    """Compare `files` with the server's: every size, and the content of some or of all.

    Files that are missing or different leave the server's manifest, so that the next upload sends
    them again.
    """
    there, report = _examined(backend, dataset, files, None, None if extent == "full" else READ)
    if not _is_there(backend, dataset):
        return report
    if wrong := [*report.missing, *report.differing]:
        backend.dataset_tools.forget(dataset, wrong)
    return replace(report, extra=_extra(backend, there, files))


def _examined(
    backend: Backend,
    dataset: str,
    files: Sequence[Upload],
    measure: int | None,
    read: int | None,
    *,
    surely: Collection[str] = (),
) -> tuple[DatasetInfo, VerifyReport]:
    """Compare `files`: the sizes and contents of so many that the server lists, None for all."""
    try:
        there = backend.get_dataset(dataset)
    except NotFound:
        gone = tuple(_checked(file, FileState.MISSING) for file in files)
        return DatasetInfo(dataset), VerifyReport(dataset, gone)
    listed = frozenset(there.images)
    texts = _texts(there)
    same = {file.name for file in files if _is_that_caption(file, texts)} - set(surely)
    others = [file for file in files if file.name not in same]
    unsure = [file for file in others if file.name not in listed or file.name in surely]
    measured = [*unsure, *_some([file for file in others if file not in unsure], measure)]
    sizes = backend.dataset_tools.sizes(dataset, [file.name for file in measured])
    right = [file for file in measured if sizes[file.name] == file.size]
    to_read = {*(file for file in right if file.name in surely), *_some(right, read)}
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
    return FileState.SAME if (file.sha256 or sha256(file.source)) == there else FileState.DIFFERS


def _checked(file: Upload, state: FileState) -> FileCheck:
    return FileCheck(file.name, file.source.name, file.size, state)


def _some(files: Sequence[Upload], count: int | None) -> list[Upload]:
    # Others each time, so that in the end all were compared.
    return list(files) if count is None else random.sample(files, min(count, len(files)))


def _texts(there: DatasetInfo) -> dict[str, str]:
    """Return the captions by the names of their files."""
    return {f"{image.rpartition('.')[0]}.txt": text for image, text in there.captions.items()}


def _is_that_caption(file: Upload, texts: Mapping[str, str]) -> bool:
    if (text := texts.get(file.name)) is None:
        return False
    try:
        return file.source.read_bytes() == text.encode()
    except (OSError, UnicodeEncodeError):
        return False


def _extra(backend: Backend, there: DatasetInfo, files: Sequence[Upload]) -> tuple[str, ...]:
    """Return the names of the files on the server that are not among `files`."""
    ours = {file.name for file in files}
    seen = {*there.images, *_texts(there)} - ours
    noted = [name for name in backend.dataset_tools.noted(there.name) if name not in ours | seen]
    sizes = backend.dataset_tools.sizes(there.name, noted)
    return tuple(sorted({*seen, *(name for name, size in sizes.items() if size is not None)}))


def _mirror(
    backend: Backend, there: DatasetInfo, files: Sequence[Upload], confirm: Confirm | None
) -> None:
    """Delete the files that are not ours, if `confirm` agrees."""
    others = _extra(backend, there, files)
    if not others:
        return
    if confirm is None:
        shown = ", ".join(others[:10]) + f" and {len(others) - 10} more" * (len(others) > 10)
        raise BadInput(
            f"mirror=True would delete {plural(len(others), 'file')} of {there.name!r} on the "
            f"server that are not in the folder: {shown}. All files of the folder are uploaded. To "
            "delete the others, pass confirm=, a function that gets their names and returns True."
        )
    if confirm(others) and (failures := backend.dataset_tools.remove(there.name, others)):
        raise BadInput(
            f"{len(failures)} of {plural(len(others), 'file')} could not be deleted: "
            + "; ".join(f"{name}: {why}" for name, why in list(failures.items())[:5])
        )


def _differs(dataset: str, names: Sequence[str]) -> InvalidDataset:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return InvalidDataset(
        dataset,
        [
            f"{dataset!r} on the server has other files with the same names: {shown}.",
            "Choose another name, or replace them with if_differs='replace' "
            "(--if-differs replace).",
        ],
    )
