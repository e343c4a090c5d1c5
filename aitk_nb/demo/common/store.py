"""Where a demo server keeps what it has: rows in `aitk_db.db`, files in `datasets` and `output`.

Only the standard library is used, so that this also runs beside other web frameworks.
"""

import os
import re
from pathlib import Path

from aitk_nb.demo.common.folder_lock import FolderLock
from aitk_nb.demo.common.tables import Database

FOLDER_SETTINGS = ("TRAINING_FOLDER", "DATASETS_FOLDER", "MODELS_PATH")


def resolve_inside(path: str | os.PathLike[str], *roots: Path) -> Path | None:
    """Return `path` with all links followed, or None if it is not in one of `roots`.

    `..` is taken lexically first, as the real server does, and the links of what remains are
    followed. A relative path is in no folder, and a root is inside itself.
    """
    try:
        if not Path(path).is_absolute():
            return None
        found = Path(os.path.realpath(os.path.normpath(path)))
    except (ValueError, OSError):
        return None
    for root in roots:
        real = Path(os.path.realpath(root))
        if found == real or real in found.parents:
            return found
    return None


def resolve_below(name: str, root: Path) -> Path | None:
    """Return the place of `name` below `root`; None if that is `root` itself or elsewhere."""
    found = resolve_inside(os.path.join(root, "." + os.sep + name), root)  # noqa: PTH118 (lexical)
    return None if found is None or found == Path(os.path.realpath(root)) else found


class Store:
    """The folder of one server, locked for it from `open` to `close`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        """The folder, absolute and with links followed."""

        self._lock = FolderLock(data)
        self._database: Database | None = None

    def open(self) -> None:
        """Make what is missing, and keep other servers out; `FolderInUse` if one is there."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._database = Database(self.database_path)
            for folder in (self.datasets, self.training):
                folder.mkdir(parents=True, exist_ok=True)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database and let other servers in; calling twice is harmless."""
        if self._database is not None:
            self._database.close()
        self._lock.release()

    @property
    def db(self) -> Database:
        """The rows; only between `open` and `close`."""
        if self._database is None:
            raise RuntimeError("This store is not open.")
        return self._database

    @property
    def database_path(self) -> Path:
        """The SQLite file, which the trainer writes too."""
        return self.data / "aitk_db.db"

    @property
    def datasets(self) -> Path:
        """The folder of datasets, as set, unless that leaves `data`."""
        return self._folder("DATASETS_FOLDER", "datasets")

    @property
    def training(self) -> Path:
        """The folder of jobs' outputs, as set, unless that leaves `data`."""
        return self._folder("TRAINING_FOLDER", "output")

    @property
    def models(self) -> Path:
        """The folder of models, as set, unless that leaves `data`."""
        return self._folder("MODELS_PATH", "models")

    @property
    def media(self) -> Path:
        """The folder of control images."""
        return self.data / "data"

    def settings(self) -> dict[str, str]:
        """Return the settings as written, folders with their defaults."""
        written = self.db.settings()
        defaults = (self.data / "output", self.data / "datasets", self.data / "models")
        for key, default in zip(FOLDER_SETTINGS, defaults, strict=True):
            written[key] = written.get(key) or str(default)
        return written

    def dataset_folder(self, name: str) -> Path | None:
        """Return the folder of a dataset, or None if the name leads elsewhere."""
        return resolve_below(name, self.datasets)

    def job_folder(self, name: str) -> Path | None:
        """Return the output folder of a job, or None if the name leads elsewhere."""
        return resolve_below(name, self.training)

    def caption_path(self, image: str, extension: str) -> str:
        """Return where the caption of `image` lies: beside it, with another extension."""
        return re.sub(r"\.[^/.]+\Z", "", image) + "." + extension

    def _folder(self, key: str, default: str) -> Path:
        chosen = self.db.settings().get(key) if self._database else None
        if chosen:
            found = resolve_inside(self.data / chosen, self.data)
            if found not in {None, self.data, self.database_path}:
                return found
        return self.data / default
