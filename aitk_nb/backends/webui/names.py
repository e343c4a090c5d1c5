"""Names and paths as the web UI makes them: its renaming rules, and addresses of its files.

Why it is so: docs/behavior.md#uploads
"""

import ntpath
import posixpath
import re
import secrets
from urllib.parse import quote


def dataset_name(name: str) -> str:
    """Return what `datasets/create` makes of `name`.

    Lower case, and each run of anything but a-z and 0-9 becomes one underscore
    (contracts: "My Data-Set 01!" becomes "my_data_set_01_").
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def file_name(name: str) -> str:
    """Return what `datasets/upload` makes of a file name.

    Each character outside `[A-Za-z0-9.-]` becomes one underscore. The server counts UTF-16
    units, so that an emoji becomes two.
    """

    def underscores(match: re.Match[str]) -> str:
        # A name that is not valid in the file system's encoding holds lone surrogates.
        return "_" * (len(match[0].encode("utf-16-le", "surrogatepass")) // 2)

    return re.sub(r"[^A-Za-z0-9.-]", underscores, name)


def base_name(path: str) -> str:
    """Return the last part of a server path, whichever separator the server has."""
    return re.split(r"[/\\]", path)[-1]


def join(folder: str, *parts: str) -> str:
    """Return a path below `folder` with the separator that the server uses."""
    separator = "\\" if _is_windows(folder) else "/"
    return separator.join([folder.rstrip("/\\"), *parts])


def normal(folder: str) -> str:
    """Return a folder that is set as `/a//b` or `/a/../b` as the server names it in a path."""
    return ntpath.normpath(folder) if _is_windows(folder) else posixpath.normpath(folder)


def _is_windows(folder: str) -> bool:
    return "\\" in folder and "/" not in folder


def file_url(path: str) -> str:
    """Return the address of a file of the server; the form with one segment works in every era.

    The server lets caches keep a file for a day, also one that is rewritten meanwhile, so each
    address is a fresh one.
    """
    return f"/api/files/{quote(path, safe='')}?v={secrets.token_hex(4)}"
