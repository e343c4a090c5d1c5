"""`open_bundle`: what `Job.export` has written, and how it is trained again."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from aitk_nb._display import html
from aitk_nb._display.progress import ProgressOption
from aitk_nb._units import plural, some
from aitk_nb._yaml import parsed
from aitk_nb.datasets.api import Datasets
from aitk_nb.errors import BadInput, InvalidParams
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.bundle_file import ABOUT, CONFIG, LOSSES, VERSION, names_of, refuse_variables
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.names import local_names, safe_file_name
from aitk_nb.training.params import TrainingParams

_TEXT = 2**26
"""Bytes of `bundle.json` and `losses.csv` at most; a job of a million steps has fewer."""


class Client(Protocol):
    """What a bundle needs of a client."""

    @property
    def datasets(self) -> Datasets:
        """Its datasets."""

    @property
    def jobs(self) -> Jobs:
        """Its jobs."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A job that was exported, to be looked at and trained again on any server.

    Example:
        >>> bundle = aitk_nb.open_bundle(job.export("cat.zip", images=True))
        >>> bundle.params.steps
        20
    """

    path: Path
    """The zip."""
    params: TrainingParams
    """The parameters that train the same from nothing."""
    job: Mapping[str, Any]
    """Name, status and step of the job."""
    datasets: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """Of each dataset the size and SHA-256 of its `files`, and its `captions`."""
    losses: LossHistory | None = field(repr=False)
    """The job's losses, if the server showed them."""
    lora: Mapping[str, Any] | None
    """Name, size in bytes and SHA-256 of the job's LoRA, if it had one."""
    notes: str = field(repr=False)
    """What people wrote on the job."""
    made_by: Mapping[str, str]
    """The versions of the programs that made the bundle."""
    has_images: bool
    """Whether the files of the datasets are in it."""

    def start(
        self,
        client: Client,
        folder: str | Path | Mapping[str, str | Path] | None = None,
        *,
        progress: ProgressOption = "auto",
        **changes: object,
    ) -> Job:
        """Upload the datasets to a server, and train the job there.

        Args:
            client: The server's client.
            folder: The folder of the first dataset's images, or one for each dataset by its name;
                for a bundle without images. They have to be the same files; the captions are those
                of the bundle.
            progress: As for `client.datasets.upload`.
            **changes: Fields of the parameters that differ, such as another `name`.

        Returns:
            The job. The same call attaches to it.

        Raises:
            BadInput: An image is missing or is another one; or the job began with a LoRA, which is
                in no bundle, and `init_lora` is not given. Nothing was sent.
            InvalidParams: A change is invalid.
            InvalidDataset: The server has other files in a dataset of that name.
            JobConflict: It has another job of that name.

        Example:
            >>> bundle = aitk_nb.open_bundle(job.export("cat.zip", images=True))
            >>> bundle.start(client).start_result
            'attached'
        """
        params = TrainingParams.model_validate({**self.params.model_dump(), **changes})
        if params.init_lora == self.params.init_lora != "" and "init_lora" not in changes:
            said = f"The job began with the LoRA {params.init_lora}, which is not in the bundle"
            raise BadInput(f"{said}: pass that file, or a job of the server, as init_lora=….")
        folders = folder if isinstance(folder, Mapping) else {params.dataset: folder}
        here = {name: Path(path).expanduser() for name, path in folders.items() if path}
        with tempfile.TemporaryDirectory(prefix="aitk-bundle-") as made:
            roots = {name: Path(made, str(at)) for at, name in enumerate(self.datasets)}
            with _opened(self.path) as file:
                for name, root in roots.items():
                    self._lay_out(name, here.get(name), root, file)
            for name, root in roots.items():
                client.datasets.upload(root, name, progress=progress)
        return client.jobs.start(params)

    def _lay_out(self, name: str, folder: Path | None, target: Path, file: zipfile.ZipFile) -> None:
        """Make a dataset as it was, every file of it proven."""
        about, wrong = self.datasets[name], []
        if folder is None and not self.has_images:
            say = f"pass the folder of {name!r} as folder={{{name!r}: …}}"
            raise BadInput(f"The bundle holds no images: {say}, or export it with images=True.")
        for image, expected in about["files"].items():
            to = target / image
            to.parent.mkdir(parents=True, exist_ok=True)
            if folder:
                _linked(folder / image, to)
            else:
                entry = f"datasets/{safe_file_name(name)}/{image}"
                _extracted(file, entry, to, expected["size"])
            if not to.is_file() or _what(to) != expected:
                wrong.append(image)
        if wrong:
            many = f"{plural(len(wrong), 'file')} of {name!r}"
            raise BadInput(
                f"{many} are missing or others in {folder or self.path}: {some(sorted(wrong))}."
            )
        for image, text in about["captions"].items():
            (target / image).with_suffix(".txt").write_bytes(text.encode("utf-8", "replace"))

    def _repr_html_(self) -> html.Html:
        files = [
            f"{name}: {plural(len(one['files']), 'file')}" for name, one in self.datasets.items()
        ]
        rows = [
            ("job", f"{self.job['name']}, {self.job['status']} at step {self.job['step']}"),
            ("datasets", f"{', '.join(files)}{'' if self.has_images else ' (not in the bundle)'}"),
            ("LoRA", self.lora["sha256"] if self.lora else "none"),
            ("notes", self.notes),
            ("made by", ", ".join(f"{name} {number}" for name, number in self.made_by.items())),
        ]
        return html.definition(rows, caption=f"Bundle {self.path.name}")


def open_bundle(path: str | Path) -> Bundle:
    """Open a bundle that `Job.export` has written.

    Args:
        path: The zip.

    Returns:
        What is in it. Files of the datasets are read by `start` only.

    Raises:
        BadInput: It is not such a file, or its config has `${NAME}` in it.

    Example:
        >>> aitk_nb.open_bundle(job.export("cat.zip")).params.name
        'cat'
    """
    source = Path(path).expanduser()
    with _opened(source) as file:
        try:
            about = json.loads(_text(file, ABOUT))
            if about["version"] != VERSION:
                raise BadInput(f"{source.name} was made by a newer aitk-nb: update it (pip).")
            config = parsed(_text(file, CONFIG))
            refuse_variables(config)
            params = TrainingParams.from_config(config)
            losses = None
            if LOSSES in file.namelist():
                losses = _losses(_text(file, LOSSES), str(about["job"]["name"]))
            datasets = {str(name): _checked(one) for name, one in about["datasets"].items()}
            if missing := [name for name in names_of(params) if name not in datasets]:
                raise BadInput(f"{source.name} does not tell what is in {missing[0]!r}.")
            lora = about["lora"] and {key: about["lora"][key] for key in ("name", "size", "sha256")}
            job = {key: about["job"][key] for key in ("name", "status", "step")}
            made_by = {str(name): str(number) for name, number in about["made_by"].items()}
            has_images = any(name.startswith("datasets/") for name in file.namelist())
            notes = str(about["notes"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
            if isinstance(exc, InvalidParams):
                raise
            raise BadInput(f"{source.name} is not a bundle of aitk-nb: {exc!r}.") from None
    return Bundle(source, params, job, datasets, losses, lora, notes, made_by, has_images)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Yield a zip of which each name is there once; what is wrong with it is one sentence."""
    try:
        with zipfile.ZipFile(path) as file:
            if len(names := file.namelist()) != len({*names}):
                raise BadInput(f"{path.name} holds a name twice, so that it is not a bundle.")
            yield file
    except OSError as exc:
        raise BadInput(f"Can't read {path}: {exc.strerror or exc}.") from exc
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
    ) as exc:
        raise BadInput(f"{path.name} is not a bundle, or is damaged: {exc}.") from exc


def _text(file: zipfile.ZipFile, name: str) -> str:
    if (size := file.getinfo(name).file_size) > _TEXT:
        raise BadInput(f"{name} of a bundle has {size} bytes, more than any job needs.")
    return file.read(name).decode()


def _losses(text: str, name: str) -> LossHistory:
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, LOSSES)
        table.write_text(text, encoding="utf-8")
        return LossHistory.read(table, name)


def _checked(about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a bundle tells of a dataset; its names stay in the folder."""
    files = {
        str(name): {"size": int(one["size"]), "sha256": str(one["sha256"])}
        for name, one in about["files"].items()
    }
    captions = {str(name): str(text) for name, text in about["captions"].items()}
    if led := [name for name, safe in local_names(files).items() if name != str(safe)]:
        raise ValueError(f"a file called {led[0]!r}")
    if not captions.keys() <= files.keys():
        raise ValueError("a caption without its image")
    return {"files": files, "captions": captions}


def _extracted(file: zipfile.ZipFile, name: str, to: Path, size: int) -> None:
    # A zip may grow beyond all bounds when it is unpacked.
    if name in file.namelist() and file.getinfo(name).file_size == size:
        with file.open(name) as packed, to.open("wb") as target:
            shutil.copyfileobj(packed, target)


def _linked(source: Path, to: Path) -> None:
    """Have a file in another folder, without copying it where that is possible."""
    if source.is_file():
        try:
            to.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, to)


def _what(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}
