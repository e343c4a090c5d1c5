"""Datasets of a Gradio app: sent file by file, then put together in a session of their own.

Why it is so: docs/behavior.md#gradio
"""

import logging
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from aitk_nb._files import sha256
from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.gradio.app import CREATE, GradioApp, raw_data
from aitk_nb.backends.gradio.files import FileRoute
from aitk_nb.backends.gradio.journal import DatasetNote, Journal, SentFile
from aitk_nb.backends.wire.file_readers import CountingReader
from aitk_nb.backends.wire.parallel import each, each_or_raise
from aitk_nb.backends.wire.upload import send_all
from aitk_nb.backends.wire.upload_rate import UploadRate
from aitk_nb.errors import AitkError, InvalidDataset, NotFound, Rejected, UnexpectedReply
from aitk_nb.models import DatasetInfo, Endpoint, check_name

_log = logging.getLogger(__name__)

_IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_CAPTION: Final = ".txt"
_RESTARTED: Final = (
    "It was uploaded before the server was restarted, and its files are gone: upload it again."
)
_MOMENT: Final = 1.0
"""Seconds for which the server is taken for the same process."""


def upload_root(path: str) -> str:
    """Return the folder below which a Gradio server keeps uploads, from the path of one.

    Each lies in a folder of its own, named by its content.
    """
    match = re.fullmatch(r"(.+)[/\\][^/\\]+[/\\][^/\\]+", path)
    if match is None:
        raise UnexpectedReply("take a file", "a path that is no upload's")
    return match[1]


class GradioDatasets:
    """The dataset half of the Gradio backend.

    The server tells nobody where a dataset lies: it is the hidden state of a session. So each
    dataset has a session, and each training one of its own.
    """

    def __init__(self, app: GradioApp, route: FileRoute, journal: Journal) -> None:
        self._app = app
        self._route = route
        self._journal = journal
        self._asked = -_MOMENT, ""

    def list(self) -> tuple[str, ...]:
        """Return the names of the datasets that this server process was given, sorted."""
        return tuple(sorted(self._living()))

    def _server(self) -> str:
        """Return which server process answers, asked once for the steps of one upload."""
        now = time.monotonic()
        if now - self._asked[0] > _MOMENT:
            self._asked = now, self._app.app_id()
        return self._asked[1]

    def _living(self) -> dict[str, DatasetNote]:
        """Return the datasets that can be trained on, without a session after a restart.

        A restart ends the sessions; the uploads mostly stay, and make the dataset again.
        """
        app_id = self._server()
        notes = self._journal.read().datasets.values()
        old = [note for note in notes if note.app_id != app_id and note.files]
        looks = each(lambda note: self._route.stat(note.files[0].path), old)
        kept = [
            replace(note, app_id=app_id, session="", taken=False)
            for note, look in zip(old, looks, strict=True)
            if look is not None and not isinstance(look, AitkError)
        ]
        return {note.name: note for note in (*notes, *kept) if note.app_id == app_id}

    def note(self, name: str) -> DatasetNote:
        """Return what is noted of a dataset.

        Raises:
            NotFound: this server process was given none of that name.
        """
        check_name("dataset", name)
        living = self._living()
        if name not in living:
            hint = _RESTARTED if name in self._journal.read().datasets else ""
            raise NotFound("dataset", name, sorted(living), hint=hint)
        return living[name]

    def get(self, name: str) -> DatasetInfo:
        """Return a dataset as it was sent."""
        note = self.note(name)
        images = tuple(sorted(file.name for file in note.files if not _is_caption(file.name)))
        return DatasetInfo(name, images, dict(note.captions))

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Return those of `files` that were not sent, and those sent with other content.

        Raises:
            InvalidDataset: the app cannot take these files.
        """
        check_name("dataset", dataset)
        try:
            have = {file.name: file for file in self.note(dataset).files}
        except NotFound:
            have = {}
        self._check(dataset, set(have), files)
        here = self._still_there([have[file.name] for file in files if file.name in have])
        absent = tuple(file for file in files if file.name not in here)
        kept = [file for file in files if file.name in here]
        return absent, tuple(
            file
            for file in kept
            if file.size != have[file.name].size or sha256(file.source) != have[file.name].sha256
        )

    def _still_there(self, sent: Sequence[SentFile]) -> set[str]:
        """Return the names of those uploads that the server still keeps."""
        looks = each_or_raise(lambda file: self._route.stat(file.path), sent)
        return {file.name for file, look in zip(sent, looks, strict=True) if look is not None}

    def _check(self, dataset: str, have: set[str], files: Sequence[Upload]) -> None:
        """Refuse what the app would take and make something else of."""
        once: dict[str, str] = {}
        for file in files:
            path = Path(file.name)
            key = path.stem + path.suffix.lower()
            if key in once:
                raise InvalidDataset(
                    dataset,
                    [
                        f"The files {once[key]!r} and {file.name!r} get the same name on the "
                        "server, where the second would overwrite the first: rename one of them."
                    ],
                )
            once[key] = file.name
        names = have | {file.name for file in files}
        most = len(_texts(self._app.function(CREATE)))
        if 0 < most < len(names):
            captions = sum(map(_is_caption, names))
            raise InvalidDataset(
                dataset,
                [
                    f"It has {len(names)} files ({len(names) - captions} images and {captions} "
                    f"captions), and this app accepts {most}: leave some out."
                ],
            )
        strange = sorted(
            name for name in names if Path(name).suffix.lower() not in {*_IMAGES, _CAPTION}
        )
        if strange:
            raise InvalidDataset(
                dataset,
                [f"{', '.join(strange[:3])}: a Gradio server takes only images and captions."],
            )

    def upload(self, dataset: str, files: Sequence[Upload], progress: Progress) -> None:
        """Send the files, and create the dataset of these and of those sent before."""
        check_name("dataset", dataset)
        old = self._living().get(dataset) or DatasetNote(dataset, self._server())
        have = {file.name: file for file in old.files}
        self._check(dataset, set(have), files)
        sent = self._send(files, _stored_names(have, files), progress)
        captions = {**old.captions, **_captions(files)}
        note = replace(
            old, files=tuple(({**have, **sent}).values()), captions=captions, taken=False
        )
        if note.files:
            note = replace(note, session=self._create(note))
        with self._journal.change() as notes:
            notes.datasets[dataset] = note

    def _send(
        self, files: Sequence[Upload], stored: Mapping[str, str], progress: Progress
    ) -> dict[str, SentFile]:
        sent: dict[str, SentFile] = {}
        lock = threading.Lock()

        def send(file: Upload, reader: CountingReader) -> None:
            name = stored[file.name]
            path = self._post(file, name, reader)
            with lock:
                sent[file.name] = SentFile(file.name, name, file.size, reader.sha256, path)

        send_all(files, send, progress, UploadRate(down=self._app.http.connection.outage))
        # In the order of the files, whichever arrived first.
        return {file.name: sent[file.name] for file in files}

    def _post(self, file: Upload, name: str, reader: CountingReader) -> str:
        what = f"take {file.name}"
        kind = "text/plain" if _is_caption(name) else "application/octet-stream"
        answer = self._app.http.post_files(
            f"{self._app.prefix}/upload", {}, {"files": (name, reader, kind)}, what=what
        )
        if not (isinstance(answer, list) and len(answer) == 1 and isinstance(answer[0], str)):
            raise UnexpectedReply(what, "no path")
        if not re.search(rf"[/\\]{re.escape(name)}$", answer[0]):
            raise UnexpectedReply(what, "a different name than was sent")
        if reader.sent != file.size:
            raise AitkError(f"it changed while it was sent, and has {reader.sent} bytes now")
        return answer[0]

    def session_for_training(self, name: str) -> str:
        """Return a session that holds the dataset and that no other training uses.

        Raises:
            NotFound: this server process was given no such dataset.
            InvalidDataset: it has no images.
        """
        note = self.note(name)
        if not note.files:
            raise InvalidDataset(name, ["It has no images: upload some."])
        with self._journal.change() as notes:
            now = notes.datasets.get(name, note)
            if now.session and not now.taken and now.app_id == note.app_id:
                notes.datasets[name] = replace(now, taken=True)
                return now.session
        if now.app_id != note.app_id:
            if len(self._still_there(note.files)) < len(note.files):
                raise NotFound("dataset", name, hint=_RESTARTED)
            _log.warning("The server was restarted; %r is created again from its uploads.", name)
        return self._create(note)

    def root(self, name: str) -> str:
        """Return the folder of the server below which it serves files."""
        return upload_root(self.note(name).files[0].path)

    def _create(self, note: DatasetNote) -> str:
        """Put uploads together to a dataset in a new session, and return the session.

        Captions go along as files: of the page's text boxes the trainer reads nothing.
        """
        session = f"aitk{secrets.token_hex(12)}"
        function = self._app.function(CREATE)
        data: list[Any] = [
            {"path": file.path, "orig_name": file.stored, "meta": {"_type": "gradio.FileData"}}
            for file in note.files
        ]
        boxes = dict.fromkeys(_texts(function), "")
        captions = (note.captions.get(file.name, "") for file in note.files)
        boxes |= dict(zip(boxes, captions, strict=False))
        takers = (one.name for one in function.sent if "file" in one.type)
        files = dict.fromkeys(islice(takers, 1), data)
        what = f"create the dataset {note.name}"
        try:
            self._app.run(CREATE, raw_data(function, {**boxes, **files}), session, what=what)
        except Rejected as exc:
            raise Rejected(what, exc.reply.strip("'\""), exc.status) from exc
        return session


def _texts(function: Endpoint) -> list[str]:
    """Return the names of the text boxes, which are for captions."""
    return [one.name for one in function.sent if one.type == "string" and not one.choices]


def _is_caption(name: str) -> bool:
    return name.lower().endswith(_CAPTION)


def _stored_names(have: Mapping[str, SentFile], files: Sequence[Upload]) -> dict[str, str]:
    """Return safe names: what shares a stem, as an image and its caption, shares a number.

    Gradio 4 and 5 take odd characters out of names, Gradio 6 does not.
    """
    numbers = {Path(name).stem: Path(file.stored).stem for name, file in have.items()}
    for file in files:
        numbers.setdefault(Path(file.name).stem, f"{len(numbers) + 1:04d}")
    return {
        file.name: numbers[Path(file.name).stem] + Path(file.name).suffix.lower() for file in files
    }


def _captions(files: Sequence[Upload]) -> dict[str, str]:
    texts = {
        Path(file.name).stem: file.source.read_text("utf-8-sig", errors="replace").strip()
        for file in files
        if _is_caption(file.name)
    }
    images = (file.name for file in files if not _is_caption(file.name))
    return {name: text for name in images if (text := texts.get(Path(name).stem))}
