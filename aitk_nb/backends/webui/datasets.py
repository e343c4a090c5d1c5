"""Datasets of the web UI: what is there, what is missing, and getting it there whole.

Why it is so: docs/behavior.md#uploads
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from aitk_nb._files import sha256
from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.webui import names as paths
from aitk_nb.backends.webui.files import WebUIFiles
from aitk_nb.backends.webui.manifest import Notes, read_notes
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each
from aitk_nb.backends.wire.upload import Part, send_bundles
from aitk_nb.backends.wire.upload_rate import UploadRate
from aitk_nb.errors import AitkError, NotFound, Rejected, UnexpectedReply
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.names import check_name

MEASURED = 8 * 2**20
"""Bytes from which a file that was sent is measured: gateways cut what is large. The server answers
only when it has written the file, and for small ones another request each costs as much again."""

BATCH = 200
"""Captions asked for in one request."""

SAMPLE = 4
"""Files of which the sizes are asked, to see whether what was noted still holds."""

LONGEST_CAPTION = 2**20

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_FILMS = (".mp4", ".avi", ".mov", ".mkv", ".wmv", ".m4v", ".flv")
_SOUNDS = (".mp3", ".wav", ".flac", ".ogg")
LISTED = frozenset({*_PICTURES, *_FILMS, *_SOUNDS})
"""What the server lists of a dataset: a file of such a name that is not listed is not there."""


class WebUIDatasets:
    """The dataset half of the web UI backend."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.files = WebUIFiles(http)
        """Its files by path."""
        self._folders: dict[str, str] = {}
        self.seen: dict[str, DatasetInfo] = {}
        """The datasets as they were last seen, without those that something was sent to since."""
        self.rate = UploadRate()
        """What the line has been found to take."""

    def root(self) -> str:
        """Return the server's folder of datasets."""
        return str(self.folders()["DATASETS_FOLDER"])

    def folders(self) -> Mapping[str, str]:
        """Return the server's training and datasets folders.

        The same answer holds the Hugging Face token in clear; it is dropped here.
        """
        body = self._http.get_json("/api/settings", what="return its folders")
        try:
            return {name: str(body[name]) for name in ("TRAINING_FOLDER", "DATASETS_FOLDER")}
        except (KeyError, TypeError) as exc:
            raise UnexpectedReply("return its folders", "no folders") from exc

    def has_model_token(self) -> bool:
        """Return whether the server has a Hugging Face token, which is dropped here."""
        body = self._http.get_json("/api/settings", what="return its settings")
        return isinstance(body, dict) and bool(str(body.get("HF_TOKEN") or "").strip())

    def list(self) -> tuple[str, ...]:
        """Return the names of the datasets, sorted."""
        body = self._http.get_json("/api/datasets/list", what="list the datasets")
        if not isinstance(body, list):
            raise UnexpectedReply("list the datasets", "no list")
        return tuple(sorted(str(name) for name in body))

    def get(self, name: str) -> DatasetInfo:
        """Return a dataset with its captions."""
        return self.find(name)[1]

    def find(self, name: str) -> tuple[str, DatasetInfo]:
        """Return a dataset's folder on the server, and the dataset with its captions."""
        found = self._seek(name)
        if found is None:
            raise NotFound("dataset", name, self.list())
        return found

    def folder(self, name: str) -> str:
        """Return the folder of a dataset: the one it was last seen in, or else where it belongs."""
        return self._folders.get(name) or paths.join(self.root(), check_name("dataset", name))

    def _seek(self, name: str) -> tuple[str, DatasetInfo] | None:
        check_name("dataset", name)
        self._folders.pop(name, None)
        self.seen.pop(name, None)
        try:
            body = self._http.post_json(
                "/api/datasets/listImages",
                {"datasetName": name},
                what=f"list the images of {name}",
                repeat=True,
            )
        except Rejected as exc:
            if exc.status == 404:
                return None
            raise
        root, images = _images(body, name)
        info = DatasetInfo(
            name, tuple(sorted(images)), self.captions({root + image: image for image in images})
        )
        folder = root.rstrip("/\\") or paths.join(self.root(), name)
        self._folders[name], self.seen[name] = folder, info
        return folder, info

    def captions(self, images: Mapping[str, str], ending: str = "") -> dict[str, str]:
        """Return the captions that are there, by image; `images` has the image of each path."""
        captions: dict[str, str] = {}
        paths = list(images)
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            body = self._http.post_json(
                "/api/caption/getBatch",
                {"imgPaths": batch, **({"ext": ending} if ending else {})},
                what="show captions",
                repeat=True,
            )
            found = body.get("captions", {}) if isinstance(body, dict) else {}
            captions |= {images[path]: str(text) for path, text in found.items() if path in images}
        return {image: text for image, text in captions.items() if text}

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Return the files that the server lacks, and those it has with other content.

        The server's list says which images are there and its captions what they say; what we have
        noted says the rest, and is held against the sizes of a sample. Everything that this
        leaves open is measured, and read back where its size proves nothing.
        """
        check_name("dataset", dataset)
        found = self._seek(dataset)
        if found is None:
            return tuple(files), ()
        folder, there = found
        known = read_notes(self._http, folder)
        verdicts = {file.name: _noted(file, there, known) for file in files}
        believed = [file for file in files if verdicts[file.name] == "noted"]
        if not self._sample_holds(folder, believed):
            verdicts |= dict.fromkeys((file.name for file in believed), "")
        open_ones = [file for file in files if not verdicts[file.name]]
        for file, verdict in self._looked_at(folder, open_ones, known):
            verdicts[file.name] = verdict
        absent = tuple(file for file in files if verdicts[file.name] == "absent")
        return absent, tuple(file for file in files if verdicts[file.name] == "differs")

    def _sample_holds(self, folder: str, files: Sequence[Upload]) -> bool:
        """Return whether some of the files have the sizes that they should have."""
        few = random.sample(files, min(SAMPLE, len(files)))
        sizes = each(lambda file: self.files.size(_path(folder, file)), few)
        for size in sizes:
            if isinstance(size, AitkError):
                raise size
        return [file.size for file in few] == sizes

    def _looked_at(
        self, folder: str, files: Sequence[Upload], known: Mapping[str, Any]
    ) -> Iterator[tuple[Upload, str]]:
        verdicts = each(lambda file: self._verdict(folder, file, known), files)
        for file, verdict in zip(files, verdicts, strict=True):
            if isinstance(verdict, AitkError):
                raise verdict
            yield file, verdict

    def _verdict(self, folder: str, file: Upload, known: Mapping[str, Any]) -> str:
        path = _path(folder, file)
        size = self.files.size(path)
        if size is None:
            return "absent"
        if size != file.size:
            return "differs"
        digest = file.sha256 or sha256(file.source)
        entry = known.get(file.name)
        is_caption = file.name.lower().endswith(".txt")
        if not is_caption and isinstance(entry, dict) and entry.get("size") == size:
            return "same" if entry.get("sha256") == digest else "differs"
        # Somebody else put it there, or may have edited it. Size alone proves nothing: two BMPs of
        # one size always agree.
        return "same" if self.files.digest(path, size) == digest else "differs"

    def upload(
        self, dataset: str, files: Sequence[Upload], progress: Progress
    ) -> Mapping[str, str]:
        """Make the dataset if need be, send the files, and return their SHA-256 by name."""
        check_name("dataset", dataset)
        made = self._http.post_json(
            "/api/datasets/create",
            {"name": dataset},
            what=f"create the dataset {dataset}",
            repeat=True,
        )
        if not isinstance(made, dict) or made.get("name") != dataset:
            raise UnexpectedReply(f"create the dataset {dataset}", "another name")
        folder = self.folder(dataset)
        self.seen.pop(dataset, None)
        notes = Notes(self._http, dataset, folder)

        def send(parts: Sequence[Part]) -> None:
            self._send(dataset, folder, parts)
            for file, reader in parts:
                notes.add(file.name, file.size, reader.sha256)

        try:
            return send_bundles(files, send, progress, self.rate)
        finally:
            # Also after a failure: what did arrive need not be sent or read back again.
            notes.write()

    def _send(self, dataset: str, folder: str, parts: Sequence[Part]) -> None:
        names = [file.name for file, _ in parts]
        what = f"take {names[0]}" if len(names) == 1 else f"take {len(names)} files"
        answer = self._http.post_files(
            "/api/datasets/upload",
            {"datasetName": dataset},
            [("files", (file.name, reader, "application/octet-stream")) for file, reader in parts],
            what=what,
        )
        if not isinstance(answer, dict) or answer.get("files") != names:
            raise UnexpectedReply(what, "different names than were sent")
        for file, _ in parts:
            if file.size < MEASURED:
                continue
            size = self.files.size(_path(folder, file))
            if size != file.size:
                raise UnexpectedReply(what, f"it now has {size} bytes of it, not {file.size}")


def _path(folder: str, file: Upload) -> str:
    return paths.join(folder, file.name)


def _noted(file: Upload, there: DatasetInfo, known: Mapping[str, Any]) -> str:
    """Return what is known of a file without measuring it; empty when that is not enough.

    "noted" means that it is the same by what was noted when it was sent.
    """
    if file.name.lower().endswith(".txt"):
        stem = PurePosixPath(file.name).stem
        texts = [text for image, text in there.captions.items() if image.rpartition(".")[0] == stem]
        return "same" if texts and texts[0] == _text(file) else ""
    if PurePosixPath(file.name).suffix.lower() in LISTED and file.name not in there.images:
        return "absent"
    entry = known.get(file.name)
    if not isinstance(entry, dict) or entry.get("size") != file.size:
        return ""
    return "noted" if entry.get("sha256") == (file.sha256 or sha256(file.source)) else ""


def _text(file: Upload) -> str | None:
    """Return a caption as the server tells it, or None where it would tell something else."""
    try:
        return file.source.read_bytes().decode() if file.size <= LONGEST_CAPTION else None
    except (OSError, UnicodeDecodeError):
        return None


def _images(body: object, name: str) -> tuple[str, list[str]]:
    """Return the dataset's root and its images, from the answers of both eras.

    Since July 2026 `{"root", "images": [relative]}`, before it `{"images": [{"img_path"}]}`.
    """
    what = f"list the images of {name}"
    if not isinstance(body, dict) or not isinstance(body.get("images"), list):
        raise UnexpectedReply(what, "not a list of images")
    entries = body["images"]
    if "root" in body:
        return str(body["root"]), [str(entry) for entry in entries]
    paths = [str(entry["img_path"]) for entry in entries if isinstance(entry, dict)]
    if not paths:
        return "", []
    root, found, _ = paths[0].rpartition(name)
    root = root + found + paths[0][len(root) + len(found) : len(root) + len(found) + 1]
    return root, [path.removeprefix(root) for path in paths]
