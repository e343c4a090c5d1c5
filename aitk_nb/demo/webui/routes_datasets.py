"""Datasets: create, list, upload, delete, and the images in them."""

import gzip
import os
import re
import shutil
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from aitk_nb.demo.webui import javascript
from aitk_nb.demo.webui.uploads import Form, read_form, write_all
from aitk_nb.demo.webui.wire import JSON, Call, answer, empty, error

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_FILMS = (".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".flv")
_SOUNDS = (".mp3", ".wav", ".flac", ".ogg")
MEDIA = frozenset({*_PICTURES, *_FILMS, *_SOUNDS})
_RUN = re.compile(r"[^a-z0-9]+")
_KEPT = re.compile(r"[a-zA-Z0-9.-]")
_FAILED = "Error uploading files"


def list_datasets(call: Call) -> Response:
    """Answer the names of the datasets; makes their folder if it is missing."""
    root = call.store.datasets
    try:
        root.mkdir(parents=True, exist_ok=True)
        with os.scandir(root) as entries:
            found = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return error("Failed to fetch datasets", 500)
    return answer(sorted(name for name in found if not name.startswith(".")))


def create(call: Call) -> Response:
    """Make a dataset, its name made plain; one that exists is fine."""
    try:
        name = call.fields().get("name")
        if not isinstance(name, str):
            raise TypeError("name")
        name = _RUN.sub("_", name.lower())
        (call.store.datasets / name).mkdir(parents=True, exist_ok=True)
    except (OSError, TypeError, ValueError):
        return error("Failed to create dataset", 500)
    return answer({"success": True, "name": name})


def delete(call: Call) -> Response:
    """Remove a dataset; one that is absent is fine."""
    try:
        name = call.fields().get("name")
        folder = call.store.dataset_folder(name) if isinstance(name, str) else None
        if folder is None:
            return error("Failed to delete dataset", 500)
        if folder.is_dir():
            shutil.rmtree(folder)
        elif folder.exists():
            folder.unlink()
    except (OSError, TypeError, ValueError):
        return error("Failed to delete dataset", 500)
    return answer({"success": True})


def list_images(call: Call) -> Response:
    """Answer the media of a dataset, sorted, with the folder they are in."""
    name = call.fields().get("datasetName")
    if not isinstance(name, str):
        return empty(500)
    folder = call.store.dataset_folder(name) if name else call.store.datasets
    if folder is None or not folder.exists():
        return error(f"Folder '{name}' not found", 404)
    try:
        known = MEDIA if call.has("sounds in datasets") else MEDIA - {*_SOUNDS}
        found = [
            path.relative_to(folder)
            for path in _media(folder, hidden=not call.has("hidden files are hidden"))
            if _extension(path.name) in known
        ]
    except OSError:
        return error("Failed to process request", 500)
    images = sorted(map(str, found), key=javascript.collation_key)
    listing: dict[str, object] = {"root": f"{folder}{os.sep}", "images": images}
    if not call.has("images below a root"):
        listing = {"images": [{"img_path": str(folder / image)} for image in images]}
    body = javascript.dumps(listing)
    data = body.encode("utf-8", "replace")
    accepted = call.request.headers.get("accept-encoding", "")
    if call.has("compressed lists") and re.search(r"\bgzip\b", accepted):
        headers = {"content-encoding": "gzip"}
        return Response(gzip.compress(data), headers=headers, media_type=JSON)
    return Response(data, media_type=JSON)


async def upload(call: Call) -> Response:
    """Store the files of a form in a dataset, their names made plain one character at a time."""
    try:
        form = await read_form(call.request)
    except Exception:  # noqa: BLE001 (whatever a broken form raises, the answer is the same)
        return error(_FAILED, 500)
    try:
        return await run_in_threadpool(_store, call, form)
    except (OSError, ValueError):
        return error(_FAILED, 500)
    finally:
        form.close()


def _store(call: Call, form: Form) -> Response:
    if not form.files and not form.odd:
        return error("No files provided", 400)
    name = form.fields.get("datasetName")
    root = call.store.datasets
    folder = root if name == "" else call.store.dataset_folder(name) if name else None
    if folder is None:
        return error(_FAILED, 500)
    folder.mkdir(parents=True, exist_ok=True)
    names = [javascript.replace_each(upload.name, _KEPT) for upload in form.files]
    if form.odd or any(stored in {"", ".", ".."} for stored in names):
        return error(_FAILED, 500)
    write_all([(upload, folder / stored) for upload, stored in zip(form.files, names, strict=True)])
    return answer({"message": "Files uploaded successfully", "files": names})


def _media(folder: Path, *, hidden: bool) -> list[Path]:
    found: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            dot = entry.name.startswith(".")
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "_controls" and not dot:
                    found += _media(Path(entry.path), hidden=hidden)
            elif dot and not hidden:
                continue
            elif entry.is_file(follow_symlinks=False) and _extension(entry.name) in MEDIA:
                found.append(Path(entry.path))
    return found


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a name, not a path)
