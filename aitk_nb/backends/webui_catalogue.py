"""Every endpoint that the web UI is known to have, and since when (contracts: eras)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CATALOGUE", "OPERATIONS", "Entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One endpoint of the web UI."""

    name: str
    method: str
    path: str
    """With `{id}`, `{gpu_ids}` or `{path}` in it."""
    does: str
    since: str
    """Date of the upstream commit that first had it."""
    acts: bool = False
    """True when a request to it changes something, whatever the method."""

    @property
    def probe_path(self) -> str:
        """A path to ask about its existence with PUT, which no endpoint has."""
        return self.path.replace("{id}", "0").replace("{gpu_ids}", "0").replace("{path}", "x")


def _get(name: str, path: str, does: str, since: str, *, acts: bool = False) -> Entry:
    return Entry(name, "GET", "/api/" + path, does, since, acts)


def _post(name: str, path: str, does: str, since: str, *, acts: bool = True) -> Entry:
    return Entry(name, "POST", "/api/" + path, does, since, acts)


CATALOGUE: tuple[Entry, ...] = (
    _get("auth", "auth", "whether the token is right", "2025-03-20"),
    _get("settings", "settings", "folders, and the Hugging Face token in clear", "2025-02-18"),
    _post("save_settings", "settings", "set folders and the Hugging Face token", "2025-02-18"),
    _get("list_datasets", "datasets/list", "names of the datasets", "2025-02-18"),
    _post("create_dataset", "datasets/create", "make a dataset", "2025-02-18"),
    _post("upload_files", "datasets/upload", "put files into a dataset", "2025-02-18"),
    _post("delete_dataset", "datasets/delete", "delete a dataset", "2025-02-18"),
    _post("list_images", "datasets/listImages", "images of a dataset", "2025-02-18", acts=False),
    _get("image", "img/{path}", "an image, without a token", "2025-02-18"),
    _post("set_caption", "img/caption", "write a caption", "2025-02-18"),
    _post("delete_image", "img/delete", "delete an image and its caption", "2025-02-18"),
    _post("upload_control", "img/upload", "put control images", "2025-07-17"),
    _post("caption", "caption/get", "a caption", "2025-07-11", acts=False),
    _post("captions", "caption/getBatch", "many captions", "2026-05-18", acts=False),
    _get("album_art", "audio/art/{path}", "the picture in a sound file", "2026-04-09"),
    _get("list_jobs", "jobs", "the jobs, or one of them by id", "2025-02-18"),
    _post("save_job", "jobs", "create or change a job", "2025-02-18"),
    _get("start_job", "jobs/{id}/start", "queue a job", "2025-02-18", acts=True),
    _get("stop_job", "jobs/{id}/stop", "stop a job", "2025-02-18", acts=True),
    _get("mark_stopped", "jobs/{id}/mark_stopped", "take it as stopped", "2025-09-28", acts=True),
    _get("delete_job", "jobs/{id}/delete", "delete a job and its files", "2025-02-18", acts=True),
    _get("save_now", "jobs/{id}/save_now", "write a checkpoint", "2026-05-28", acts=True),
    _get("sample_now", "jobs/{id}/sample_now", "make samples", "2026-07-17", acts=True),
    _get("job_files", "jobs/{id}/files", "checkpoints of a job", "2025-02-18"),
    _get("job_samples", "jobs/{id}/samples", "samples of a job", "2025-02-18"),
    _get("job_log", "jobs/{id}/log", "log of a job", "2025-03-21"),
    _get("job_loss", "jobs/{id}/loss", "losses of a job", "2025-12-18"),
    _get("job_plugin", "jobs/{id}/plugin", "a page that the job made", "2026-06-12"),
    _get("list_queues", "queue", "the queues", "2025-10-14"),
    _get("start_queue", "queue/{gpu_ids}/start", "let a queue run", "2025-10-14", acts=True),
    _get("stop_queue", "queue/{gpu_ids}/stop", "hold a queue", "2025-10-14", acts=True),
    _get("file", "files/{path}", "any file of a job or dataset, without a token", "2025-02-18"),
    _post("delete_file", "files/delete", "delete a file", "2026-05-28"),
    _post("zip", "zip", "pack samples or a dataset", "2025-08-27"),
    _get("gpus", "gpu", "the GPUs", "2025-02-18"),
    _get("cpu", "cpu", "processor and memory", "2025-10-07"),
    _get("monitor", "monitor", "a stream of machine readings", "2026-08-14"),
    _post("run_script", "scripts", "run a script on the server", "2026-05-18"),
    _get("ostris_cloud", "ostris_cloud", "whether it is Ostris' cloud", "2026-05-28"),
)

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "create dataset": ("create_dataset", "upload_files", "list_images"),
    "start training": ("settings", "save_job", "start_job", "start_queue"),
    "job status": ("list_jobs", "job_log", "job_loss"),
    "download LoRA": ("job_files", "file"),
}
"""The endpoints behind what users want, in the order of calls."""
