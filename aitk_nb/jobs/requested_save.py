"""`RequestedSave`: a checkpoint that was asked for, until it is complete.

Why it is so: docs/behavior.md#jobs
"""

import re
from collections.abc import Callable

from aitk_nb.backends.base import Backend
from aitk_nb.errors import AitkError
from aitk_nb.models import Ability, JobState, JobStatus

ENDING = ".safetensors"
_PATH = re.compile(r"Saved checkpoint to (.+)")
_ENDED = re.compile(r"(Saved|Could not save) optimizer")


class RequestedSave:
    """Requests a checkpoint, and tells from the log and the files when it is complete.

    The server's flag falls when the save begins, and a stop from then on leaves half of a file.
    """

    def __init__(self, backend: Backend, state: JobState, timeout: float) -> None:
        """Request a checkpoint of the running job `state`, which may take `timeout` seconds.

        Raises:
            NotSupported: The server can't save on demand.
            AitkError: The server can't show whether the job saves.
        """
        folder = state.config.get("config", {}).get("name", state.name)
        if folder != state.name:
            raise AitkError(
                f"{state.name} was not stopped: it was {folder!r} when it started, so the server "
                "can't show whether it has saved. Rename it back, or stop it without saving."
            )
        if Ability.LOG not in backend.abilities:
            backend.save_now(state)  # which tells what to do instead
        self._backend = backend
        self._timeout = timeout
        self._asked_at = state.step
        self._seen: dict[str, int] = {}
        chunk = backend.read_log(state, None)
        self._offset, self._skipped, self._text = chunk.offset, len(chunk.text), ""
        backend.save_now(state)

    def wait(
        self,
        refresh: Callable[[], JobState],
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> dict[str, int]:
        """Wait until the checkpoint is complete, and return its files with their sizes.

        Raises:
            AitkError: No checkpoint came.
        """
        until = clock() + self._timeout
        while not (files := self._files(state := refresh())):
            if state.status not in {JobStatus.RUNNING, JobStatus.STOPPING}:
                words = f": {state.info.rstrip('. ')}" if state.info else ""
                raise AitkError(
                    f"No checkpoint was completed: {state.name} is {state.status.value}{words}."
                )
            if clock() >= until:
                raise AitkError(
                    f"{state.name} was not stopped: no checkpoint of step {self._asked_at} or "
                    f"later was completed within {self._timeout:g} s. It keeps running, and may "
                    "still save: try again, or stop it without saving."
                )
            sleep(0.5)
        return files

    def _files(self, state: JobState) -> dict[str, int]:
        """Return the checkpoint's files with their sizes once it is complete; else nothing.

        It is complete when two calls have seen the same, some time apart.
        """
        listed = {file.name: file.size for file in self._backend.list_files(state)}
        if state.status is JobStatus.COMPLETED:
            return {name: size for name, size in listed.items() if name == f"{state.name}{ENDING}"}
        before, self._seen = self._seen, {}
        self._read(state)
        *_, last = self._text.split("Saving at step ")
        step, path = re.match(r"\d+", last), _PATH.search(last)
        if state.save_requested or not step or not path or not _ENDED.search(last):
            return {}
        if int(step[0]) >= self._asked_at:
            mark, name = f"_{step[0]:0>9}", re.split(r"[\\/]", path[1].strip())[-1]
            self._seen = {one: size for one, size in listed.items() if mark in one}
            if not name.endswith(ENDING):
                # A whole model is saved as a folder, which the server does not list.
                self._seen[name] = -1
        return self._seen if self._seen == before else {}

    def _read(self, state: JobState) -> None:
        """Read what was logged since the request."""
        chunk = self._backend.read_log(state, self._offset or None)
        if not chunk.offset:
            # A server without offsets answers the whole log each time.
            self._text = chunk.text[self._skipped :]
            return
        self._text = chunk.text if chunk.reset else self._text + chunk.text
        self._offset = chunk.offset
