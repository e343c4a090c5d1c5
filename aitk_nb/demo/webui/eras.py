"""The versions of AI Toolkit's web UI that the demo server can be: one table of what came when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

EraName = Literal["2025-08", "2025-11", "2026-05", "2026-08", "0.13"]
NAMES: tuple[EraName, ...] = get_args(EraName)

NEWEST = NAMES[-1]

_DAYS = dict(
    zip(NAMES, ("2025-08-14", "2025-11-19", "2026-05-19", "2026-08-21", "2026-10-31"), strict=True)
)
"""The day of the commit that each of them stands for."""

_SINCE = {
    # Endpoints.
    "/api/zip": "2025-08-27",
    "/api/jobs/{id}/mark_stopped": "2025-09-28",
    "/api/cpu": "2025-10-07",
    "/api/queue": "2025-10-14",
    "/api/queue/{id}/start": "2025-10-14",
    "/api/queue/{id}/stop": "2025-10-14",
    "/api/jobs/{id}/loss": "2025-12-18",
    "/api/audio/art/{path...}": "2026-04-09",
    "/api/scripts": "2026-05-18",
    "/api/caption/getBatch": "2026-05-24",
    "/api/files/delete": "2026-05-26",
    "/api/jobs/{id}/save_now": "2026-05-26",
    "/api/ostris_cloud": "2026-05-28",
    "/api/jobs/{id}/plugin": "2026-06-12",
    "/api/jobs/{id}/sample_now": "2026-07-17",
    "/api/monitor": "2026-08-14",
    "/api/jobs/{id}/kill": "2026-09-10",
    "/api/jobs/{id}/notes": "2026-09-10",
    "/api/inference/status": "2026-09-10",
    "/api/inference/outputs/delete": "2026-09-10",
    "/api/inference/{path...}": "2026-09-10",
    "/api/loras": "2026-09-10",
    "/api/loras/upload": "2026-09-10",
    "/api/model_archs": "2026-09-19",
    # Columns of a job.
    "return_to_queue": "2025-10-14",
    "queue_position": "2025-10-14",
    "pid": "2026-03-26",
    "job_type": "2026-04-09",
    "job_ref": "2026-04-09",
    "save_now": "2026-05-26",
    "total_steps": "2026-06-12",
    "sample_now": "2026-07-17",
    # What an endpoint or the trainer does.
    "only images of a dataset are deleted alone": "2025-09-29",
    "videos among samples": "2026-01-13",
    "sounds in datasets": "2026-02-03",
    "optimizer among files": "2026-05-29",
    "captions with other endings": "2026-06-06",
    "images below a root": "2026-07-01",
    "log from an offset": "2026-07-01",
    "crashes are noted": "2026-07-19",
    "thumbnails": "2026-07-25",
    "datasets in zips": "2026-08-12",
    "file paths in parts": "2026-08-15",
    "texts among samples": "2026-09-10",
    # These were seen in the first version that is later than the day, and not in the one before.
    "ZIP has a type": "2025-08-15",
    "sounds have a type": "2025-11-20",
    "ranges of pictures": "2025-11-20",
    "hidden files are hidden": "2025-11-20",
    "stop of an unknown job is a 404": "2025-11-20",
    "captions asked for wrongly are a 499": "2025-11-20",
    "jobs that are active": "2026-05-20",
    "folder of models": "2026-05-20",
    "file server": "2026-05-20",
    "compressed lists": "2026-05-20",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Era:
    """One version of the web UI."""

    name: EraName = NEWEST

    def has(self, thing: str) -> bool:
        """Return whether this version has one of the things in the table."""
        return _SINCE[thing] <= _DAYS[self.name]

    def kept(self, known: Mapping[str, T]) -> dict[str, T]:
        """Return what this version has of `known`; what is not in the table was always there."""
        return {name: v for name, v in known.items() if name not in _SINCE or self.has(name)}
