"""Downloading a dataset of the server, file by file or as one zip."""

import time
from pathlib import Path

from aitk_nb._files import keeping, write
from aitk_nb._local_copies import remember
from aitk_nb.backends.base import Backend, Progress
from aitk_nb.backends.wire.parallel import Tally, each
from aitk_nb.datasets.digest_cache import DigestCache
from aitk_nb.errors import AitkError, TransferFailed
from aitk_nb.models import DatasetInfo, DownloadReport, safe_file_name
from aitk_nb.models.names import local_names

WORKERS = 8


def download_zip(
    backend: Backend, dataset: str, folder: Path, progress: Progress
) -> DownloadReport:
    """Download a dataset as `<name>.zip`; an older file is kept under another name.

    Raises:
        AitkError: The server can't pack it, or it did not arrive completely.
    """
    started = time.monotonic()
    target = folder / f"{safe_file_name(dataset)}.zip"
    with keeping(target):
        size = backend.dataset_tools.fetch_zip(dataset, target, progress)
    return DownloadReport(str(target), size, time.monotonic() - started)


def download_files(
    backend: Backend, info: DatasetInfo, folder: Path, progress: Progress, caption_ext: str = ".txt"
) -> DownloadReport:
    """Download the images and captions of a dataset into `folder/<name>`.

    A file of the same size is taken as the same and not fetched. Names that would lead out of the
    folder, or that this system does not allow, are made safe.

    Raises:
        TransferFailed: Some files did not arrive; the others did.
    """
    started = time.monotonic()
    tools, root = backend.dataset_tools, folder / safe_file_name(info.name)
    targets = {name: root / local for name, local in local_names(info.images).items()}
    sizes = tools.sizes(info.name, list(targets))
    total = sum(size or 0 for size in sizes.values())
    progress(0, total)
    tally = Tally(progress, total)

    def fetch(name: str) -> bool:
        target, size, counted = targets[name], sizes[name], 0
        if size is not None and target.is_file() and target.stat().st_size == size:
            tally.add(size)
            return False

        def count(done: int, _total: int) -> None:
            nonlocal counted
            tally.add(done - counted)
            counted = done

        with keeping(target):
            tools.fetch(info.name, name, target, count)
        return True

    outcomes = each(fetch, list(targets), workers=WORKERS)
    ending = f".{caption_ext.removeprefix('.')}"
    found = info.captions
    if ending != ".txt":
        found = tools.captions(info.name, list(targets), ending)
    captions = ((targets[image], text) for image, text in found.items() if image in targets)
    written = [_write(image.with_suffix(ending), text) for image, text in captions]
    failures = {
        name: str(outcome)
        for name, outcome in zip(targets, outcomes, strict=True)
        if isinstance(outcome, AitkError)
    }
    if failures:
        raise TransferFailed(failures, done=len(targets) - len(failures))
    cache = DigestCache(root)
    cache.digested([cache.upload(target, name) for name, target in targets.items()])
    remember(cache.path)
    seconds = time.monotonic() - started
    return DownloadReport(str(root), total, seconds, fetched=any([*outcomes, *written]))


def _write(target: Path, text: str) -> bool:
    """Write a caption, and return whether it was new or different."""
    content = text.encode("utf-8", "replace")
    if target.is_file() and target.read_bytes() == content:
        return False
    with keeping(target):
        write(target, content)
    return True
