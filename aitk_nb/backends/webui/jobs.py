"""Jobs of the web UI: created, started and stopped; their logs, losses, checkpoints and samples.

Why it is so: docs/behavior.md#jobs, docs/behavior.md#outputs
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from aitk_nb.backends.webui import names, parsing
from aitk_nb.backends.webui.catalog import ServerEndpoints
from aitk_nb.backends.webui.datasets import WebUIDatasets
from aitk_nb.backends.wire.http import Http, part
from aitk_nb.errors import JobConflict, NotFound, NotSupported, Rejected, UnexpectedReply
from aitk_nb.models import (
    JobDraft,
    JobState,
    JobStatus,
    LogChunk,
    LossPage,
    RemoteFile,
    Sample,
    check_name,
    place_controls,
)

LOSS_PAGE = 20_000
"""Points per request; the server caps a page at this number without saying so."""


TAIL = 4096
"""Bytes at the end of the log in which the last words of a process stand."""

LAST_WORDS = ("Job stopped", "Job process terminated", "Job process exited")


class WebUIJobs:
    """The job half of the web UI backend."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._endpoints = ServerEndpoints(http)
        self._ids: dict[str, str] = {}
        self._datasets = WebUIDatasets(http)

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

    # -- created, started and stopped ----------------------------------------------------------

    def create_job(self, draft: JobDraft) -> JobState:
        """Create a job without starting it."""
        return self._save(draft, None)

    def update_job(self, state: JobState, draft: JobDraft) -> JobState:
        """Give a job that does not run another config."""
        return self._save(draft, self._id(state))

    def _save(self, draft: JobDraft, job_id: str | None) -> JobState:
        check_name("job", draft.name)
        return self._post(draft, {"id": job_id, "job_config": self._with_paths(draft)})

    def _post(self, draft: JobDraft, row: Mapping[str, Any]) -> JobState:
        body = {"name": draft.name, "gpu_ids": draft.gpu_ids, **row}
        try:
            saved = self._http.post_json("/api/jobs", body, what=f"save the job {draft.name}")
        except Rejected as exc:
            if exc.status == 409:
                raise JobConflict(draft.name, [exc.reply]) from exc
            raise
        return self._known(saved)

    def create_captioning(self, dataset: str, draft: JobDraft) -> JobState:
        """Create a job that captions a dataset, without starting it.

        Raises:
            NotSupported: The server is too old to have such jobs.
            JobConflict: The name is taken.
        """
        # Servers from before April 2026 would take the row for a training job; this endpoint came
        # with the captioning jobs.
        if not self._endpoints.has("/api/audio/art/x"):
            raise NotSupported("caption images", "dated web UI", "Update AI Toolkit on it.")
        check_name("job", draft.name)
        folder, _ = self._datasets.find(check_name("dataset", dataset))
        config = copy.deepcopy(dict(draft.config))
        config["config"]["process"][0]["caption"]["path_to_caption"] = folder
        row = {"id": None, "job_config": config, "job_type": "caption", "job_ref": folder}
        return self._post(draft, row)

    def list_captionings(self) -> tuple[JobState, ...]:
        """Return the captioning jobs, newest first."""
        return tuple(state for state in self.all_jobs() if state.job_type == "caption")

    def _with_paths(self, draft: JobDraft) -> dict[str, Any]:
        """Return the job config with the server's paths in it.

        With another training folder than the server's own, the run would complete and its files,
        samples and losses would stay empty.
        """
        folders = self._datasets.folders()
        config = copy.deepcopy(dict(draft.config))
        process = config["config"]["process"][0]
        process["training_folder"] = folders["TRAINING_FOLDER"]
        root = folders["DATASETS_FOLDER"]
        for dataset in process["datasets"]:
            name = check_name("dataset", dataset["folder_path"])
            dataset["folder_path"] = names.join(root, name)
            place_controls(
                dataset, lambda control: names.join(root, check_name("dataset", control))
            )
        validation = process["train"].get("validation_config") or {}
        for item in validation.get("validation_items", ()) if "dataset" in validation else ():
            # Those of a job that had them before are paths already.
            if not item["image_path"].startswith(root):
                item["image_path"] = names.join(root, *item["image_path"].split("/"))
        return config

    def start_job(self, state: JobState) -> None:
        """Put the job at the end of its queue, and let the queue run.

        In that order: a queue that is started empty switches itself off within a second.
        """
        if state.status is not JobStatus.QUEUED:
            # Again on a queued one, it would lose its place.
            self._act(state, "start", f"start the job {state.name}")
        if state.has_queue:
            queue = quote(state.gpu_ids, safe="")
            self._http.act(f"/api/queue/{queue}/start", what=f"start the queue {state.gpu_ids}")

    def stop_job(self, state: JobState) -> None:
        """Ask a job to stop; takes it out of the queue if it has not started."""
        bare = state.status.is_active and state.pid is None and state.tells_pid
        if state.status is JobStatus.QUEUED or bare:
            # `stop` only sets a flag on a job without a process, and it starts later all the same.
            self._act(state, "mark_stopped", f"take {state.name} out of the queue")
        elif state.status is JobStatus.RUNNING:
            # On any other status the signal goes to a process id that may be somebody else's.
            self._act(state, "stop", f"stop the job {state.name}")

    def has_exited(self, state: JobState) -> bool:
        """Return whether a stopped job's process has written its last words."""
        if state.status.is_active:
            return False
        if state.status is not JobStatus.STOPPED or state.pid is None:
            return True
        if state.job_type not in {"train", "caption"}:
            return True  # an inference engine has no known last words
        tail = self._log_tail(state)
        return not tail or any(words in tail for words in LAST_WORDS)

    def _log_tail(self, state: JobState) -> str:
        folder = self._datasets.folders()["TRAINING_FOLDER"]
        size = self._datasets.files.size(names.join(folder, state.name, "log.txt"))
        if not size:
            return ""
        return self.read_log(state, max(0, size - TAIL)).text

    def queue_runs(self, state: JobState) -> bool:
        """Return whether the job's queue begins what waits in it."""
        if not state.has_queue:
            return True
        body = self._http.get_json("/api/queue", what="list the queues")
        return parsing.queue_runs(body, state.gpu_ids)

    def mark_stopped(self, state: JobState) -> None:
        """Call the job stopped, without a signal to a process that it may still have."""
        self._act(state, "mark_stopped", f"mark {state.name} as stopped")

    def delete_job(self, state: JobState) -> None:
        """Delete the job and its folder; only for a job that has exited."""
        check_name("job", state.name)
        self._act(state, "delete", f"delete the job {state.name}")
        self._ids.pop(state.name, None)

    def save_now(self, state: JobState) -> None:
        """Ask for a checkpoint at the end of the next step."""
        self._act(state, "save_now", f"save {state.name} now")

    def sample_now(self, state: JobState) -> None:
        """Ask for samples at the end of the next step."""
        self._act(state, "sample_now", f"make samples of {state.name} now")

    def _act(self, state: JobState, action: str, what: str) -> None:
        self._asked(state, action, what, self._http.act)
