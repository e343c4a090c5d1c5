"""`attached`: a job that was started elsewhere, taken up by the folder that it writes."""

from __future__ import annotations

import re
import time

from aitk_nb._yaml import parsed
from aitk_nb.backends.gradio.app import GradioApp
from aitk_nb.backends.gradio.files import FileRoute
from aitk_nb.backends.gradio.journal import JobNote
from aitk_nb.errors import NotFound, UnexpectedReply
from aitk_nb.models.names import name_problem

_LARGEST = 1_000_000
"""Bytes of a config that is still read; AI Toolkit's have a few thousand."""


def is_folder(name: str) -> bool:
    """Return whether `name` is a folder on the server rather than a job's name."""
    return bool(re.match(r"(/|[A-Za-z]:[/\\]|output[/\\])", name))


def attached(folder: str, app: GradioApp, route: FileRoute) -> JobNote:
    """Return a note of the job that writes, or wrote, the server's folder `folder`.

    Raises:
        NotFound: the server shows no job there.
        UnexpectedReply: what lies there is not a job's config.
    """
    folder = folder.replace("\\", "/").rstrip("/")
    path = f"{folder}/config.yaml"
    stat = route.stat(path)
    if stat is None:
        raise NotFound("job in the folder", folder)
    what = f"show the job in {folder}"
    if stat.size > _LARGEST:
        raise UnexpectedReply(what, f"a config of {stat.size} bytes")
    try:
        config = parsed(route.read(path, 0, stat.size).decode())
        name = str(config["config"]["name"])
        steps = int(config["config"]["process"][0]["train"]["steps"])
    except (LookupError, TypeError, ValueError) as exc:
        raise UnexpectedReply(what, "no job config") from exc
    if why := name_problem(name):
        raise UnexpectedReply(what, f"a job whose name cannot be used: {why}")
    now = time.time()
    # Which server process began it is not known; what moves there tells enough.
    return JobNote(
        name,
        folder.rpartition("/")[2],
        folder,
        config,
        steps=steps,
        created=now,
        started=now,
        app_id=app.app_id(),
    )
