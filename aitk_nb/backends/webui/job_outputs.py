"""What jobs of the web UI leave behind: logs, losses, checkpoints and samples.

Why it is so: docs/behavior.md#outputs
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from aitk_nb.backends.webui import parsing
from aitk_nb.backends.webui.server_endpoints import ServerEndpoints
from aitk_nb.backends.wire.http import Http, part
from aitk_nb.errors import NotFound, Rejected, UnexpectedReply
from aitk_nb.models import JobState, LogChunk, LossPage, RemoteFile, Sample

LOSS_PAGE = 20_000
"""Points per request; the server caps a page at this number without saying so."""


class WebUIJobOutputs:
    """The half of the web UI's jobs that only reads."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._endpoints = ServerEndpoints(http)
        self._ids: dict[str, str] = {}

    def get_job(self, name: str, job_id: str | None = None) -> JobState:
        """Return the job as it stands now: the one of that id, or else of that name."""
        if known := job_id or self._ids.get(name):
            # One row instead of all; it is null when the job was deleted, and has another name
            # when it was renamed.
            row = self._http.get_json(
                "/api/jobs", what=f"show the job {name}", params={"id": known}
            )
            if row is not None and (job_id or parsing.job_state(row).name == name):
                return self._known(row)
            self._ids.pop(name, None)
        states = self.all_jobs()
        for state in states:
            if state.name == name:
                return state
        raise NotFound("job", name, [state.name for state in states if state.job_type == "train"])

    def list_jobs(self) -> tuple[JobState, ...]:
        """Return the training jobs, newest first."""
        return self._list(job_type="train")

    def all_jobs(self) -> tuple[JobState, ...]:
        """Return the jobs of all types, newest first."""
        return self._list()

    def _list(self, **params: str | int) -> tuple[JobState, ...]:
        what = "list the jobs"
        body = self._http.get_json("/api/jobs", what=what, params=params)
        return tuple(map(self._known, part(body, "jobs", list, what)))

    def _known(self, row: object) -> JobState:
        """Return the job of a row, and remember its id."""
        state = parsing.job_state(row)
        if state.id:
            self._ids[state.name] = state.id
        return state

    def read_log(self, state: JobState, offset: int | None) -> LogChunk:
        """Return the log from a byte offset on, or its end when `offset` is None."""
        params = {} if offset is None else {"offset": offset}
        body = self._read(state, "log", params)
        try:
            text = str(body["log"])
            # Servers from before July 2026 answer the whole log each time, without an offset.
            return LogChunk(text, int(body.get("offset", 0)), bool(body.get("reset", True)))
        except (KeyError, TypeError, ValueError) as exc:
            raise UnexpectedReply("show the log", "no log") from exc

    def loss_keys(self, state: JobState) -> tuple[str, ...]:
        """Return the names of the logged metrics; empty before the first value."""
        try:
            return parsing.loss_page(self._read(state, "loss", {"limit": 1})).keys
        except Rejected as exc:
            if exc.status == 500 and not exc.reply:
                # The trainer has made the database and not yet its tables.
                return ()
            raise

    def read_losses(self, state: JobState, key: str, since_step: int | None) -> Iterator[LossPage]:
        """Yield all points of one metric after `since_step`, page by page, oldest first."""
        since = since_step
        while True:
            params: dict[str, str | int] = {"key": key, "limit": LOSS_PAGE}
            if since is not None:
                params["since_step"] = since
            page = parsing.loss_page(self._read(state, "loss", params))
            yield page
            if len(page.points) < LOSS_PAGE:
                return
            since = page.points[-1].step

    def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
        """Return checkpoints and optimizer state."""
        return parsing.remote_files(self._read(state, "files", {}))

    def list_samples(self, state: JobState) -> tuple[Sample, ...]:
        """Return the sample pictures, oldest first."""
        return parsing.samples(self._read(state, "samples", {}))

    def _read(self, state: JobState, leaf: str, params: Mapping[str, str | int]) -> Any:
        what = f"show the {leaf} of {state.name}"
        return self._asked(state, leaf, what, partial(self._http.get_json, params=params))

    def _asked(self, state: JobState, leaf: str, what: str, ask: Callable[..., Any]) -> Any:
        """Return the answer to `ask` for what a job has below its path."""
        path = f"{self._path(state)}/{leaf}"
        try:
            with self._endpoints.required(path, what):
                return ask(path, what=what)
        except Rejected as exc:
            if exc.status == 404:
                raise NotFound("job", state.name) from exc
            raise

    def _path(self, state: JobState) -> str:
        return f"/api/jobs/{quote(self._id(state), safe='')}"

    def _id(self, state: JobState) -> str:
        job_id = state.id or self._ids.get(state.name) or self.get_job(state.name).id
        if not job_id:
            raise NotFound("job", state.name)
        return job_id
