"""Captioning jobs of the web UI."""

from __future__ import annotations

import copy
from collections.abc import Callable

from aitk_nb.backends.webui import parsing
from aitk_nb.backends.webui.datasets import WebUIDatasets
from aitk_nb.backends.wire.http import Http
from aitk_nb.errors import JobConflict, NotSupported, Rejected, UnexpectedReply
from aitk_nb.models.job import JobDraft, JobState
from aitk_nb.models.names import check_name


class WebUICaptionings:
    """Creates and lists jobs of the type `caption`."""

    def __init__(
        self,
        http: Http,
        datasets: WebUIDatasets,
        has: Callable[[str], bool],
        ids: dict[str, str],
    ) -> None:
        """Use `has` to ask whether an endpoint exists, and note the ids of jobs in `ids`."""
        self._http = http
        self._datasets = datasets
        self._has = has
        self._ids = ids

    def create(self, dataset: str, draft: JobDraft) -> JobState:
        """Create a job that captions a dataset, without starting it.

        Raises:
            NotSupported: the server is too old to have such jobs.
            JobConflict: the name is taken.
        """
        # Servers from before April 2026 would take the row for a training; this endpoint came
        # with the captioning jobs.
        if not self._has("/api/audio/art/x"):
            raise NotSupported("caption images", "web UI this old", "Update AI Toolkit on it.")
        folder, _ = self._datasets.find(check_name("dataset", dataset))
        config = copy.deepcopy(dict(draft.config))
        config["config"]["process"][0]["caption"]["path_to_caption"] = folder
        body = {
            "id": None,
            "name": check_name("job", draft.name),
            "gpu_ids": draft.gpu_ids,
            "job_config": config,
            "job_type": "caption",
            "job_ref": folder,
        }
        try:
            row = self._http.post_json("/api/jobs", body, what=f"make a job to caption {dataset}")
        except Rejected as exc:
            if exc.status == 409:
                raise JobConflict(draft.name, [exc.reply]) from exc
            raise
        return self._known(parsing.job_state(row))

    def list(self) -> tuple[JobState, ...]:
        """Return the captioning jobs, newest first."""
        what = "list the captioning jobs"
        body = self._http.get_json("/api/jobs", what=what, params={"job_type": "caption"})
        rows = body.get("jobs") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise UnexpectedReply(what, "no list of jobs")
        # A server that does not know the parameter lists all jobs.
        mine = [row for row in rows if isinstance(row, dict) and row.get("job_type") == "caption"]
        return tuple(self._known(parsing.job_state(row)) for row in mine)

    def _known(self, state: JobState) -> JobState:
        if state.id:
            self._ids[state.name] = state.id
        return state
