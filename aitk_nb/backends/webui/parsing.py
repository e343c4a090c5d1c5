"""The web UI's JSON turned into our values; the one place that knows its keys."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aitk_nb.backends.webui.names import base_name
from aitk_nb.backends.wire.http import part
from aitk_nb.errors import UnexpectedReply
from aitk_nb.models import Gpu, JobState, JobStatus, LossColumns, LossPage, RemoteFile, Sample

UNSIGNALED = "Stopping job..."
"""What the server says from a request to stop until it has signaled the process."""

_SAMPLE = re.compile(r"^(?P<ms>\d+)__(?P<step>\d+)_(?P<index>\d+)\.\w+$")


def job_state(row: object) -> JobState:
    """Return the job of one row.

    Raises:
        UnexpectedReply: it is not a row of a job.
    """
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise UnexpectedReply("show a job", "not a job")
    config = _config(row.get("job_config"))
    raw = str(row.get("status") or "")
    status = JobStatus(raw)
    stop = bool(row.get("stop"))
    if status is JobStatus.RUNNING and stop:
        # No current server writes "stopping": it is a running job that was asked to stop.
        status = JobStatus.STOPPING
    step = _int(row.get("step"))
    info = str(row.get("info") or "")
    return JobState(
        name=row["name"],
        status=status,
        step=step,
        total_steps=_int(row.get("total_steps")) or _configured_steps(config),
        info=info,
        speed=str(row.get("speed_string") or ""),
        gpu_ids=str(row.get("gpu_ids") or ""),
        raw_status=raw,
        id=str(row["id"]) if row.get("id") else None,
        pid=_int(row.get("pid")) or None,
        tells_pid="pid" in row,
        save_requested=bool(row.get("save_now")),
        sample_requested=bool(row.get("sample_now")),
        queue_rank=_int(row.get("queue_position")),
        has_queue="queue_position" in row,
        job_type=str(row.get("job_type") or "train"),
        # Its `stop` would say "Job stopped" if there had been a process to signal.
        has_died=status is JobStatus.STOPPING and bool(row.get("pid")) and info == UNSIGNALED,
        never_started=status is JobStatus.STOPPED and not (step or info or stop or row.get("pid")),
        created=_moment(row.get("created_at")),
        config=config,
    )


def queue_runs(body: object, gpu_ids: str) -> bool:
    """Return whether the queue of these GPUs is running.

    Raises:
        UnexpectedReply: it is not a list of queues.
    """
    queues = part(body, "queues", list, "list the queues")
    rows = [row for row in queues if isinstance(row, dict)]
    return any(row.get("gpu_ids") == gpu_ids and bool(row.get("is_running")) for row in rows)


def _config(text: object) -> Mapping[str, Any]:
    try:
        config = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}


def _configured_steps(config: Mapping[str, Any]) -> int | None:
    try:
        process = config["config"]["process"][0]
        # A training that says nothing of it takes the trainer's default.
        usual = 1000 if process.get("datasets") else 0
        return _int((process.get("train") or {}).get("steps", usual)) or None
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _int(value: object) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def loss_page(body: object) -> LossPage:
    """Return one page of a metric.

    Raises:
        UnexpectedReply: it is not such a page.
    """
    try:
        points = _points(body["points"])  # type: ignore[index]
        return LossPage(
            key=str(body["key"]),  # type: ignore[index]
            keys=tuple(str(key) for key in body["keys"]),  # type: ignore[index]
            points=points,
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise UnexpectedReply("return the losses", "not a page of points") from exc


def _points(rows: Sequence[Mapping[str, Any]]) -> LossColumns:
    # Column by column: a long history has hundreds of thousands of them.
    steps = [row["step"] for row in rows]
    walls = [row["wall_time"] or 0.0 for row in rows]
    values = [math.nan if (value := row["value"]) is None else value for row in rows]
    if not {*map(type, steps), *map(type, walls), *map(type, values)} <= {int, float}:
        steps, walls = list(map(int, steps)), list(map(float, walls))
        values = list(map(float, values))
    return LossColumns(steps, walls, values)


def remote_files(body: object) -> tuple[RemoteFile, ...]:
    """Return the files of a job.

    Raises:
        UnexpectedReply: it is not a list of files.
    """
    try:
        return tuple(
            RemoteFile(base_name(str(file["path"])), int(file["size"]), str(file["path"]))
            for file in body["files"]  # type: ignore[index]
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise UnexpectedReply("list the files of a job", "not a list of files") from exc


def samples(body: object) -> tuple[Sample, ...]:
    """Return the samples of a job, oldest first.

    Raises:
        UnexpectedReply: it is not a list of samples.
    """
    paths = part(body, "samples", list, "list the samples of a job")
    found = [_sample(str(path)) for path in paths]
    return tuple(sorted(found, key=lambda sample: (sample.step, sample.index, sample.name)))


def _sample(path: str) -> Sample:
    name = base_name(path)
    match = _SAMPLE.match(name)
    if not match:
        return Sample(name, -1, -1, path)
    return Sample(name, int(match["step"]), int(match["index"]), path)


def gpus(body: object) -> tuple[Gpu, ...]:
    """Return the GPUs; empty when the server reports none.

    Raises:
        UnexpectedReply: it is not a list of GPUs.
    """
    found = part(body, "gpus", list, "list its GPUs")
    return tuple(_gpu(gpu) for gpu in found if isinstance(gpu, dict))


def _gpu(gpu: Mapping[str, Any]) -> Gpu:
    memory = gpu.get("memory") or {}
    return Gpu(
        index=_int(gpu.get("index")),
        name=str(gpu.get("name") or ""),
        memory_total=_int(memory.get("total")),
        memory_used=_int(memory.get("used")),
        utilization=(gpu.get("utilization") or {}).get("gpu"),
        temperature=gpu.get("temperature"),
    )
