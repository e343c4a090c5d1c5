"""A dataset of the server, fetched file by file or as one zip."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from aitk_nb._files import keeping, replacing
from aitk_nb.errors import AitkError, TransferFailed
from aitk_nb.models.job import DownloadReport
from aitk_nb.models.names import safe_file_name

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend, DatasetTools, Progress
    from aitk_nb.models.dataset import DatasetInfo

__all__ = ["download_files", "download_zip", "local_names"]

WORKERS = 8


def download_zip(
    backend: Backend, dataset: str, folder: Path, progress: Progress
) -> DownloadReport:
    """Fetch a dataset as `<name>.zip` into `folder`; an older file is kept under another name.

    Raises:
        AitkError: the server cannot pack it, or it did not arrive whole.
    """
    started = time.monotonic()
    target = folder / f"{safe_file_name(dataset)}.zip"
    with keeping(target):
        size = backend.dataset_tools.fetch_zip(dataset, target, progress)
    return DownloadReport(str(target), size, time.monotonic() - started)


def download_files(
    backend: Backend, info: DatasetInfo, folder: Path, progress: Progress
) -> DownloadReport:
    """Fetch the images and captions of a dataset into `folder/<name>`.

    A file that is there with the same size is taken as the same and not fetched; names that would
    lead elsewhere, or that this system does not take, are made safe.

    Raises:
        TransferFailed: some did not arrive; the others did, whole.
    """
    started = time.monotonic()
    tools, root = backend.dataset_tools, folder / safe_file_name(info.name)
    targets = {name: root / local for name, local in local_names(info.images).items()}
    sizes = tools.sizes(info.name, list(targets))
    captions = _captions(info, targets)
    total = sum(size or 0 for size in sizes.values())
    tally = _Tally(progress, total)
    failures: dict[str, str] = {}

    def fetch(name: str) -> bool:
        try:
            return _fetch(tools, info.name, name, targets[name], sizes[name], tally)
        except AitkError as exc:
            failures[name] = str(exc)
            return False

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        fetched = list(pool.map(fetch, targets))
    written = [_write(target, text) for target, text in captions.items()]
    if failures:
        raise TransferFailed(failures, done=len(targets) - len(failures))
    seconds = time.monotonic() - started
    return DownloadReport(str(root), total, seconds, fetched=any([*fetched, *written]))


def local_names(names: Iterable[str]) -> dict[str, PurePosixPath]:
    """Return a safe path below a folder for each of the server's names.

    No two are the same, also where upper and lower case are one.
    """
    found: dict[str, PurePosixPath] = {}
    taken: set[str] = set()
    for name in names:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
        path = PurePosixPath(*(safe_file_name(part) for part in parts or ["_"]))
        free, number = path, 2
        # What shares a stem shares a caption, so the stem has to be free too.
        while str(free).casefold() in taken:
            free, number = path.with_stem(f"{path.stem}_{number}"), number + 1
        taken.add(str(free).casefold())
        found[name] = free
    return found


def _captions(info: DatasetInfo, targets: Mapping[str, Path]) -> dict[Path, str]:
    return {
        targets[image].with_suffix(".txt"): text
        for image, text in info.captions.items()
        if image in targets
    }


def _fetch(
    tools: DatasetTools, dataset: str, name: str, target: Path, size: int | None, tally: _Tally
) -> bool:
    if size is not None and target.is_file() and target.stat().st_size == size:
        tally.add(size)
        return False
    counted = 0

    def heard(done: int, _total: int) -> None:
        nonlocal counted
        tally.add(done - counted)
        counted = done

    with keeping(target):
        tools.fetch(dataset, name, target, heard)
    return True


def _write(target: Path, text: str) -> bool:
    """Write a caption, and return whether it was another one, or none."""
    content = text.encode("utf-8", "replace")
    if target.is_file() and target.read_bytes() == content:
        return False
    with keeping(target), replacing(target) as draft:
        draft.write_bytes(content)
    return True


class _Tally:
    def __init__(self, progress: Progress, total: int) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._total = total
        self._done = 0
        progress(0, total)

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._progress(self._done, self._total)
