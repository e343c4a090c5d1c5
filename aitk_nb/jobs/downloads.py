"""`Downloads`: brings files of a job into a folder, each once, and records what they are."""

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from aitk_nb import _units
from aitk_nb._display.progress import Progress, ProgressOption, no_progress, reporting
from aitk_nb._files import keeping, partials, sha256, write
from aitk_nb._local_copies import DownloadRecord
from aitk_nb._yaml import dumped
from aitk_nb.backends.base import Backend
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.errors import AitkError, BadInput, InvalidParams, NotFound, NotSupported
from aitk_nb.jobs.following_digest import FollowingDigest
from aitk_nb.lora.safetensors_file import Incomplete, read_header
from aitk_nb.models.job import DownloadReport, JobState, RemoteFile, Sample
from aitk_nb.models.names import safe_file_name
from aitk_nb.training.config_files import portable, unresolved

ENDS = 2**18
"""Bytes at both ends of a file that are compared before anything else."""

PIECE = 2**24
"""Bytes of a request that reads a file back."""

GROWS = 30.0
"""Seconds within which a checkpoint that is being written has to grow."""

WORKERS = 4
"""Samples that are fetched at a time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the server, and its name in the folder."""

    remote: RemoteFile | Sample
    name: str

    @property
    def size(self) -> int:
        """Its bytes; 0 of a sample, of which the server tells none."""
        return getattr(self.remote, "size", 0)


class Downloads:
    """Brings files of one job into one folder."""

    def __init__(
        self,
        backend: Backend,
        state: JobState,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use `folder`, which is made when the first file comes."""
        self._backend = backend
        self._state = state
        self._folder = folder
        self._clock = clock
        self._sleep = sleep
        self._record = DownloadRecord(folder)

    def samples(self) -> list[Wanted]:
        """Return the job's samples; none where the server lists none."""
        with suppress(NotSupported):
            folder = f"{safe_file_name(self._state.name)}_samples"
            listed = self._backend.list_samples(self._state)
            return [Wanted(one, f"{folder}/{safe_file_name(one.name)}") for one in listed]
        return []

    def fetch(
        self, wanted: Sequence[Wanted], progress: ProgressOption, *, config: bool = False
    ) -> DownloadReport:
        """Bring what is not there yet; another file of such a name is kept under a new name.

        The report is that of the last file that is not a sample.

        Raises:
            BadInput: There is not enough space, or the folder can't be written.
            NotFound: A file is not there anymore; what came before it is here.
        """
        began = self._clock()
        digests = {one.name: self._present(one) for one in wanted}
        missing = [one for one in wanted if not digests[one.name]]
        self._check_space(missing)
        with reporting(progress, "downloading") as report:
            digests |= self._all(missing, report)
        if config and self._state.config:
            digests |= self._config()
        files = {str(self._folder / name): digest for name, digest in digests.items()}
        path = self._folder / next(
            (one.name for one in reversed(wanted) if one.size), wanted[0].name
        )
        seconds = self._clock() - began if missing else 0.0
        size = path.stat().st_size
        return DownloadReport(str(path), size, seconds, fetched=bool(missing), files=files)

    def _config(self) -> dict[str, str]:
        """Write the job's config, and return its SHA-256 by its name."""
        name = f"{safe_file_name(self._state.name)}.yaml"
        path, config = self._folder / name, self._state.config
        with suppress(InvalidParams):
            config = portable(config)
        note = unresolved(config, "AI Toolkit itself trains")
        content = (note + dumped(dict(config))).encode()
        if not path.is_file() or path.read_bytes() != content:
            with keeping(path):
                write(path, content)
        return {name: sha256(path)}

    def _present(self, one: Wanted) -> str:
        """Return the SHA-256 of the file if it is here already, as it is on the server."""
        path = self._folder / one.name
        if not path.is_file():
            return ""
        recorded = self._record.sha256(one.name)
        if isinstance(one.remote, Sample) and recorded and recorded == sha256(path):
            # The server gives each sample a name of its own, by the time.
            return recorded
        digest = digest_if_same(self._backend, one.remote, path, {recorded})
        if digest and digest != recorded:
            self._note(one, digest)
        return digest

    def _all(self, missing: Sequence[Wanted], report: Progress) -> dict[str, str]:
        """Bring the files, and return the SHA-256 of each."""
        total, before, found = sum(one.size for one in missing), 0, {}
        large = [one for one in missing if one.size or len(missing) == 1]
        for one in large:

            def heard(done: int, size: int, *, before: int = before) -> None:
                report(before + done, total or size)

            found[one.name] = self._brought(one, heard)
            before += one.size
        # In threads, which an interrupt waits for.
        rest = [one for one in missing if one not in large]
        brought = each_or_raise(lambda one: self._brought(one, no_progress), rest, workers=WORKERS)
        return found | dict(zip((one.name for one in rest), brought, strict=True))

    def _brought(self, one: Wanted, report: Progress) -> str:
        """Bring a file, and return its SHA-256."""
        path = self._folder / one.name
        if isinstance(one.remote, RemoteFile):
            self._await(one.remote)
        with keeping(path), closing(FollowingDigest(path, report)) as digest:
            self._backend.download(one.remote.path, path, digest)
            found = digest.hexdigest()
        self._note(one, found)
        return found

    def _note(self, one: Wanted, digest: str) -> None:
        entry = {"size": (self._folder / one.name).stat().st_size, "sha256": digest}
        origin = {"job": self._state.name, "file": one.remote.name, "server": self._backend.url}
        self._record.add(one.name, {**entry, **origin})

    def _await(self, remote: RemoteFile) -> None:
        """Wait until a checkpoint is complete that is still being written.

        Raises:
            AitkError: It does not grow anymore.
        """
        size, since = remote.size, self._clock()
        while remote.name.endswith(".safetensors") and (why := unfinished(self._backend, remote)):
            if self._clock() - since >= GROWS:
                raise AitkError(
                    f"{why} It has not grown for {GROWS:g} s, so the job has ended while it saved: "
                    "choose another checkpoint, such as which=[…]."
                )
            self._sleep(1.0)
            files = self._backend.list_files(self._state)
            listed = [file for file in files if file.path == remote.path]
            if not listed:
                raise NotFound("file", remote.name, [file.name for file in files])
            (remote,) = listed
            if remote.size != size:
                size, since = remote.size, self._clock()

    def _check_space(self, missing: Sequence[Wanted]) -> None:
        """Raise `BadInput` if the disk has not the room for what is to come."""
        there = next(
            one for one in (self._folder, *self._folder.absolute().parents) if one.is_dir()
        )
        begun = [part for one in missing for part in partials(self._folder / one.name)]
        needed = sum(one.size for one in missing) - sum(part.stat().st_size for part in begun)
        free = shutil.disk_usage(there).free
        if needed > free:
            raise BadInput(
                f"{_units.plural(len(missing), 'file')} of {_units.size(needed)} won't fit: "
                f"{self._folder} has {_units.size(free)} left. Choose another folder, or fewer "
                "checkpoints."
            )


def unfinished(backend: Backend, remote: RemoteFile) -> str:
    """Return why a checkpoint is not complete, as its header tells; empty if it may be."""
    try:
        with backend.open_range(remote.path) as read:
            read_header(read, remote.size, remote.name)
    except Incomplete as exc:
        return str(exc).replace(" Download it again.", "")
    except BadInput:
        # In another format, which does not tell its size; an empty file has just been made.
        return "" if remote.size else f"{remote.name} is still empty."
    return ""


def digest_if_same(
    backend: Backend, remote: RemoteFile | Sample, path: Path, recorded: set[str]
) -> str:
    """Return the SHA-256 of a file here if it is the server's one; else nothing.

    It is if it has the size and the ends of the server's, and the digest that was recorded when
    that was downloaded: another training changes every weight, so that both ends of a LoRA differ.
    Without a record, all bytes are read back.
    """
    if not _same_ends(backend, remote, path):
        return ""
    digest = sha256(path)
    if digest in recorded or digest == server_digest(backend, remote.path):
        return digest
    return ""


def _same_ends(backend: Backend, remote: RemoteFile | Sample, path: Path) -> bool:
    size = path.stat().st_size
    if size != getattr(remote, "size", size):
        return False
    piece = min(ENDS, size)
    with backend.open_range(remote.path) as read, path.open("rb") as file:
        for start in {0, size - piece}:
            file.seek(start)
            # One byte more than there should be: of a sample the server tells no size.
            if read(start, piece + (start + piece == size)) != file.read(piece):
                return False
    return True


def server_digest(backend: Backend, path: str) -> str:
    """Return the SHA-256 of a file on the server, all of which is read back."""
    digest = hashlib.sha256()
    with backend.open_range(path) as read:
        for start in count(0, PIECE):
            digest.update(piece := read(start, PIECE))
            if len(piece) < PIECE:
                break
    return digest.hexdigest()
