"""`Reader`: a folder of images, read again only if something in it has changed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from aitk_nb.datasets.local.dataset import LocalDataset
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.views.dataset_form.folders import Stamp, stamp


class Reader:
    """Reads one folder at a time, for a server and a training job."""

    def __init__(self, requirements: Requirements | None) -> None:
        """Check for `requirements`; nothing is read yet."""
        self._requirements = requirements
        self._stamp: Stamp | None = None
        self._folder: Path | None = None
        self._left_out: Collection[str] = ()
        self.whole: LocalDataset | None = None
        """All that was in the folder when it was read; None before."""
        self._chosen = LocalDataset(())

    def read(self, folder: Path, left_out: Collection[str] = ()) -> LocalDataset:
        """Return what is in the folder without the images of these names.

        Raises:
            InvalidDataset: The folder can't be opened.
        """
        now, whole = stamp(folder), self.whole
        if whole is None or self._folder != folder:
            self.whole = None
            whole = LocalDataset(folder).check(self._requirements)
        elif self._stamp != now:
            # An edited caption must not cost decoding every image.
            whole = whole.rescan()
        if whole is not self.whole or self._left_out != left_out:
            gone = {path for path in whole.contents.trained if path.name in left_out}
            self._chosen = whole.without(gone) if gone else whole
        self.whole, self._folder, self._stamp, self._left_out = whole, folder, now, left_out
        return self._chosen

    def look_again(self) -> None:
        """Read the folder again at the next call, also if its own files have not changed."""
        self._stamp = None

    def forget(self) -> None:
        """Read every file of the folder again at the next call."""
        self.whole = None
