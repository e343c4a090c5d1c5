"""Datasets on the server: `client.datasets`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from aitk_nb._display.progress import ProgressOption, reporting
from aitk_nb._local_copies import remember
from aitk_nb._yaml import facts
from aitk_nb.backends.base import Backend
from aitk_nb.datasets import download, upload
from aitk_nb.datasets.captioning import CaptionJob, CaptionOptions, start_captioning
from aitk_nb.datasets.digest_cache import DigestCache
from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.problems import UNUSED
from aitk_nb.datasets.upload import Confirm, IfDiffers, RemoteDataset, UploadOptions, Verify
from aitk_nb.errors import BadInput, NotSupported, TransferFailed
from aitk_nb.models import Ability, DatasetInfo, DownloadReport, VerifyReport, check_name

_log = logging.getLogger(__name__)


class Datasets:
    """Upload datasets to the server, and work with those it has.

    Example:
        >>> dataset = client.datasets.upload(photos, "grace hopper")
        >>> dataset.name, len(dataset.images), client.datasets.verify(photos, dataset.name).ok
        ('grace_hopper', 12, True)
    """

    def __init__(self, backend: Backend) -> None:
        """Use `backend`; nothing is sent until the first call."""
        self._backend = backend

    def __repr__(self) -> str:
        return f"<Datasets of {self._backend.url}>"

    def list(self) -> tuple[str, ...]:
        """Return the names of the datasets on the server, sorted."""
        return self._backend.list_datasets()

    def get(self, name: str) -> DatasetInfo:
        """Return the dataset `name` on the server, with its captions.

        Raises:
            NotFound: The server has no such dataset.
        """
        return self._backend.get_dataset(check_name("dataset", name))

    def upload(
        self,
        folder: str | Path | LocalDataset,
        name: str = "",
        *,
        if_differs: IfDiffers = "refuse",
        verify: Verify = "sample",
        mirror: bool = False,
        confirm: Confirm | None = None,
        progress: ProgressOption = "auto",
    ) -> DatasetInfo:
        """Upload the images and captions of a folder.

        Only files that the server lacks are sent, so a second call sends nothing. Folders of
        control images become datasets of their own, called `<name>_control`.

        Args:
            folder: What to upload; checked first.
            name: The dataset's name; by default that of the folder.
            if_differs: What to do if the server has other files with the same names.
            verify: How the server's files are compared afterwards: names and captions of all,
                sizes and contents of some; with "full" every byte of every file is read back.
            mirror: Delete files on the server that are not in the folder, after `confirm`.
            confirm: Gets the names that `mirror` would delete; returns whether to delete them.
            progress: Called with the bytes sent and the bytes in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            The dataset as the server has it. Its `name` is the server's form of the name; its
            `controls` are the names for `TrainingParams.control_datasets`; its `remarks` name the
            captions, such as those of a table, that the trainer will not read.

        Raises:
            InvalidDataset: The folder has errors, or the server has other files with the same
                names and `if_differs` is not "replace". Nothing was sent.
            TransferFailed: Some files did not arrive; the others did.
            BadInput: Invalid name; or `mirror` would delete files, and there is no `confirm`.
        """
        local = self._local(folder)
        renamed = partial(upload.renamed, self._backend)
        required = replace(local.requirements, flavour=self._backend.flavour, rename=renamed)
        local = local.check(required).raise_for_errors()
        dataset = upload.server_name(self._backend, name, local)
        options = UploadOptions(if_differs, verify, mirror, confirm)
        cache = DigestCache(local.folder)
        parts = upload.parts(self._backend, local, dataset, cache)
        infos = [
            RemoteDataset(self._backend, part).send(files, cache, options, progress)
            for part, files in parts.items()
        ]
        remember(cache.path)
        sent, kept = sum(info.sent for info in infos), sum(info.kept for info in infos)
        _log.info("%d files sent to %s, %d were already there", sent, dataset, kept)
        remarks = tuple(str(problem) for problem in local.problems if problem.code in UNUSED)
        controls = tuple(parts)[1:]
        return replace(infos[0], sent=sent, kept=kept, controls=controls, remarks=remarks)

    def verify(
        self,
        folder: str | Path | LocalDataset,
        name: str = "",
        *,
        verify: Verify = "sample",
        progress: ProgressOption = "auto",
    ) -> VerifyReport:
        """Compare a dataset on the server with a local folder, file by file.

        Args:
            folder: The folder that was uploaded.
            name: The dataset's name; by default that of the folder.
            verify: All sizes are compared, and the contents of some files; with "full" those of
                all files.
            progress: Called with the bytes read back and the bytes in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            The state of each file. Control images are named `<name>_control/a.png`.

        Raises:
            InvalidDataset: There is no such folder.
            NotFound: The server has no such dataset.
            NotSupported: The server only accepts uploads.
            BadInput: Invalid name.
        """
        local = self._local(folder)
        dataset = upload.server_name(self._backend, name, local)
        self.get(dataset)
        self._require("verify")
        parts = upload.parts(self._backend, local, dataset, DigestCache(local.folder))
        first, *others = (
            RemoteDataset(self._backend, part).verify(files, verify, progress)
            for part, files in parts.items()
        )
        return first.joined(others)

    def _local(self, folder: str | Path | LocalDataset) -> LocalDataset:
        return folder if isinstance(folder, LocalDataset) else LocalDataset(folder)

    def describe(
        self,
        images: Sequence[str | Path],
        *,
        trigger_word: str = "",
        progress: ProgressOption = "auto",
    ) -> dict[str, str]:
        """Caption local images by the server's own model; nothing is written.

        Args:
            images: Local image files.
            trigger_word: If given, each caption ends with `[trigger]`.
            progress: Called with the images done and the images in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            Caption by image name.

        Raises:
            NotSupported: The server has no model for that.
        """
        paths = [Path(image).expanduser() for image in images]
        with reporting(progress, "captioning", in_bytes=False) as report:
            texts = self._backend.caption_images(paths, trigger_word, report)
        return {path.name: text for path, text in zip(paths, texts, strict=True)}

    def get_captions(self, name: str) -> Mapping[str, str]:
        """Return the captions of the dataset `name` by image; an image without one is missing.

        Raises:
            NotFound: The server has no such dataset.
        """
        return self.get(name).captions

    def set_captions(self, name: str, captions: Mapping[str, str]) -> DatasetInfo:
        """Replace captions of a dataset on the server; only those that change are sent.

        Args:
            name: The dataset's name.
            captions: The new captions by image, named as `get(name).images` does.

        Returns:
            The dataset with the new captions.

        Raises:
            NotFound: The server has no such dataset.
            BadInput: The dataset has no such image; nothing was written.
            TransferFailed: Some captions were not written; the others were.
            NotSupported: The server only accepts uploads.
        """
        old = self.get(name)
        if unknown := sorted(set(captions) - set(old.images)):
            raise BadInput(
                f"{name} has no image {unknown[0]!r}. Name images as client.datasets.get({name!r})"
                ".images does."
            )
        self._require("set_captions")
        new = {k: text for k, text in captions.items() if old.captions.get(k, "") != text}
        failures = self._backend.dataset_tools.write_captions(name, new)
        if failures:
            raise TransferFailed(failures, done=len(new) - len(failures))
        return self.get(name) if new else old

    def generate_captions(self, name: str, options: CaptionOptions | None = None) -> CaptionJob:
        """Start a job on the server that captions the images without a caption, if there are any.

        Args:
            name: The dataset's name.
            options: Which model captions, and how.

        Returns:
            The captioning job; its `wait()` returns the captions. If there was nothing to caption,
            its `not_started` says why.

        Raises:
            NotFound: The server has no such dataset.
            NotSupported: The server has no captioners.
        """
        dataset = self.get(name)
        self._require("generate_captions")
        return start_captioning(self._backend, dataset, options or CaptionOptions())

    def thumbnails(self, name: str, limit: int = 40) -> tuple[tuple[bytes, str], ...]:
        """Return small versions of the first images; `aitk_nb.views.contact_sheet` shows them.

        Args:
            name: The dataset's name.
            limit: Images at most.

        Returns:
            Each image's bytes, with its caption or else its name.

        Raises:
            NotFound: The server has no such dataset.
            NotSupported: The server only accepts uploads.
        """
        dataset = self.get(name)
        self._require("thumbnails")
        shown = dataset.images[:limit]
        content = dict(self._backend.dataset_tools.thumbnails(name, shown))
        return tuple((content[image], dataset.captions.get(image, image)) for image in shown)

    def download(
        self,
        name: str,
        out_dir: str | Path = ".",
        *,
        as_zip: bool = False,
        caption_ext: str = ".txt",
        progress: ProgressOption = "auto",
    ) -> DownloadReport:
        """Download a dataset; files that are already there are not fetched again.

        Args:
            name: The dataset's name.
            out_dir: Folder in which `<name>` is written.
            as_zip: Write one file `<name>.zip` instead.
            caption_ext: Ending of the files with the captions, as in a job's `caption_ext`.
            progress: Called with the bytes fetched and the bytes in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            What was written, and how long it took.

        Raises:
            NotFound: The server has no such dataset.
            TransferFailed: Some files did not arrive; the others did.
            NotSupported: The server only accepts uploads.
        """
        dataset = self.get(name)
        self._require("download")
        target = Path(out_dir).expanduser()
        with reporting(progress, "downloading") as report:
            if as_zip:
                return download.download_zip(self._backend, name, target, report)
            return download.download_files(self._backend, dataset, target, report, caption_ext)

    def delete(self, name: str) -> None:
        """Delete a dataset with everything in it.

        Args:
            name: Its exact name.

        Raises:
            NotFound: The server has no dataset of exactly this name.
            NotSupported: The server only accepts uploads.
        """
        self._require("delete")
        self._backend.dataset_tools.delete(check_name("dataset", name))

    def _require(self, call: str) -> None:
        """Raise `NotSupported` if the server only accepts uploads."""
        if Ability.EDIT_DATASETS not in self._backend.abilities:
            what, instead = facts("aitk_nb.datasets", "instead")[call]
            raise NotSupported(what, self._backend.flavour.name.capitalize(), instead)
