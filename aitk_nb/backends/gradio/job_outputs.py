"""What a job of a Gradio app has written, as far as its file route shows it, and how it stands.

Why it is so: docs/behavior.md#gradio
"""

from __future__ import annotations

import enum
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from aitk_nb._yaml import parsed
from aitk_nb.backends.gradio.app import TEXTS, GradioApp
from aitk_nb.backends.gradio.files import FileRoute
from aitk_nb.backends.gradio.journal import JobNote
from aitk_nb.backends.gradio.loss_db import LossFollower
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.errors import ConnectionFailed, NotFound, UnexpectedReply
from aitk_nb.models import LossPage, RemoteFile, name_problem

_MAIN: Final = "loss/loss"
_LARGEST: Final = 1_000_000
"""Bytes of a config that is still read; AI Toolkit's have a few thousand."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of a job's folder, and of the server."""

    answers: bool = True
    """Whether the server answers at all."""
    same_server: bool = True
    """Whether it is the process that the training was given to."""
    accepted: bool = False
    """Whether the job's `config.yaml` is there: the trainer has started, or failed at once."""
    step: int = 0
    """Completed steps, as far as they are logged."""
    has_lora: bool = False
    """Whether the final LoRA is there, and not from an earlier training."""
    has_log: bool = False
    """Whether there is a loss log at all."""
    folded: bool = False
    """Whether the loss log was closed in order."""
    ended: int | None = None
    """Training jobs of anybody that have ended since; None where the server does not say."""
    moved: bool = False
    """Whether the loss log has grown between two looks, or a moment ago."""


class Results:
    """Reads jobs' folders; what was read of a loss log is kept, and only what is new is asked."""

    def __init__(self, route: FileRoute) -> None:
        self._route = route
        self._lock = threading.Lock()
        self._followers: dict[str, LossFollower] = {}
        self._accepted: set[str] = set()

    def _follower(self, note: JobNote) -> LossFollower:
        path = f"{note.folder}/loss_log.db"
        with self._lock:
            return self._followers.setdefault(path, LossFollower(self._route, path))

    def is_accepted(self, note: JobNote) -> bool:
        """Return whether the trainer has written its config there."""
        key = f"{note.folder} {note.started}"
        if key not in self._accepted:
            stat = self._route.stat(f"{note.folder}/config.yaml")
            if stat is not None and stat.etag != note.old_config:
                self._accepted.add(key)
        return key in self._accepted

    def look(self, note: JobNote) -> Evidence:
        """Return what the folder shows now."""
        if not self.is_accepted(note):
            return Evidence()
        step, follower = self.step(note), self._follower(note)
        lora = self._route.stat(f"{note.folder}/{note.slug}.safetensors")
        return Evidence(
            accepted=True,
            step=step,
            has_lora=lora is not None and lora.etag != note.old_lora,
            has_log=bool(follower.keys()),
            folded=follower.folded,
        )

    def step(self, note: JobNote) -> int:
        """Return the completed steps, as far as they are logged; 0 before the first is.

        Steps are logged by their number, which begins with 0; the very first is not logged.
        """
        if not self.is_accepted(note) or not (keys := self.loss_keys(note)):
            return 0
        points = self._follower(note).points(_MAIN if _MAIN in keys else keys[-1], None)
        return points[-1].step + 1 if points else 0

    def before(self, folder: str, slug: str) -> tuple[str, str]:
        """Return the ETags of a LoRA and of a config that lie there before a start."""
        looks = (
            self._route.stat(f"{folder}/{slug}.safetensors"),
            self._route.stat(f"{folder}/config.yaml"),
        )
        lora, config = (look.etag if look else "" for look in looks)
        return lora, config

    # -- losses -------------------------------------------------------------------------------

    def loss_keys(self, note: JobNote) -> tuple[str, ...]:
        """Return the names of the metrics; empty before the first value."""
        follower = self._follower(note)
        follower.refresh()
        return follower.keys()

    def losses(self, note: JobNote, key: str, since: int | None) -> Iterator[LossPage]:
        """Yield the points of a metric after a step, in one page."""
        keys = self.loss_keys(note)
        yield LossPage(key, keys, self._follower(note).points(key, since))

    # -- files --------------------------------------------------------------------------------

    def files(self, note: JobNote) -> tuple[RemoteFile, ...]:
        """Return checkpoints and optimizer state.

        The server lists nothing, but a checkpoint's name holds its step, and is known.
        """
        step = self.step(note)
        try:
            save = dict(note.config["config"]["process"][0]["save"])
        except (LookupError, TypeError, ValueError):
            save = {}
        every, most = int(save.get("save_every") or 0), int(save.get("max_step_saves_to_keep") or 4)
        top = step // every if every else 0
        # One more than are kept: the oldest goes only after the newest has been written.
        numbers = [at * every for at in range(max(1, top - most), top + 2)] if every else []
        names = {
            f"{note.name}_{number:09d}.safetensors": f"{note.slug}_{number:09d}.safetensors"
            for number in numbers
        }
        names[f"{note.name}.safetensors"] = f"{note.slug}.safetensors"
        names["optimizer.pt"] = "optimizer.pt"
        paths = [f"{note.folder}/{name}" for name in names.values()]
        stats = each_or_raise(self._route.stat, paths)
        found = zip(names, paths, stats, strict=True)
        return tuple(RemoteFile(name, stat.size, path) for name, path, stat in found if stat)


# -- a job that was started elsewhere --------------------------------------------------------------


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


_LOOKS: Final = 2.0
"""Seconds between the first and the last look for something that moves."""

_MOVING: Final = 60.0
"""Seconds for which a log that has grown before our eyes counts as moving."""


class Outcomes:
    """Judges jobs by what the server still shows of them, within 5 s."""

    def __init__(self, app: GradioApp, results: Results) -> None:
        self._app = app
        self._results = results
        self._steps: dict[str, int] = {}
        self._moved: dict[str, float] = {}

    def verdict(self, note: JobNote) -> tuple[Verdict, str, Evidence]:
        """Return what holds of a job, why, and what was seen."""
        try:
            seen = self._look(note)
            until = time.monotonic() + _LOOKS
            # Looked at again for a short while, until something has changed.
            while judge(seen)[0] is Verdict.UNKNOWN and seen.accepted and seen.same_server:
                if time.monotonic() >= until:
                    break
                time.sleep(0.4)
                seen = self._look(note)
        except ConnectionFailed:
            seen = Evidence(answers=False, step=self._steps.get(note.name, 0))
        return *judge(seen), seen

    def _look(self, note: JobNote) -> Evidence:
        app_id, seen = self._app.app_id(), self._results.look(note)
        ended, now = self._app.ended(), time.monotonic()
        if self._steps.get(note.name, seen.step) != seen.step:
            self._moved[note.name] = now
        self._steps[note.name] = seen.step
        return replace(
            seen,
            same_server=app_id == note.app_id,
            ended=None if ended is None or note.ended is None else max(0, ended - note.ended),
            moved=now - self._moved.get(note.name, -_MOVING) < _MOVING and not seen.folded,
        )


class Verdict(enum.Enum):
    """What holds of a training job that nobody reports on."""

    FINISHED = "finished"
    TRAINING = "still training"
    RESTARTED = "server restarted"
    UNKNOWN = "unknown"


def judge(seen: Evidence) -> tuple[Verdict, str]:
    """Return what holds, and what that is known from."""
    rules = (
        (not seen.answers, Verdict.UNKNOWN, "silent"),
        (seen.has_lora and (seen.folded or not seen.has_log), Verdict.FINISHED, "finished"),
        (not seen.same_server, Verdict.RESTARTED, "restarted"),
        (seen.moved, Verdict.TRAINING, "moves"),
        (seen.ended == 0 and seen.accepted, Verdict.TRAINING, "none_ended"),
        (not seen.accepted, Verdict.UNKNOWN, "nothing"),
        (True, Verdict.UNKNOWN, "still"),
    )
    return next((verdict, TEXTS["seen"][why]) for holds, verdict, why in rules if holds)
