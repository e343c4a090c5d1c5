"""Uploading a dataset: files that the server lacks are sent, and then compared."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from aitk_nb._display.progress import ProgressOption, reporting
from aitk_nb._files import sha256
from aitk_nb._units import plural
from aitk_nb.backends.base import Backend, DatasetTools, Upload, no_progress
from aitk_nb.datasets.digest_cache import DigestCache
from aitk_nb.datasets.local.scanned import Scanned
from aitk_nb.errors import BadInput, InvalidDataset, NotFound, TransferFailed
from aitk_nb.models import Ability, DatasetInfo, FileCheck, FileState, VerifyReport, check_name

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
class RemoteDataset:
    """A dataset on the server, to which local files are sent and with which they are compared."""

    backend: Backend
    name: str

    def send(
        self,
        files: Sequence[Upload],
        cache: DigestCache,
        options: UploadOptions,
        progress: ProgressOption,
    ) -> DatasetInfo:
        """Send the files that the server lacks, and compare what it has then.

        Raises:
            InvalidDataset: The server has other files with these names, which may not be replaced.
            TransferFailed: Some did not arrive, or arrived with other content.
            BadInput: `mirror` would delete files, and there is no `confirm`.
        """
        if any(not file.sha256 for file in files) and self._exists():
            files = cache.digested(files)
        absent, differing = self.backend.missing(self.name, files)
        if differing and options.if_differs == "refuse":
            shown = ", ".join(file.name for file in differing[:5]) + ", …" * (len(differing) > 5)
            what = f"{self.name!r} on the server has other files with the same names: {shown}."
            remedy = "use another name, or replace them with if_differs='replace'"
            raise InvalidDataset(self.name, [what, f"Either {remedy} (--if-differs replace)."])
        sent = (*absent, *differing)
        if sent:
            with reporting(progress, "uploading") as report:
                digests = self.backend.upload(self.name, sent, report) or {}
            cache.record(sent, digests)
            files = [replace(file, sha256=digests.get(file.name, file.sha256)) for file in files]
            names = {file.name for file in sent}
            sent = tuple(file for file in files if file.name in names)
        # A function gets the bytes sent, and not those that are read back afterwards.
        bar: ProgressOption = "auto" if progress == "auto" else None
        there, found = self._ensure(files if options.verify == "full" else sent, options, bar)
        if options.mirror:
            self._mirror(there, files, options.confirm)
            there, found = self._compare(files, MEASURED, READ)
        return replace(there, sent=len(sent), kept=len(files) - len(sent), report=found)

    def verify(
        self, files: Sequence[Upload], extent: Verify, progress: ProgressOption
    ) -> VerifyReport:
        """Compare `files` with the server's: every size, and the content of some or of all.

        Files that are missing or different leave the server's manifest, so that the next upload
        sends them again.
        """
        read = None if extent == "full" else READ
        there, report = self._compare(files, None, read, progress=progress)
        if not self._exists():
            return report
        if wrong := [*report.missing, *report.differing]:
            self._tools.forget(self.name, wrong)
        return replace(report, extra=self._extra(there, files))

    @property
    def _tools(self) -> DatasetTools:
        return self.backend.dataset_tools

    def _exists(self) -> bool:
        can_list = Ability.LIST_DATASETS in self.backend.abilities
        return can_list and self.name in self.backend.list_datasets()

    def _ensure(
        self, files: Sequence[Upload], options: UploadOptions, progress: ProgressOption
    ) -> tuple[DatasetInfo, VerifyReport | None]:
        """Compare `files`, and send those that are missing or different once more."""
        if Ability.EDIT_DATASETS not in self.backend.abilities:
            return self.backend.get_dataset(self.name), None
        if not files:
            # What was just found complete is not requested again.
            return self._tools.seen(self.name) or self.backend.get_dataset(self.name), None
        measure, read = (None, None) if options.verify == "full" else (MEASURED, READ)
        there, report = self._compare(files, measure, read, progress=progress)
        if report.ok:
            return there, report
        wrong = {*report.missing, *report.differing}
        self.backend.upload(self.name, [f for f in files if f.name in wrong], no_progress)
        there, report = self._compare(files, measure, read, wrong)
        if not report.ok:
            raise self._failed(report)
        return there, report

    def _failed(self, report: VerifyReport) -> TransferFailed:
        wrong = {file.name: _WRONG[file.state] for file in report.files if not file.state.is_right}
        # The server's manifest would otherwise keep them from being sent again.
        self._tools.forget(self.name, list(wrong))
        return TransferFailed(wrong, done=len(report.files) - len(wrong))

    def _compare(
        self,
        files: Sequence[Upload],
        measure: int | None,
        read: int | None,
        surely: Collection[str] = (),
        progress: ProgressOption = None,
    ) -> tuple[DatasetInfo, VerifyReport]:
        """Compare sizes and contents of so many `files` that the server lists, None for all."""
        try:
            there = self.backend.get_dataset(self.name)
        except NotFound:
            there, states = DatasetInfo(self.name), dict.fromkeys(files, FileState.MISSING)
        else:
            states = self._states(files, there, measure, read, surely, progress)
        checks = [
            FileCheck(file.name, file.source.name, file.size, states.get(file, FileState.LISTED))
            for file in files
        ]
        return there, VerifyReport(self.name, tuple(checks))

    def _states(
        self,
        files: Sequence[Upload],
        there: DatasetInfo,
        measure: int | None,
        read: int | None,
        surely: Collection[str],
        progress: ProgressOption,
    ) -> dict[Upload, FileState]:
        texts = _texts(there)
        listed = {*there.images} - {*surely}
        states = {
            file: FileState.SAME
            for file in files
            if file.name not in surely and _is_that_caption(file, texts)
        }
        unsure = [file for file in files if file not in states and file.name not in listed]
        others = [file for file in files if file not in states and file.name in listed]
        measured = [*unsure, *_some(others, measure)]
        sizes = self._tools.sizes(self.name, [file.name for file in measured])
        right = [file for file in measured if sizes[file.name] == file.size]
        to_read = {*(file for file in right if file.name in surely), *_some(right, read)}
        sizes_to_read = {file.name: file.size for file in to_read}
        with reporting(progress, "verifying") as report:
            digests = self._tools.digests(self.name, sizes_to_read, report)
        for file in measured:
            states[file] = _state(file, sizes[file.name], digests.get(file.name))
        return states

    def _extra(self, there: DatasetInfo, files: Sequence[Upload]) -> tuple[str, ...]:
        """Return the names of the files on the server that are not among `files`."""
        ours = {file.name for file in files}
        seen = {*there.images, *_texts(there)} - ours
        noted = [name for name in self._tools.noted(self.name) if name not in ours | seen]
        sizes = self._tools.sizes(self.name, noted)
        return tuple(sorted({*seen, *(name for name, size in sizes.items() if size is not None)}))

    def _mirror(self, there: DatasetInfo, files: Sequence[Upload], confirm: Confirm | None) -> None:
        """Delete the files that are not ours, if `confirm` agrees."""
        others = self._extra(there, files)
        if not others:
            return
        if confirm is None:
            shown = ", ".join(others[:10]) + f" and {len(others) - 10} more" * (len(others) > 10)
            raise BadInput(
                f"mirror=True would delete {plural(len(others), 'file')} of {self.name!r} on the "
                f"server that are not in the folder: {shown}. All files of the folder are "
                "uploaded. To delete the others, pass confirm=, a function that gets their names "
                "and returns True."
            )
        if confirm(others) and (failures := self._tools.remove(self.name, others)):
            raise BadInput(
                f"{len(failures)} of {plural(len(others), 'file')} could not be deleted: "
                + "; ".join(f"{name}: {why}" for name, why in list(failures.items())[:5])
            )


_WRONG = {
    FileState.MISSING: "the server does not have it after it was sent",
    FileState.DIFFERS: "the server's content differs from what was sent",
}


def _state(file: Upload, size: int | None, digest: str | None) -> FileState:
    if size is None:
        return FileState.MISSING
    if size == file.size and digest is None:
        return FileState.SIZE
    same = size == file.size and (file.sha256 or sha256(file.source)) == digest
    return FileState.SAME if same else FileState.DIFFERS


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
