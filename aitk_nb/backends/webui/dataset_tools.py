"""What the web UI can do to a dataset that it has: measure, caption, fetch, delete."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import quote

from aitk_nb.backends.base import Progress
from aitk_nb.backends.webui import names as paths
from aitk_nb.backends.webui.datasets import WebUIDatasets
from aitk_nb.backends.webui.files import Notes, read_notes
from aitk_nb.backends.webui.jobs import WebUIJobs
from aitk_nb.backends.wire.http import Http, part
from aitk_nb.backends.wire.parallel import each, each_or_raise
from aitk_nb.errors import AitkError, NotFound, NotSupported, Rejected, UnexpectedReply
from aitk_nb.models import DatasetInfo, JobDraft, JobState, check_name

UNZIPPED = "Download it without --zip (as_zip)."

T = TypeVar("T")


class WebUIDatasetTools:
    """Work on the datasets of one web UI."""

    def __init__(self, http: Http, datasets: WebUIDatasets, jobs: WebUIJobs) -> None:
        self._http = http
        self._datasets = datasets
        self._jobs = jobs

    def seen(self, dataset: str) -> DatasetInfo | None:
        """Return the dataset as it was last seen, without asking; None if something was sent."""
        return self._datasets.seen.get(dataset)

    def sizes(self, dataset: str, names: Sequence[str]) -> dict[str, int | None]:
        """Return the bytes of each file, None for one that is not there."""
        folder = self._folder(dataset)
        return _all(lambda name: self._datasets.files.size(_join(folder, name)), names)

    def digests(self, dataset: str, sizes: Mapping[str, int], progress: Progress) -> dict[str, str]:
        """Return the SHA-256 of each file, all of whose bytes are read back."""
        folder, files = self._folder(dataset), self._datasets.files
        digests = each_or_raise(
            lambda name: files.digest(_join(folder, name), sizes[name]),
            list(sizes),
            sizes=list(sizes.values()),
            progress=progress,
        )
        return dict(zip(sizes, digests, strict=True))

    def noted(self, dataset: str) -> frozenset[str]:
        """Return the names of the files that were noted on the server when they were sent."""
        return frozenset(read_notes(self._http, self._folder(dataset)))

    def forget(self, dataset: str, names: Collection[str]) -> None:
        """Drop the notes of files that are not what was noted, so that they are sent again."""
        notes = Notes(self._http, dataset, self._folder(dataset))
        notes.drop(names)
        notes.write()

    def remove(self, dataset: str, names: Sequence[str]) -> dict[str, str]:
        """Delete files, and return why by name for those that could not be."""
        folder, old = self._folder(dataset), False

        def delete(name: str) -> None:
            nonlocal old
            path, what = _join(folder, name), f"delete {name}"
            # The server decodes the path once more.
            body = {"filePath": quote(path, safe="/\\:")}
            try:
                self._http.post_json("/api/files/delete", body, what=what, repeat=True)
            except Rejected as exc:
                if exc.status == 405:
                    old = True
                    # It only deletes images, each with the caption beside it.
                    self._http.post_json("/api/img/delete", {"imgPath": path}, what=what)
                elif exc.status != 404:
                    raise

        failures = _failures(delete, names)
        if old:
            left = self.sizes(dataset, list(failures))
            failures = {name: why for name, why in failures.items() if left[name] is not None}
        self.forget(dataset, set(names) - failures.keys())
        return failures

    def delete(self, dataset: str) -> None:
        """Delete a whole dataset.

        Raises:
            NotFound: there is none of exactly this name: the server would call that a success.
        """
        names = self._datasets.list()
        if check_name("dataset", dataset) not in names:
            raise NotFound("dataset", dataset, names)
        what = f"delete the dataset {dataset}"
        self._http.post_json("/api/datasets/delete", {"name": dataset}, what=what, repeat=True)

    def captions(self, dataset: str, images: Sequence[str], ending: str) -> dict[str, str]:
        """Return the captions that are in files of another ending than .txt, by image."""
        folder = self._folder(dataset)
        by_path = {_join(folder, image): image for image in images}
        return self._datasets.captions.of(by_path, ending.lstrip("."))

    def write_captions(self, dataset: str, captions: Mapping[str, str]) -> dict[str, str]:
        """Write captions by image, and return why by image for those that were not taken."""
        folder = self._folder(dataset)

        def write(image: str) -> None:
            body = {"imgPath": _join(folder, image), "caption": captions[image]}
            what = f"save the caption of {image}"
            self._http.post_json("/api/img/caption", body, what=what, repeat=True)

        return _failures(write, list(captions))

    def fetch(self, dataset: str, name: str, target: Path, progress: Progress) -> int:
        """Fetch a file to `target`, whole or not at all; return its bytes."""
        path = _join(self._folder(dataset), name)
        return self._datasets.files.download(path, target, progress)

    def fetch_zip(self, dataset: str, target: Path, progress: Progress) -> int:
        """Have the server pack a dataset, and fetch the zip to `target`; return its bytes."""
        what = f"zip the dataset {dataset}"
        order = {"zipTarget": "dataset", "datasetName": check_name("dataset", dataset)}
        try:
            with self._datasets.endpoints.required("/api/zip", what, UNZIPPED):
                answer = self._http.post_json("/api/zip", order, what=what, repeat=True)
        except Rejected as exc:
            if exc.status != 400:
                raise
            # It takes any target for the samples of a job, and misses the job's name.
            raise NotSupported(what, "dated web UI", UNZIPPED) from exc
        path = part(answer, "zipPath", str, what)
        if not path.lower().endswith(".zip"):
            raise UnexpectedReply(what, "no zip")
        return self._datasets.files.download(path, target, progress)

    def thumbnails(self, dataset: str, images: Sequence[str]) -> dict[str, bytes]:
        """Return small pictures by image; the whole image where the server makes none."""
        folder = self._folder(dataset)

        def show(image: str) -> bytes:
            return self._datasets.files.thumbnail(_join(folder, image))

        return _all(show, images)

    def create_captioning(self, dataset: str, draft: JobDraft) -> JobState:
        """Create a job that captions a dataset, without starting it."""
        return self._jobs.create_captioning(dataset, draft)

    def list_captionings(self) -> tuple[JobState, ...]:
        """Return the captioning jobs, newest first."""
        return self._jobs.list_captionings()

    def _folder(self, dataset: str) -> str:
        return self._datasets.folder(dataset)


def _join(folder: str, name: str) -> str:
    """Return the path of a file in a dataset; a name may lead into a folder of it, not out."""
    if ".." in PurePosixPath(name.replace("\\", "/")).parts:
        raise UnexpectedReply("name its files", f"{name!r}, which is outside the dataset")
    return paths.join(folder, name)


def _all(work: Callable[[str], T], names: Sequence[str]) -> dict[str, T]:
    """Return `work` of each name; raise what it raises."""
    return dict(zip(names, each_or_raise(work, names), strict=True))


def _failures(work: Callable[[str], None], names: Sequence[str]) -> dict[str, str]:
    outcomes = zip(names, each(work, names), strict=True)
    return {name: str(outcome) for name, outcome in outcomes if isinstance(outcome, AitkError)}
