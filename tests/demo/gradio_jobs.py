"""Trainings of the embedded Gradio app as tests start them, wait for them and look at them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.gradio_servers import Caller, Form

PATIENCE = 60.0
"""Seconds that something may take on a busy machine."""

FRAME = 4120
WAL_HEADER = 32
PER_FLUSH = 5
"""Frames that one flush writes."""


def form(root: str, name: str, steps: int, more: str = "") -> Form:
    """Return a training that writes below the upload root, with its losses."""
    advanced = (
        f"training_folder: {root}/jobs\n"
        "logging: {use_ui_logger: true, log_every: 1}\n"
        "save: {save_every: 20, max_step_saves_to_keep: 2, push_to_hub: false}\n"
    )
    return Form(name, steps=steps, advanced=advanced + more)


def until(done: Callable[[], Any]) -> Any:
    """Wait until `done` gives something true, and return it."""
    end = time.monotonic() + PATIENCE
    while not (result := done()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
    return result


def missing(status: int) -> bool:
    """Return whether this is how the file route says "not there": 404 under Gradio 4, else 403."""
    return status in (403, 404)


def size(caller: Caller, path: str) -> int:
    """Return how long a file is; 0 while it is not there."""
    # On a connection of its own: a file that goes while the server looks at it is a 500, and after
    # one Gradio drops the connection, so that the next request on it would be reset.
    answer = caller.file(path, "HEAD", connection="close")
    return int(answer.headers["content-length"]) if answer.is_success else 0


def finished(caller: Caller, path: str) -> None:
    """Wait until a training has ended: its LoRA is there, and its losses are folded in."""
    log = f"{path.rpartition('/')[0]}/loss_log.db-wal"
    until(lambda: size(caller, path) and not size(caller, log))


def rows_in_log(folder: Path) -> list[int]:
    """Return the steps in the loss log of a training that is held up."""
    with closing(sqlite3.connect(folder / "loss_log.db")) as db:
        return [step for (step,) in db.execute("SELECT step FROM steps ORDER BY step")]


def rows(database: Path) -> list[int]:
    """Return the steps in a loss log, which is left as it is."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as db:
        return [step for (step,) in db.execute("SELECT step FROM steps ORDER BY step")]
