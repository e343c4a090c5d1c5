"""Datasets on the server: `client.datasets`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aitk_nb.datasets import download as dataset_download
from aitk_nb.datasets import upload as uploading
from aitk_nb.datasets.captioning import CaptionJob, CaptionOptions, start_captioning
from aitk_nb.datasets.digest_cache import UploadNotes
from aitk_nb.datasets.local import LocalDataset
from aitk_nb.datasets.upload import Confirm, Depth, IfDiffers, Outcome, UploadOptions
from aitk_nb.errors import BadInput, NotSupported, TransferFailed
from aitk_nb.models.names import check_name
from aitk_nb.models.server import Ability

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend, Progress, Upload
    from aitk_nb.models.dataset import DatasetInfo
    from aitk_nb.models.job import DownloadReport
    from aitk_nb.models.verify_report import VerifyReport

__all__ = ["Datasets"]

_log = logging.getLogger(__name__)

# What is to be done where a server only takes datasets, by what it cannot do.
_COMPARED = "Upload the folder again: what has arrived already is not sent twice."
_FETCHED = "Use the folder that it was sent from."
_CAPTIONED = (
    "client.datasets.caption_images([…]) has its model caption local images; write them into .txt "
    "files and upload the folder again."
)
_WRITTEN = "Change the .txt files of the local folder, and upload it again."
_SHOWN = "Look at the folder that it was sent from."
_DELETED = "It forgets it by itself: when it has begun to train on it, or is restarted."


class Datasets:
    """Send datasets to the server, and work with those it has."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def __repr__(self) -> str:
        return f"<Datasets of {self._backend.url}>"

    def list(self) -> tuple[str, ...]:
        """Return the names of the datasets on the server, sorted."""
        return self._backend.list_datasets()

    def get(self, name: str) -> DatasetInfo:
        """Return a dataset of the server with its captions.

        Raises:
            NotFound: the server has none of that name.
        """
        return self._backend.get_dataset(check_name("dataset", name))

    # -- there ---------------------------------------------------------------------------------

    def upload(
        self,
        folder: str | Path | LocalDataset,
        name: str = "",
        *,
        if_differs: IfDiffers = "refuse",
        verify: Depth = "sample",
        mirror: bool = False,
        confirm: Confirm | None = None,
        progress: Progress | None = None,
    ) -> DatasetInfo:
        """Send the images and captions of `folder`, and return the dataset as the server has it.

        Only what is missing is sent: calling it again sends nothing. The dataset is called `name`,
        or as the folder, in the form that the server gives it (`.name` of what is returned).
        Folders of control images become datasets of their own, called `<name>_control`; their
        names are `.controls` of what is returned, for `TrainingParams.control_datasets`.

        Args:
            folder: What to send; scanned here, unless it is a `LocalDataset` already.
            name: What to call it.
            if_differs: What to do about other files of the same names on the server.
            verify: What was sent is looked at on the server: names and captions of all, sizes and
                contents of some. With "full" every byte of every file is read back.
            mirror: Delete what the server's dataset has besides; only after `confirm`.
            confirm: Gets the names that `mirror` would delete, and says whether they may be.
            progress: Called with the bytes sent and the bytes in all.

        Raises:
            InvalidDataset: the folder has errors, or the server's dataset has other files under
                the same names and `if_differs` is not "replace". Nothing was sent.
            TransferFailed: some files did not arrive; the others did.
            BadInput: `name` cannot be the name of a dataset; or `mirror` would delete files, and
                there is no `confirm`.
        """
        local = self._scanned(folder)
        local = local.check(flavour=self._backend.flavour, rename=self._renamed)
        dataset = self._named(name, local)
        options = UploadOptions(if_differs, verify, mirror, confirm)
        notes = UploadNotes(local.folder)
        parts = self._parts(local, dataset, notes)
        outcomes = [
            self._send(part, notes, files, options, progress or _ignore)
            for part, files in parts.items()
        ]
        sent, kept = (sum(o.sent for o in outcomes), sum(o.kept for o in outcomes))
        _log.info("%d files sent to %s, %d were there", sent, dataset, kept)
        first = outcomes[0]
        there = replace(first.there, sent=sent, kept=kept, report=first.report)
        return replace(there, controls=tuple(parts)[1:])

    def verify(
        self, folder: str | Path | LocalDataset, name: str = "", *, depth: Depth = "sample"
    ) -> VerifyReport:
        """Return what the server has of each file of `folder`, and what it has besides.

        All sizes are compared, and the contents of some files; with `depth="full"` those of all.
        Control images are named with their dataset before them, as `<name>_control/a.png`.

        Raises:
            InvalidDataset: there is no such folder.
            NotFound: the server has no such dataset.
            NotSupported: the server does not tell.
            BadInput: `name` cannot be the name of a dataset.
        """
        local = self._scanned(folder)
        dataset = self._named(name, local)
        self.get(dataset)
        self._need("compare a dataset with a folder", _COMPARED)
        notes = UploadNotes(local.folder)
        parts = self._parts(local, dataset, notes)
        first, *others = (
            uploading.verify(self._backend, part, files, depth) for part, files in parts.items()
        )
        return first.joined(others)

    def _send(
        self,
        dataset: str,
        notes: UploadNotes,
        files: Sequence[Upload],
        options: UploadOptions,
        progress: Progress,
    ) -> Outcome:
        return uploading.send(self._backend, dataset, notes, files, options, progress)

    def _parts(
        self, local: LocalDataset, dataset: str, notes: UploadNotes
    ) -> dict[str, tuple[Upload, ...]]:
        """Return the files of the dataset, and of its control images, by name on the server."""
        parts = {dataset: self._uploads(local, local.files, notes)}
        for controls in local.controls:
            name = self._server_name(f"{dataset}_{controls.name}")
            parts[name] = self._uploads(local, controls.files, notes)
        return parts

    def caption_images(
        self,
        images: Sequence[str | Path],
        *,
        trigger_word: str = "",
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, str]:
        """Return captions of local images by their names, written by the server's own model.

        With a `trigger_word` each ends with `[trigger]`. `progress` counts images. Nothing is
        written here: put them into `.txt` files, or change them before.

        Raises:
            NotSupported: the server has no model for that.
        """
        paths = [Path(image).expanduser() for image in images]
        texts = self._backend.caption_images(paths, trigger_word, progress or _ignore)
        return {path.name: text for path, text in zip(paths, texts, strict=True)}

    def _scanned(self, folder: str | Path | LocalDataset) -> LocalDataset:
        if isinstance(folder, LocalDataset):
            return folder
        return LocalDataset.scan(folder, rename=self._renamed)

    def _renamed(self, file: str) -> str:
        return self._backend.server_names("", [file])[1][0]

    def _named(self, name: str, local: LocalDataset) -> str:
        """Return the server's form of the name that somebody gave, or else of the folder's."""
        return self._server_name(check_name("dataset", name) if name else local.name)

    def _server_name(self, name: str) -> str:
        # Of a folder's name only what the server makes of it has to be safe.
        return check_name("dataset", self._backend.server_names(name, ())[0])

    def _uploads(
        self, local: LocalDataset, paths: Sequence[Path], notes: UploadNotes
    ) -> tuple[Upload, ...]:
        _, names = self._backend.server_names("", [path.name for path in paths])
        # A dataset that was scanned without a server does not know yet what this one renames.
        if len(set(names)) < len(names):
            local.check(rename=self._renamed)
            raise BadInput("Two files would have one name on the server: rename one of them.")
        pairs = zip(paths, names, strict=True)
        return tuple(notes.upload(path, name) for path, name in pairs)

    # -- on the server -------------------------------------------------------------------------

    def captions(self, name: str) -> Mapping[str, str]:
        """Return the captions of a dataset by image; an image without one is missing.

        Raises:
            NotFound: the server has no such dataset.
        """
        return self.get(name).captions

    def write_captions(self, name: str, captions: Mapping[str, str]) -> DatasetInfo:
        """Write captions by image, replacing those that are there; return the dataset then.

        Only captions that change are sent.

        Raises:
            NotFound: the server has no such dataset.
            BadInput: the dataset has no such image; nothing was written.
            TransferFailed: some were not written; the others were.
        """
        there = self.get(name)
        if unknown := sorted(set(captions) - set(there.images)):
            raise BadInput(
                f"{name} has no image {unknown[0]!r}. Name images as client.datasets.get({name!r})"
                ".images does."
            )
        self._need("change the captions of a dataset", _WRITTEN)
        new = {k: text for k, text in captions.items() if there.captions.get(k, "") != text}
        failures = self._backend.dataset_tools.write_captions(name, new)
        if failures:
            raise TransferFailed(failures, done=len(new) - len(failures))
        return self.get(name) if new else there

    def caption(self, name: str, options: CaptionOptions | None = None) -> CaptionJob:
        """Have a model on the server caption the images that lack one; `wait()` for it.

        Raises:
            NotFound: the server has no such dataset.
            NotSupported: the server has no captioners.
        """
        there = self.get(name)
        self._need("caption a dataset that it has", _CAPTIONED)
        return start_captioning(self._backend, there, options or CaptionOptions())

    def thumbnails(self, name: str, limit: int = 40) -> tuple[tuple[bytes, str], ...]:
        """Return small pictures of the first images, each with its caption or else its name.

        `aitk_nb.views.contact_sheet` puts them on one sheet.

        Raises:
            NotFound: the server has no such dataset.
        """
        there = self.get(name)
        self._need("show the images of a dataset", _SHOWN)
        tools = self._backend.dataset_tools
        shown = there.images[:limit]
        pictures = dict(tools.thumbnails(name, shown))
        return tuple((pictures[image], there.captions.get(image, image)) for image in shown)

    def download(
        self,
        name: str,
        folder: str | Path = ".",
        *,
        as_zip: bool = False,
        progress: Progress | None = None,
    ) -> DownloadReport:
        """Fetch a dataset into `folder/<name>`, or with `as_zip` as `folder/<name>.zip`.

        File by file, what is there already is not fetched again.

        Raises:
            NotFound: the server has no such dataset.
            TransferFailed: some files did not arrive; the others did, whole.
        """
        there = self.get(name)
        self._need("send a dataset back", _FETCHED)
        target = Path(folder).expanduser()
        if as_zip:
            return dataset_download.download_zip(self._backend, name, target, progress or _ignore)
        return dataset_download.download_files(self._backend, there, target, progress or _ignore)

    def delete(self, name: str) -> None:
        """Delete a dataset with everything in it; `name` must be exactly its name.

        Raises:
            NotFound: the server has none of exactly that name.
        """
        self._need("delete a dataset", _DELETED)
        self._backend.dataset_tools.delete(check_name("dataset", name))

    def _need(self, what: str, instead: str) -> None:
        """Raise `NotSupported` where the server only takes datasets."""
        if Ability.EDIT_DATASETS not in self._backend.abilities:
            raise NotSupported(what, self._backend.flavour.name.capitalize(), instead)


def _ignore(_done: int, _total: int) -> None:
    """Take progress and show nothing."""
