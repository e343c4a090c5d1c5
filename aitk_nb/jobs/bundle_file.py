"""`BundleFile`: writes what is needed to train a job again elsewhere, as one zip.

`bundle.json` tells what the job was and the SHA-256 of each file of its datasets; beside it lie
`job.yaml`, `losses.csv`, `samples/` and, on demand, `datasets/NAME/`.
"""

import json
import platform
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aitk_nb._display.progress import Progress, ProgressOption, reporting
from aitk_nb._files import replacing, sha256
from aitk_nb._local_copies import LocalCopies
from aitk_nb._yaml import dumped
from aitk_nb.backends.base import Backend, no_progress
from aitk_nb.backends.optional import SupportsNotes
from aitk_nb.errors import BadInput, NotFound, NotSupported
from aitk_nb.jobs.checkpoints import chosen
from aitk_nb.jobs.downloads import digest_if_same, server_digest
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, RemoteFile
from aitk_nb.models.names import local_names, safe_file_name
from aitk_nb.training.config_files import file_config, portable
from aitk_nb.training.config_paths import folder_name
from aitk_nb.training.effective import effective_of
from aitk_nb.training.extra import process_of
from aitk_nb.training.job_config import draft
from aitk_nb.training.params import TrainingParams

ABOUT, CONFIG, LOSSES = "bundle.json", "job.yaml", "losses.csv"
VERSION = 1
"""Of the layout of a bundle."""


def refuse_variables(config: object) -> None:
    """Raise `BadInput` for `${NAME}` in a config, which the server would fill in and log."""
    if "${" in json.dumps(config, ensure_ascii=False, default=str):
        text = "The job's config has ${…} in it, for which a server puts a value of its own"
        raise BadInput(f"{text} environment, such as a token, and logs it. Write the value itself.")


@dataclass(frozen=True)
class BundleFile:
    """Writes one job's bundle."""

    backend: Backend
    state: JobState
    losses: Callable[[], LossHistory]

    def write(
        self, path: str | Path, progress: ProgressOption, *, images: bool, samples: bool
    ) -> Path:
        """Write the bundle, whole or not at all, and return its path; see `Job.export`."""
        target = Path(path).expanduser()
        if target.suffix.lower() != ".zip":
            raise BadInput(f"A bundle is a .zip; got {target.name!r}.")
        params = self._params()
        datasets = {name: self._dataset(name) for name in names_of(params)}
        with (
            reporting(progress, "exporting") as report,
            replacing(target) as draft_file,
            zipfile.ZipFile(draft_file, "w", zipfile.ZIP_DEFLATED) as bundle,
        ):
            aside = draft_file.with_name("file")
            for name, one in datasets.items():
                one["files"] = self._files(name, one, bundle if images else None, aside, report)
            self._add_losses(bundle, aside)
            if samples:
                self._add_samples(bundle, aside)
            bundle.writestr(CONFIG, dumped(file_config(params)))
            about = self._about(params, datasets)
            bundle.writestr(ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        return target

    def _params(self) -> TrainingParams:
        """Return the parameters that train the same from nothing."""
        config = portable(self.state.config)
        refuse_variables(config)
        for entry, ending in [
            (one, self._endings[one["folder_path"]]) for one in process_of(config)["datasets"]
        ]:
            if ending == ".json":
                why = "the trainer takes more than captions from its .json files (caption_ext)"
                raise BadInput(f"{entry['folder_path']} can't be exported: {why}.")
            if ending != ".txt":  # which its captions get elsewhere
                entry.pop("caption_type", None)
                entry["caption_ext"] = "txt"
        return TrainingParams.from_config(config, more_steps=0)

    @property
    def _endings(self) -> dict[str, str]:
        """The ending of the captions that the trainer reads, by dataset."""
        entries = effective_of(self.state.config).get("datasets", ())
        return {folder_name(one["folder_path"]): str(one["caption_ext"]) for one in entries}

    def _dataset(self, name: str) -> dict[str, Any]:
        """Return the captions of a dataset, and the sizes of its files."""
        info, tools = self.backend.get_dataset(name), self.backend.dataset_tools
        captions, ending = info.captions, self._endings.get(name, ".txt")
        if ending != ".txt":
            captions = tools.captions(name, list(info.images), ending)
        sizes = tools.sizes(name, list(info.images))
        lost = [image for image, size in sizes.items() if size is None]
        if lost:
            raise NotFound("file", f"{name}/{lost[0]}", [])
        return {"captions": dict(captions), "sizes": sizes}

    def _files(
        self,
        name: str,
        about: dict[str, Any],
        bundle: zipfile.ZipFile | None,
        aside: Path,
        report: Progress,
    ) -> dict[str, dict[str, object]]:
        """Return what the files of a dataset are, which are put into the bundle if there is one."""
        tools, sizes = self.backend.dataset_tools, about.pop("sizes")
        locals_ = local_names(sizes)
        if bundle is None:
            digests = tools.digests(name, sizes, report)
        else:
            digests, done, total = {}, 0, sum(sizes.values())
            for image, size in sizes.items():
                tools.fetch(name, image, aside, no_progress)
                digests[image] = sha256(aside)
                entry = f"datasets/{safe_file_name(name)}/{locals_[image]}"
                bundle.write(aside, entry, zipfile.ZIP_STORED)
                report(done := done + size, total)
        about["captions"] = {
            str(locals_[image]): text for image, text in about["captions"].items() if image in sizes
        }
        return {
            str(locals_[image]): {"size": sizes[image], "sha256": digests[image]} for image in sizes
        }

    def _add_losses(self, bundle: zipfile.ZipFile, aside: Path) -> None:
        with suppress(NotSupported):
            bundle.write(self.losses().to_csv(aside.with_suffix(".csv")), LOSSES)

    def _add_samples(self, bundle: zipfile.ZipFile, aside: Path) -> None:
        with suppress(NotSupported):
            for one in self.backend.list_samples(self.state):
                self.backend.download(one.path, aside, no_progress)
                bundle.write(aside, f"samples/{safe_file_name(one.name)}", zipfile.ZIP_STORED)

    def _about(self, params: TrainingParams, datasets: dict[str, Any]) -> dict[str, Any]:
        notes = ""
        if isinstance(self.backend, SupportsNotes):
            with suppress(NotSupported):
                notes = self.backend.read_notes(self.state)
        return {
            "version": VERSION,
            "made_by": {"aitk-nb": version("aitk-nb"), "Python": platform.python_version()},
            "job": {
                "name": self.state.name,
                "status": self.state.status.value,
                "step": self.state.step,
            },
            "parameters": params.model_dump(mode="json"),
            "datasets": datasets,
            "lora": self._lora(),
            "notes": notes,
        }

    def _lora(self) -> dict[str, object] | None:
        """Return what the newest LoRA is; None while there is none."""
        try:
            (remote,) = chosen("final", self.state, self.backend.list_files(self.state), None)
        except (NotFound, NotSupported):
            return None
        return {"name": remote.name, "size": remote.size, "sha256": self._digest(remote)}

    def _digest(self, remote: RemoteFile) -> str:
        """Return the SHA-256 of a file, of which no byte is read if it was downloaded before."""
        copies = LocalCopies()
        for path in copies.of_size(remote.size):
            if digest := digest_if_same(self.backend, remote, path, copies.recorded):
                return digest
        return server_digest(self.backend, remote.path)


def names_of(params: TrainingParams) -> list[str]:
    """Return the names of the datasets that a training reads."""
    return list(dict.fromkeys(filter(None, [*draft(params).datasets, params.validation])))
