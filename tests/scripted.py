"""A backend in memory whose jobs do what a test has written down for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.errors import JobConflict, NotFound
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import JobDraft, JobState, JobStatus, LogChunk, RemoteFile, Sample
from aitk_nb.models.loss import LossPage, LossPoint
from aitk_nb.models.server import Ability, Flavour, Gpu
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams

PARAMS = TrainingParams(name="cat", dataset="cats", steps=100)
"""What most tests start."""

Change = Mapping[str, Any]


class ScriptedBackend:
    """One server without a wire.

    `script` holds what becomes of a job each time it is asked for, as changes of its state; when
    it is used up, the job stays. `calls` lists what was asked to be done.
    """

    def __init__(self, *script: JobStatus | Change, datasets: Sequence[str] = ("cats",)) -> None:
        self.script: list[Change] = [
            {"status": step} if isinstance(step, JobStatus) else step for step in script
        ]
        self.datasets = list(datasets)
        self.jobs: dict[str, JobState] = {}
        self.calls: list[str] = []
        self.losses: dict[str, tuple[LossPoint, ...]] = {}
        self.files: dict[str, bytes] = {}
        self.failures: list[Exception] = []
        self.samples: list[Sample] = []
        self.gpu_list: tuple[Gpu, ...] = ()
        self.queue_is_running = True
        self.log = ""
        self.before_create: Callable[[], None] = lambda: None
        self.exits: Callable[[JobState], bool] = lambda state: not state.status.is_active

    url = "scripted"
    flavour = Flavour.WEBUI
    abilities = frozenset(Ability) - {
        Ability.EDIT_DATASETS,
        Ability.CAPTION,
        Ability.CAPTION_IMAGES,
        Ability.SETTINGS,
        Ability.LORAS,
        Ability.INFERENCE,
    }

    # -- datasets ------------------------------------------------------------------------------

    def list_datasets(self) -> tuple[str, ...]:
        """Return the names."""
        return tuple(sorted(self.datasets))

    def get_dataset(self, name: str) -> DatasetInfo:
        """Return an empty dataset."""
        if name not in self.datasets:
            raise NotFound("dataset", name, self.datasets)
        return DatasetInfo(name)

    def server_names(self, dataset: str, files: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Keep every name."""
        return dataset, tuple(files)

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Lack everything."""
        return tuple(files), ()

    def upload(self, dataset: str, files: Sequence[Upload], progress: Progress) -> None:
        """Note the dataset."""
        self._note("upload", dataset)
        self.datasets.append(dataset)

    # -- jobs ----------------------------------------------------------------------------------

    def list_jobs(self) -> tuple[JobState, ...]:
        """Return those that train, newest first."""
        return tuple(state for state in self.all_jobs() if state.job_type == "train")

    def all_jobs(self) -> tuple[JobState, ...]:
        """Return all, newest first."""
        return tuple(reversed(self.jobs.values()))

    def get_job(self, name: str, job_id: str | None = None) -> JobState:
        """Let the next thing happen, and return the job."""
        if self.failures:
            raise self.failures.pop(0)
        name = next((state.name for state in self.jobs.values() if state.id == job_id), name)
        if name not in self.jobs:
            raise NotFound("job", name, list(self.jobs))
        if self.script and not self.jobs[name].never_started:
            self.jobs[name] = replace(self.jobs[name], **self.script.pop(0))
        return self.jobs[name]

    def create_job(self, draft: JobDraft) -> JobState:
        """Create a row, unless the name is taken."""
        self.before_create()
        if draft.name in self.jobs:
            raise JobConflict(draft.name, ["Job name already exists"])
        self._note("create", draft.name)
        return self.put(draft, never_started=True)

    def put(self, draft: JobDraft, **state: Any) -> JobState:
        """Put a job there without anybody asking."""
        steps = draft.config["config"]["process"][0]["train"]["steps"]
        fields = {"status": JobStatus.STOPPED, "id": f"id-{draft.name}", "total_steps": steps}
        job = JobState(
            name=draft.name, gpu_ids=draft.gpu_ids, config=draft.config, **fields | state
        )
        self.jobs[draft.name] = job
        return job

    def update_job(self, state: JobState, draft: JobDraft) -> JobState:
        """Give the job another config."""
        self._note("update", state.name)
        return self._change(state, config=draft.config, gpu_ids=draft.gpu_ids)

    def start_job(self, state: JobState) -> None:
        """Queue the job, or let its queue run where it waits already."""
        if state.status is JobStatus.QUEUED:
            self._note("let the queue run", state.name)
            return
        self._note("start", state.name)
        self._change(state, status=JobStatus.QUEUED, never_started=False)

    def stop_job(self, state: JobState) -> None:
        """Note the wish; the script says what comes of it."""
        self._note("stop", state.name)

    def has_exited(self, state: JobState) -> bool:
        """Return what the test says."""
        return self.exits(state)

    def queue_runs(self, state: JobState) -> bool:
        """Return what the test says."""
        return self.queue_is_running

    def mark_stopped(self, state: JobState) -> None:
        """Call it stopped."""
        self._note("mark_stopped", state.name)
        self._change(state, status=JobStatus.STOPPED, pid=None)

    def delete_job(self, state: JobState) -> None:
        """Forget the job."""
        self._note("delete", state.name)
        del self.jobs[state.name]

    def save_now(self, state: JobState) -> None:
        """Note the wish."""
        self._note("save_now", state.name)

    def sample_now(self, state: JobState) -> None:
        """Note the wish."""
        self._note("sample_now", state.name)

    # -- what a job leaves behind --------------------------------------------------------------

    def read_log(self, state: JobState, offset: int | None) -> LogChunk:
        """Return all of it."""
        return LogChunk(self.log, len(self.log), reset=True)

    def loss_keys(self, state: JobState) -> tuple[str, ...]:
        """Return the keys of `losses`."""
        return tuple(self.losses)

    def read_losses(self, state: JobState, key: str, since_step: int | None) -> Iterator[LossPage]:
        """Yield the points of `losses`, two a page."""
        after = -1 if since_step is None else since_step
        points = [point for point in self.losses[key] if point.step > after]
        for start in range(0, max(1, len(points)), 2):
            yield LossPage(key, self.loss_keys(state), tuple(points[start : start + 2]))

    def list_files(self, state: JobState) -> tuple[RemoteFile, ...]:
        """Return `files`."""
        return tuple(RemoteFile(name, len(data), name) for name, data in self.files.items())

    def list_samples(self, state: JobState) -> tuple[Sample, ...]:
        """Return `samples`."""
        return tuple(self.samples)

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Write one of `files`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.write_bytes(self.files[path])

    @contextmanager
    def open_range(self, path: str) -> Iterator[Callable[[int, int], bytes]]:
        """Yield a reader of one of `files`."""
        yield lambda start, length: self.files[path][start : start + length]

    def gpus(self) -> tuple[Gpu, ...]:
        """Return `gpu_list`."""
        return self.gpu_list

    def meta(self) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Do nothing."""

    def _note(self, what: str, name: str) -> None:
        self.calls.append(f"{what} {name}")

    def _change(self, state: JobState, **changes: Any) -> JobState:
        self.jobs[state.name] = replace(self.jobs[state.name], **changes)
        return self.jobs[state.name]


def there(backend: ScriptedBackend, params: TrainingParams = PARAMS, **state: Any) -> JobState:
    """Put a job on the server that somebody started before."""
    return backend.put(draft(params), **state)


class Clock:
    """Time that passes only by sleeping; something may happen at a given time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []
        self.events: dict[float, Callable[[], object]] = {}

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass; as the real one, it refuses to go back."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.naps.append(seconds)
        self.now += seconds
        for when in [when for when in self.events if when <= self.now]:
            self.events.pop(when)()
