"""Jobs and queues: create, list, and the GETs that act."""

import shutil
from collections.abc import Mapping

from starlette.responses import Response

from aitk_nb.demo.common.tables import Job, NameTaken, NoSuchJob, Value
from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.wire import Call, answer, empty, error

_NOT_FOUND = "Job not found"


def find(call: Call) -> Job | None:
    """Return the job that the path names."""
    return call.store.db.job(call.params["id"])


def list_jobs(call: Call) -> Response:
    """Answer all jobs, or the one that `id` or `job_ref` asks for."""
    db = call.store.db
    if job_id := call.query("id"):
        job = db.job(job_id)
        return _row(call, job)
    if call.has("job_ref") and (job_ref := call.query("job_ref")):
        job = db.job_by_ref(job_ref)
        return _row(call, job)
    job_type = call.query("job_type") if call.has("job_type") else None

    def rows(*, active: bool = False) -> list[dict[str, object]]:
        return [call.site.era.kept(job.as_json()) for job in db.jobs(job_type, active=active)]

    if call.has("jobs that are active") and call.query("only_active") == "true":
        key = f"jobs-active:{job_type!r}"
        return answer({"jobs": call.site.recent.get(key, lambda: rows(active=True))})
    return answer({"jobs": rows()})


def save_job(call: Call) -> Response:
    """Create a job, or change the one whose `id` is sent."""
    try:
        body = call.json()
        if not isinstance(body, dict):
            raise TypeError("not an object")
        fields = call.site.era.kept(_columns(body))
        if "name" in fields and call.store.job_folder(str(fields["name"])) is None:
            raise ValueError("the name leads out of the output folder")
        job_id = body.get("id")
        if not job_id:
            return _row(call, call.store.db.create_job(_complete(fields)))
        if not isinstance(job_id, str):
            raise TypeError("id")
        return _row(call, call.store.db.update_job(job_id, fields))
    except NameTaken:
        return error("Job name already exists", 409)
    except (TypeError, ValueError, NoSuchJob):
        return error("Failed to save training data", 500)


def start(call: Call) -> Response:
    """Put the job at the end of its queue, which stays as it is; without queues, begin it."""
    if (job := find(call)) is None:
        return error(_NOT_FOUND, 404)
    if not call.has("/api/queue"):
        call.site.worker.launch(job)
        return _row(call, job)
    call.store.db.add_queue(job.gpu_ids, running=False)
    call.store.db.update_job(
        job.id,
        {
            "queue_position": call.store.db.next_position(),
            "status": "queued",
            "stop": False,
            "return_to_queue": False,
            "info": "Job queued",
        },
    )
    return _row(call, job)


def stop(call: Call) -> Response:
    """Ask the job to stop; it is marked stopped at once if its process lives."""
    if (job := find(call)) is None:
        known = call.has("stop of an unknown job is a 404")
        return error(_NOT_FOUND, 404) if known else empty(500)
    call.store.db.update_job(job.id, {"stop": True, "info": "Stopping job..."})
    if job.pid is not None and call.has("pid"):
        call.site.worker.interrupt(job.id, job.pid)
    return _row(call, job)


def mark_stopped(call: Call) -> Response:
    """Write that the job is stopped, whatever its process does."""
    if (job := find(call)) is None:
        return empty(500)
    call.store.db.update_job(
        job.id, {"stop": True, "status": "stopped", "info": "Job stopped", "pid": None}
    )
    return _row(call, job)


def kill(call: Call) -> Response:
    """Kill the job's process, whatever the job's state, and call the job stopped."""
    if (job := find(call)) is None:
        return error(_NOT_FOUND, 404)
    killed = job.pid is not None and call.site.worker.kill(job.id, job.pid)
    call.store.db.update_job(
        job.id, {"stop": True, "status": "stopped", "info": "Job force stopped", "pid": None}
    )
    return answer({"ok": True, "killed": killed})


def delete(call: Call) -> Response:
    """Remove the job's folder and row; its process goes on."""
    if (job := find(call)) is None:
        return error(_NOT_FOUND, 404)
    folder = call.store.job_folder(job.name)
    if folder is not None and folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        # A trainer that lives may have written meanwhile.
        shutil.rmtree(folder, ignore_errors=True)
    call.store.db.delete_job(job.id)
    return _row(call, job)


def save_now(call: Call) -> Response:
    """Ask for a checkpoint after the current step."""
    return _flag(call, "save_now")


def sample_now(call: Call) -> Response:
    """Ask for samples after the current step."""
    return _flag(call, "sample_now")


def list_queues(call: Call) -> Response:
    """Answer all queues."""
    return answer({"queues": [queue.as_json() for queue in call.store.db.queues()]})


def start_queue(call: Call) -> Response:
    """Switch a queue on, made if absent; the answer shows it as it was."""
    gpu_ids = call.params["id"]
    before = call.store.db.queue(gpu_ids)
    if before is None:
        return answer(call.store.db.add_queue(gpu_ids, running=True).as_json())
    call.store.db.set_queue(gpu_ids, running=True)
    return answer(before.as_json())


def stop_queue(call: Call) -> Response:
    """Switch a queue off; its running job goes back to it."""
    before = call.store.db.queue(call.params["id"])
    if before is None:
        return error("Queue not found", 404)
    call.store.db.set_queue(before.gpu_ids, running=False)
    return answer(before.as_json())


def _row(call: Call, job: Job | None) -> Response:
    return answer(call.site.era.kept(job.as_json()) if job else None)


def _flag(call: Call, column: str) -> Response:
    try:
        return _row(call, call.store.db.update_job(call.params["id"], {column: True}))
    except NoSuchJob:
        return empty(500)


def _columns(body: Mapping[str, object]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name in ("name", "gpu_ids", "job_type", "job_ref"):
        if name not in body:
            continue
        value = body[name]
        if isinstance(value, str):
            value.encode()  # half a surrogate pair is not text
            fields[name] = value
        elif name == "job_ref" and value is None:
            fields[name] = None
        else:
            raise TypeError(name)
    if "job_config" in body:
        text = javascript.dumps(body["job_config"])
        fields["job_config"] = text.encode("utf-8", "replace").decode()
    return fields


def _complete(fields: dict[str, Value]) -> dict[str, Value]:
    missing = {"name", "gpu_ids", "job_config"} - fields.keys()
    if missing:
        raise TypeError(f"{missing} missing")
    return fields
