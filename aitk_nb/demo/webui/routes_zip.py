"""Archives of samples and datasets, written where they can be downloaded."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from starlette.responses import Response

from aitk_nb.demo.webui.wire import Call, answer, error, text

_CAPTIONS = frozenset({".txt", ".json", ".caption"})


def make_zip(call: Call) -> Response:
    """Write the archive that is asked for, and answer its path."""
    try:
        body = call.fields()
        target = body.get("zipTarget")
        if target in {"dataset", "dataset_captions"} and call.has("datasets in zips"):
            return _dataset(call, body.get("datasetName"), captions=target == "dataset_captions")
        return _samples(call, body.get("jobName"))
    except (OSError, TypeError, ValueError):
        return text("Internal Server Error", 500)


def _samples(call: Call, name: object) -> Response:
    if not name:
        return error("jobName is required", 400)
    if not isinstance(name, str):
        raise TypeError("jobName")
    folder = call.store.job_folder(name)
    if folder is None or not (folder / "samples").exists():
        raise FileNotFoundError(name)
    source = folder / "samples"
    if source.is_symlink() or not source.is_dir():
        return text("Not a directory", 400)
    members = {path: Path("samples") / path.relative_to(source) for path in _files(source)}
    return _write(folder / "samples.zip", members)


def _dataset(call: Call, name: object, *, captions: bool) -> Response:
    if not name:
        return error("datasetName is required", 400)
    if not isinstance(name, str):
        raise TypeError("datasetName")
    base = os.path.basename(name.rstrip("/"))  # noqa: PTH119 (Path would drop "..")
    folder = call.store.dataset_folder(base)
    if folder is None or not folder.exists():
        return error(f"Dataset '{name}' not found", 404)
    wanted = [
        path
        for path in _files(folder, hidden=False)
        if not captions or path.suffix.lower() in _CAPTIONS
    ]
    if not wanted:
        return error("No captions found" if captions else "Dataset is empty", 404)
    target = call.store.datasets / ".zips" / f"{base}_{'captions' if captions else 'dataset'}.zip"
    return _write(target, {path: Path(base) / path.relative_to(folder) for path in wanted})


def _files(folder: Path, *, hidden: bool = True) -> Iterator[Path]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") and not hidden:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), hidden=hidden)
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _write(target: Path, members: dict[Path, Path]) -> Response:
    target.parent.mkdir(exist_ok=True)
    if target.parent.is_symlink():
        raise OSError("the folder of archives leads elsewhere")
    partial = target.with_name(f".{target.name}.part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for source, name in members.items():
            archive.write(source, name.as_posix())
    partial.replace(target)
    return answer({"ok": True, "zipPath": str(target), "fileName": target.name})
