"""Datasets of the web UI: what is there, what is missing, and getting it there whole.

Why it is so: docs/behavior.md#uploads
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from aitk_nb._files import sha256
from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.webui import names as paths
from aitk_nb.backends.webui.catalog import ServerEndpoints
from aitk_nb.backends.webui.files import Captions, Notes, WebUIFiles, read_notes
from aitk_nb.backends.wire.http import Http, part
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.backends.wire.upload import Part, send_bundles
from aitk_nb.backends.wire.upload_rate import UploadRate
from aitk_nb.errors import NotFound, Rejected, UnexpectedReply
from aitk_nb.models import DatasetInfo, check_name

MEASURED = 8 * 2**20
"""Bytes from which a file that was sent is measured: gateways cut what is large. The server answers
only when it has written the file, and for small ones another request each costs as much again."""

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
        self.endpoints = ServerEndpoints(http)
        """What the server has."""
        self.captions = Captions(http, self.endpoints)
        """Its captions by the paths of images."""
        self._folders: dict[str, str] = {}
        self.seen: dict[str, DatasetInfo] = {}
        """The datasets as they were last seen, without those that something was sent to since."""
        self.rate = UploadRate(down=http.connection.outage)
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
            path, asked = "/api/datasets/listImages", {"datasetName": name}
            body = self._http.post_json(path, asked, what=_listing(name), repeat=True)
        except Rejected as exc:
            if exc.status == 404:
                return None
            raise
        root, images = self._images(body, name)
        info = DatasetInfo(
            name, tuple(sorted(images)), self.captions.of({root + image: image for image in images})
        )
        folder = root.rstrip("/\\") or paths.join(self.root(), name)
        self._folders[name], self.seen[name] = folder, info
        return folder, info

    def _images(self, body: object, name: str) -> tuple[str, Sequence[str]]:
        """Return the dataset's folder, with a separator, and its images, from any server's answer.

        Older ones tell absolute paths, and the folder only in their settings.
        """
        what = _listing(name)
        entries = part(body, "images", list, what)
        if isinstance(body, dict) and "root" in body:
            return str(body["root"]), [str(entry) for entry in entries]
        found = [str(entry["img_path"]) for entry in entries if isinstance(entry, dict)]
        root = paths.join(paths.normal(self.root()), name, "")
        if outside := [path for path in found if not path.startswith(root)]:
            raise UnexpectedReply(what, f"{outside[0]!r}, which is not in {root!r}")
        return root, [path.removeprefix(root) for path in found]

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
        looks = each_or_raise(lambda file: self._verdict(folder, file, known), open_ones)
        verdicts |= dict(zip((file.name for file in open_ones), looks, strict=True))
        absent = tuple(file for file in files if verdicts[file.name] == "absent")
        return absent, tuple(file for file in files if verdicts[file.name] == "differs")

    def _sample_holds(self, folder: str, files: Sequence[Upload]) -> bool:
        """Return whether some of the files have the sizes that they should have."""
        few = random.sample(files, min(SAMPLE, len(files)))
        sizes = each_or_raise(lambda file: self.files.size(_path(folder, file)), few)
        return [file.size for file in few] == sizes

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
        what, path = f"create the dataset {dataset}", "/api/datasets/create"
        made = self._http.post_json(path, {"name": dataset}, what=what, repeat=True)
        if not isinstance(made, dict) or made.get("name") != dataset:
            raise UnexpectedReply(what, "another name")
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


def _listing(name: str) -> str:
    return f"list the images of {name}"


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
