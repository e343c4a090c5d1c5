"""LoRAs: those that jobs have saved, those below the folder of models, and upload in chunks."""

import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from starlette.responses import Response

from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.wire import Call, answer, error

_LEVELS = 6
_STALE = 24 * 3600
_SHORTEST = len("x.safetensors")
_KEPT = re.compile(r"[\w.\- ()\[\]]", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST = 2**53


def list_loras(call: Call) -> Response:
    """Answer the LoRAs of jobs, newest first, and those below the folder of models."""
    jobs = []
    rows = call.store.db.jobs("train")
    for job in sorted(rows, key=lambda job: str(job.as_json()["updated_at"]), reverse=True):
        files = [_facts(path) for path in _of_job(call.store.job_folder(job.name))]
        files.sort(key=lambda facts: -float(str(facts["mtime"])))
        row = job.as_json()
        if files:
            told = {key: row[key] for key in ("id", "name", "status", "updated_at")}
            jobs.append({**told, "files": files})
    root = call.store.models / "loras"
    paths = {str(path.relative_to(root)): path for path in _below(root, _LEVELS)}
    models = [
        {"relpath": name, **_facts(paths[name])}
        for name in sorted(paths, key=javascript.collation_key)
    ]
    return answer({"jobs": jobs, "models": models, "lorasRoot": str(root)})


def upload(call: Call) -> Response:
    """Take one step of an upload: `start`, `chunk`, `finish` or `cancel`."""
    try:
        return _upload(call, call.query("action"))
    except OSError as exc:
        return error(str(exc), 500)


def _upload(call: Call, action: str | None) -> Response:
    root = call.store.models / "loras"
    parts = root / ".uploads"
    if action == "start":
        return _start(call, root, parts)
    upload_id = call.query("uploadId") or ""
    if not _UUID.fullmatch(upload_id):
        return error("Invalid uploadId", 400)
    part = parts / f"{upload_id}.part"
    if action == "chunk":
        return _chunk(call, part)
    if action == "finish":
        return _finish(call, root, part)
    if action == "cancel":
        part.unlink(missing_ok=True)
        return answer({"ok": True})
    return error("Unknown action", 400)


def _start(call: Call, root: Path, parts: Path) -> Response:
    name = _clean_name(call.query("fileName"))
    if name is None:
        return error("File must be a .safetensors file", 400)
    if not _size(call.query("size")):
        return error("Invalid file size", 400)
    if _is_taken(call, root / name):
        return _taken()
    parts.mkdir(parents=True, exist_ok=True)
    for old in parts.glob("*.part"):
        if time.time() - old.stat().st_mtime > _STALE:
            old.unlink(missing_ok=True)
    upload_id = str(uuid.uuid4())
    (parts / f"{upload_id}.part").write_bytes(b"")
    return answer({"uploadId": upload_id, "fileName": name})


def _chunk(call: Call, part: Path) -> Response:
    offset = javascript.number(call.query("offset") or "")
    if not _is_safe(offset) or offset < 0:
        return error("Invalid offset", 400)
    if not part.exists():
        return error("Upload not found or expired", 404)
    if not call.body:
        return error("Empty chunk", 400)
    with part.open("r+b") as file:
        # Behind the end of the part this leaves a hole, which the size at the end does not show.
        file.seek(int(offset))
        file.write(call.body)
    return answer({"received": len(call.body)})


def _finish(call: Call, root: Path, part: Path) -> Response:
    name, size = _clean_name(call.query("fileName")), _size(call.query("size"))
    if name is None or not size:
        return error("Invalid fileName or size", 400)
    if not part.exists():
        return error("Upload not found or expired", 404)
    there = part.stat().st_size
    if there != size:
        part.unlink()
        return error(f"Upload incomplete: got {there} of {size} bytes", 400)
    if _is_taken(call, root / name):
        part.unlink()
        return _taken()
    part.replace(root / name)
    return answer({"path": str(root / name), "name": name, "size": size})


def _is_taken(call: Call, target: Path) -> bool:
    return call.query("overwrite") != "1" and target.exists()


def _taken() -> Response:
    return answer({"error": "A file with that name already exists", "exists": True}, 409)


def _clean_name(sent: str | None) -> str | None:
    name = javascript.replace_each((sent or "").strip(), _KEPT)
    fits = name.lower().endswith(".safetensors") and not name.startswith(".")
    return name if fits and len(name) >= _SHORTEST else None


def _size(sent: str | None) -> int | None:
    size = javascript.number(sent or "")
    return int(size) if _is_safe(size) and size > 0 else None


def _is_safe(value: float) -> bool:
    return float(value).is_integer() and abs(value) < _MOST


def _of_job(folder: Path | None) -> list[Path]:
    """Return the LoRAs that a job has saved."""
    entries = folder.iterdir() if folder and folder.is_dir() else ()
    return [entry for entry in entries if _is_lora(entry)]


def _below(folder: Path, levels: int) -> Iterator[Path]:
    """Yield the LoRAs in a folder and in those below it; nothing hidden, and no link."""
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and levels > 1:
            yield from _below(entry, levels - 1)
        elif _is_lora(entry):
            yield entry


def _is_lora(path: Path) -> bool:
    return path.name.endswith(".safetensors") and path.is_file() and not path.is_symlink()


def _facts(path: Path) -> dict[str, object]:
    stat = path.stat()
    mtime = stat.st_mtime_ns / 1e6
    return {"name": path.name, "path": str(path), "size": stat.st_size, "mtime": mtime}
