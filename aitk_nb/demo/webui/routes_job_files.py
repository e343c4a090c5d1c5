"""What a job has written: checkpoints, samples, log, losses and plugin page."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from starlette.responses import Response

from aitk_nb.demo.common.store import resolve_inside
from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.routes_jobs import find
from aitk_nb.demo.webui.wire import HTML, Call, answer, empty, error

MAX_TAIL_BYTES = 5 * 1024 * 1024
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_SAMPLES = (*_PICTURES, ".mp4", "mp3", "wav", "flac", "ogg")
_NOTES = "notes.md"
_POINTS = """
SELECT m.step AS step, s.wall_time AS wall_time, m.value_real AS number, m.value_text AS text
FROM metrics AS m JOIN steps AS s ON s.step = m.step
WHERE m.key = :key AND (:since IS NULL OR m.step > :since) AND m.step % :stride = 0
ORDER BY m.step LIMIT :limit
"""


def of_job(route: Callable[[Call, Path | None], Response]) -> Callable[[Call], Response]:
    """Return `route` with the folder of the job; it is None when the name leads elsewhere."""

    def with_folder(call: Call) -> Response:
        job = find(call)
        if job is None:
            return error("Job not found", 404)
        return route(call, call.store.job_folder(job.name))

    return with_folder


def files(call: Call, folder: Path | None) -> Response:
    """Answer the checkpoints and the optimizer's state, with sizes."""
    if folder is None or not folder.exists():
        return answer({"files": []})
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".safetensors"))
    found = [folder / name for name in names]
    if call.has("optimizer among files"):
        found += [path for path in [folder / "optimizer.pt"] if path.exists()]
    return answer({"files": [{"path": str(p), "size": p.stat().st_size} for p in found]})


def samples(call: Call, folder: Path | None) -> Response:
    """Answer the paths of the samples."""
    if folder is None or not (folder / "samples").exists():
        return answer({"samples": []})
    entries = (folder / "samples").iterdir()
    ends = _SAMPLES if call.has("videos among samples") else _PICTURES
    files = [entry for entry in entries if entry.is_file() and not entry.is_symlink()]
    found = [path for path in files if path.name.endswith(ends)]
    if call.has("texts among samples"):
        # A text is a sample of its own unless it belongs to another one of the same name.
        stems = {path.stem for path in found}
        found += [path for path in files if path.suffix == ".txt" and path.stem not in stems]
    return answer({"samples": sorted(map(str, found))})


def notes(_call: Call, folder: Path | None) -> Response:
    """Answer what people have noted of the job."""
    path = _own(folder, _NOTES)
    content = path.read_bytes().decode("utf-8", "replace") if path else ""
    return answer({"content": content})


def write_notes(call: Call, folder: Path | None) -> Response:
    """Keep what people note of the job, in a file in its folder; what is no text is empty."""
    content = call.fields().get("content")
    try:
        if folder is None:
            raise OSError("the name leads out of the output folder")
        folder.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else ""
        (folder / _NOTES).write_bytes(text.encode("utf-8", "replace"))
    except OSError:
        return error("Error saving notes file", 500)
    return answer({"success": True})


def log(call: Call, folder: Path | None) -> Response:
    """Answer the log from a byte offset on, or its tail."""
    path = _own(folder, "log.txt")
    if not call.has("log from an offset"):
        return answer({"log": path.read_bytes().decode("utf-8", "replace") if path else ""})
    if path is None:
        return answer({"log": "", "offset": 0, "reset": True})
    offset = javascript.parse_int(call.query("offset") or "")
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            reset = offset is None or offset > size
            start = max(0, size - MAX_TAIL_BYTES) if reset else max(0, offset or 0)
            file.seek(start)
            lines = file.read(size - start).decode("utf-8", "replace")
    except OSError:
        return answer({"log": "Error reading log file", "offset": 0, "reset": True})
    if reset and start > 0:
        lines = lines.partition("\n")[2] if "\n" in lines else lines
    return answer({"log": lines, "offset": size, "reset": reset})


def loss(call: Call, folder: Path | None) -> Response:
    """Answer the points of one metric, oldest first, and the names of all."""
    path = _own(folder, "loss_log.db")
    if path is None:
        return answer({"keys": [], "key": "loss", "points": []})
    key = call.query("key")
    key = "loss" if key is None else key
    limit = javascript.number(_or(call.query("limit"), "2000"))
    since = call.query("since_step")
    values = {
        "key": key,
        "since": None if since is None else javascript.number(since),
        "stride": max(javascript.number(_or(call.query("stride"), "1")), 1),
        "limit": limit if math.isnan(limit) else min(limit, 20000),
    }
    try:
        with closing(sqlite3.connect(path, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            keys = [row[0] for row in db.execute("SELECT key FROM metric_keys ORDER BY key")]
            points = [_point(row) for row in db.execute(_POINTS, values)]
    except (sqlite3.Error, OverflowError):
        return empty(500)
    return answer({"key": key, "keys": keys, "points": points})


def plugin(call: Call, folder: Path | None) -> Response:
    """Answer the page that a job may have made, or whether there is one."""
    path = _own(folder, "plugin.html")
    if path is None:
        return answer({"exists": False, "html": None})
    if call.query("check") == "1":
        return answer({"exists": True, "html": None})
    try:
        body = path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return error("Error reading plugin file", 500)
    return Response(body, headers={"content-type": HTML, "cache-control": "no-store"})


def _own(folder: Path | None, name: str) -> Path | None:
    if folder is None or not (folder / name).exists():
        return None
    return resolve_inside(folder / name, folder)


def _or(value: str | None, default: str) -> str:
    return default if value is None else value


def _point(row: sqlite3.Row) -> dict[str, object]:
    value = row["number"]
    if value is None and row["text"]:
        value = javascript.number(row["text"])
    return {"step": row["step"], "wall_time": row["wall_time"], "value": value}
