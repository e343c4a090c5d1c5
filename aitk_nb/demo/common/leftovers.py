"""Temporary folders of servers that were killed before they could remove them."""

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from aitk_nb.demo.common.folder_lock import LOCK, FolderInUse, FolderLock

PREFIX = "aitk-nb-demo-"
"""How the temporary folders of servers begin."""

_AGE = 60.0
"""Seconds for which a folder is left alone: its server may just be starting."""


def remove() -> None:
    """Remove the temporary folders of this user whose server has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, FolderInUse):
            if _is_old(folder):
                _remove(folder.resolve())


def _is_old(folder: Path) -> bool:
    mine = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
    is_folder = folder.is_dir() and not folder.is_symlink()
    return mine and is_folder and time.time() - (folder / LOCK).stat().st_mtime > _AGE


def _remove(folder: Path) -> None:
    lock = FolderLock(folder)
    lock.acquire()
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()
