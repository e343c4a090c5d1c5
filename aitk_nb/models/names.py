"""Names that the server and this machine's file system accept."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from aitk_nb.errors import BadInput

_FORBIDDEN = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]")


def name_problem(name: str) -> str | None:
    """Return why `name` cannot name a job or a dataset, or None when it can.

    The server puts names into paths without looking at them, so this is the guard.
    """
    if not name.strip():
        return "a name is needed"
    if name.startswith("."):
        return "it must not start with a dot"
    if ".." in name:
        return "it must not contain '..'"
    if _FORBIDDEN.search(name):
        return "it must not contain '/', '\\' or control characters"
    if "${" in name:
        return "'${' would be replaced from the server's environment"
    if name != name.strip():
        return "it must not start or end with a space"
    if len(name.encode()) > 200:
        return "it must be at most 200 bytes long"
    return None


def check_name(kind: str, name: str) -> str:
    """Return `name` if it can name a `kind`.

    Raises:
        BadInput: the name would leave its folder on the server, or is empty.
    """
    if why := name_problem(name):
        raise BadInput(f"{name!r} cannot be the name of a {kind}: {why}.")
    return name


_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')


_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\.|$)", re.IGNORECASE
)


def safe_file_name(name: str) -> str:
    """Return a server's file name as one that stays in its folder on Linux, macOS and Windows."""
    safe = _UNSAFE.sub("_", name.replace("\\", "/").split("/")[-1]).rstrip(". ")
    # The end of a long name is kept: it says which kind of file it is.
    safe = safe.encode()[-200:].decode(errors="ignore")
    if not safe or safe.startswith(".") or _RESERVED.match(safe):
        safe = "_" + safe
    return safe


def local_names(names: Iterable[str]) -> dict[str, PurePosixPath]:
    """Return a safe relative path for each of the server's names.

    No two are the same, even if upper and lower case are not distinguished.
    """
    found: dict[str, PurePosixPath] = {}
    taken: set[str] = set()
    for name in names:
        parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
        path = PurePosixPath(*(safe_file_name(part) for part in parts or ["_"]))
        free, number = path, 2
        # Files that share a stem share a caption, so the stem has to be free too.
        while str(free).casefold() in taken:
            free, number = path.with_stem(f"{path.stem}_{number}"), number + 1
        taken.add(str(free).casefold())
        found[name] = free
    return found


def slug_of(name: str) -> str:
    """Return the name that a job has on a Gradio server.

    The app makes a slug of any name, by a table of all the world's scripts; a name that is a slug
    already stays as it is.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", plain))
    return slug[:80].strip("-") or f"lora-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
