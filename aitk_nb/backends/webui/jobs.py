"""Jobs of the web UI: created, started and stopped.

Why it is so: docs/behavior.md#jobs
"""

import copy
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aitk_nb.backends.webui import names, parsing
from aitk_nb.backends.webui.datasets import WebUIDatasets
from aitk_nb.backends.webui.job_outputs import WebUIJobOutputs
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import JobConflict, NotSupported, Rejected
from aitk_nb.models import JobDraft, JobState, JobStatus, check_name, place_controls

TAIL = 4096
"""Bytes at the end of the log in which the last words of a process stand."""

LAST_WORDS = ("Job stopped", "Job process terminated", "Job process exited")


class WebUIJobs(WebUIJobOutputs):
    """The job half of the web UI backend."""

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self._datasets = WebUIDatasets(http)

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
