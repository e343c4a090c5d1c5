"""Datasets on the server: `client.datasets`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aitk_nb.backends.base import Upload
from aitk_nb.errors import InvalidDataset
from aitk_nb.local_dataset import LocalDataset
from aitk_nb.models import check_name

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend, Progress
    from aitk_nb.models import DatasetInfo

__all__ = ["Datasets"]

_log = logging.getLogger(__name__)


class Datasets:
    """Send datasets to the server, and see what it has."""

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

    def upload(
        self,
        folder: str | Path | LocalDataset,
        name: str = "",
        *,
        if_differs: Literal["refuse", "replace"] = "refuse",
        progress: Progress | None = None,
    ) -> DatasetInfo:
        """Send the images and captions of `folder`, and return the dataset as the server has it.

        Only what is missing is sent: calling it again sends nothing. The dataset is called `name`,
        or as the folder, in the form that the server gives it (`.name` of what is returned).

        Raises:
            InvalidDataset: the folder has errors, or the server's dataset has other files under
                the same names and `if_differs` is not "replace". Nothing was sent.
            TransferFailed: some files did not arrive; the others did.
        """
        local = self._scanned(folder).check()
        dataset = self._server_name(name or local.folder.name)
        files = self._uploads(local)
        absent, differing = self._backend.missing(dataset, files)
        if differing and if_differs == "refuse":
            raise _differs(dataset, differing)
        to_send = (*absent, *differing)
        if to_send:
            self._backend.upload(dataset, to_send, progress or _ignore)
        _log.info("%d files sent to %s, %d were there", len(to_send), dataset, len(files))
        info = self._backend.get_dataset(dataset)
        return replace(info, sent=len(to_send), kept=len(files) - len(to_send))

    def write_captions(
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
        texts = self._backend.write_captions(paths, trigger_word, progress or _ignore)
        return {path.name: text for path, text in zip(paths, texts, strict=True)}

    def _scanned(self, folder: str | Path | LocalDataset) -> LocalDataset:
        if isinstance(folder, LocalDataset):
            return folder
        return LocalDataset.scan(folder, rename=self._renamed)

    def _renamed(self, file: str) -> str:
        return self._backend.server_names("", [file])[1][0]

    def _server_name(self, name: str) -> str:
        # Only what the server makes of a name has to be safe: "Été/2024" becomes "_t_2024".
        return check_name("dataset", self._backend.server_names(name, ())[0])

    def _uploads(self, local: LocalDataset) -> tuple[Upload, ...]:
        paths = local.files
        _, names = self._backend.server_names("", [path.name for path in paths])
        # A dataset that was scanned without a server does not know yet what this one renames.
        if len(set(names)) < len(names):
            LocalDataset.scan(local.folder, rename=self._renamed).check()
        pairs = zip(paths, names, strict=True)
        return tuple(Upload(path, name, path.stat().st_size) for path, name in pairs)


def _differs(dataset: str, files: tuple[Upload, ...]) -> InvalidDataset:
    names = ", ".join(file.name for file in files[:5]) + (", …" if len(files) > 5 else "")
    return InvalidDataset(
        dataset,
        [
            f"The server's dataset {dataset!r} has other files under the names {names}.",
            "Choose another name, or replace them with if_differs='replace' "
            "(on the command line --replace).",
        ],
    )


def _ignore(_done: int, _total: int) -> None:
    """Take progress and show nothing."""
