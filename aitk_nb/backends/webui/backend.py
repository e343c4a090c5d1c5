"""AI Toolkit's own web UI, spoken to by its REST API (port 8675).

Why it is so: docs/behavior.md#authentication
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.webui import names, parsing
from aitk_nb.backends.webui.catalog import UPDATE
from aitk_nb.backends.webui.dataset_tools import WebUIDatasetTools
from aitk_nb.backends.webui.dry_run import DryRunHttp
from aitk_nb.backends.webui.inference import WebUIInference
from aitk_nb.backends.webui.jobs import WebUIJobs
from aitk_nb.backends.webui.loras import WebUILoras
from aitk_nb.backends.webui.model_archs import model_archs
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Secret
from aitk_nb.errors import NotSupported, UnexpectedReply
from aitk_nb.models import Ability, DatasetInfo, Flavour, Gpu, JobState, PlannedRequest


class WebUI(WebUIJobs):
    """One AI Toolkit web UI."""

    def __repr__(self) -> str:
        return f"<WebUI {self.url}>"

    @property
    def url(self) -> str:
        """The server's address, without secrets."""
        return self._http.url

    @property
    def flavour(self) -> Flavour:
        """Always `Flavour.WEBUI`."""
        return Flavour.WEBUI

    @property
    def abilities(self) -> frozenset[Ability]:
        """What its endpoints allow; captions of local images never are."""
        return self._endpoints.abilities

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    # -- datasets ----------------------------------------------------------------------------

    def list_datasets(self) -> tuple[str, ...]:
        """Return the names of the datasets, sorted."""
        return self._datasets.list()

    def get_dataset(self, name: str) -> DatasetInfo:
        """Return a dataset with its captions."""
        return self._datasets.get(name)

    def server_names(self, dataset: str, files: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Return the names that the server gives to a dataset and to its files."""
        renamed = tuple(names.file_name(file) for file in files)
        return names.dataset_name(dataset), renamed

    def missing(
        self, dataset: str, files: Sequence[Upload]
    ) -> tuple[tuple[Upload, ...], tuple[Upload, ...]]:
        """Return those of `files` that the server lacks, and those it has with other content."""
        return self._datasets.missing(dataset, files)

    def upload(
        self, dataset: str, files: Sequence[Upload], progress: Progress
    ) -> Mapping[str, str]:
        """Make the dataset if need be, send `files`, and return their SHA-256 by name."""
        return self._datasets.upload(dataset, files, progress)

    def caption_images(
        self, images: Sequence[Path], trigger: str, progress: Progress
    ) -> tuple[str, ...]:
        """Raise `NotSupported`."""
        raise NotSupported(
            Ability.CAPTION_IMAGES.value,
            "web UI",
            "client.datasets.generate_captions(…) starts a captioning job on an uploaded dataset.",
        )

    @property
    def dataset_tools(self) -> WebUIDatasetTools:
        """What can be done to datasets that are there."""
        return WebUIDatasetTools(self._http, self._datasets, self)

    @property
    def settings_store(self) -> WebUISettings:
        """The server's own settings."""
        return WebUISettings(self._http)

    @property
    def loras(self) -> WebUILoras:
        """Its LoRA files; `NotSupported` where it does not list them."""
        if Ability.LORAS not in self.abilities:
            raise NotSupported(
                Ability.LORAS.value,
                "dated web UI",
                "Update AI Toolkit on it (0.13), or copy the file to it yourself. "
                "job.files() lists the LoRAs of a job.",
            )
        return WebUILoras(self._http)

    @property
    def inference(self) -> WebUIInference:
        """Its inference engines."""
        return WebUIInference(self._http, self)

    # -- the machine -------------------------------------------------------------------------

    def download(self, path: str, target: Path, progress: Progress) -> int:
        """Fetch a file of the server to `target`, whole or not at all; return its bytes."""
        return self._datasets.files.download(path, target, progress)

    def open_range(self, path: str) -> AbstractContextManager[Callable[[int, int], bytes]]:
        """Return a reader `read(start, length)` of a file of the server."""
        return self._datasets.files.open_range(path)

    def thumbnail(self, path: str) -> bytes:
        """Return a small JPEG of an image; the whole image where the server makes none."""
        return self._datasets.files.thumbnail(path)

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the server's GPUs; empty when it has none."""
        return parsing.gpus(self._http.get_json("/api/gpu", what="list its GPUs"))

    def meta(self) -> Mapping[str, str]:
        """Return whether it has a Hugging Face token; no endpoint tells its version."""
        return {"hugging_face_token": "set" if self._datasets.has_model_token() else "missing"}

    # -- what 0.13 brought -------------------------------------------------------------------

    def kill_job(self, state: JobState) -> bool:
        """Kill the process of a job; False if there was none.

        The server signals whatever has the row's process id, whoever that is by now.
        """
        path = self._newer(state, "kill", "kill a job")
        answer = self._http.act(path, what=f"kill the job {state.name}")
        return isinstance(answer, dict) and answer.get("killed") is True

    def read_notes(self, state: JobState) -> str:
        """Return the notes of a job; empty if there are none."""
        body = self._read(state, "notes", {})
        return str(body.get("content") or "") if isinstance(body, dict) else ""

    def write_notes(self, state: JobState, text: str) -> None:
        """Replace the notes of a job."""
        path = self._newer(state, "notes", "keep notes of a job")
        self._http.post_json(path, {"content": text}, what=f"save the notes of {state.name}")

    def _newer(self, state: JobState, leaf: str, what: str) -> str:
        """Return the path of an endpoint that older servers lack."""
        path = f"{self._path(state)}/{leaf}"
        if not self._endpoints.has(path):
            raise NotSupported(what, "dated web UI", UPDATE)
        return path

    @cached_property
    def model_archs(self) -> Mapping[str, Mapping[str, Any]]:
        """The architectures that it lists; empty if it does not."""
        return model_archs(self._http)

    def dry_run(self) -> tuple[WebUI, Sequence[PlannedRequest]]:
        """Return a read-only backend of this server, and the list of requests it holds back."""
        http = DryRunHttp(self._http)
        return WebUI(http), http.requests


# -- its own settings -----------------------------------------------------------------------------


TOKEN = "HF_TOKEN"  # noqa: S105  (the name of a setting)
NAMES = (TOKEN, "TRAINING_FOLDER", "DATASETS_FOLDER", "MODELS_PATH")


class WebUISettings:
    """Reads and writes `/api/settings`, which holds the Hugging Face token in clear."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def read(self) -> dict[str, str | Secret]:
        """Return the four settings, the token as a `Secret`; empty text stands for a default."""
        what = "return its settings"
        body = self._http.get_json("/api/settings", what=what)
        if not isinstance(body, dict):
            raise UnexpectedReply(what, "no settings")
        token = Secret(str(body.pop(TOKEN, None) or ""))
        return {TOKEN: token} | {name: str(body.get(name) or "") for name in NAMES if name != TOKEN}

    def write(self, values: Mapping[str, str | Secret]) -> None:
        """Write all four settings: of fewer the server writes those and calls it an error."""
        what = "change its settings"
        body = {name: values[name] for name in NAMES}
        answer = self._http.post_secrets("/api/settings", body, what=what)
        if not isinstance(answer, dict) or not answer.get("success"):
            raise UnexpectedReply(what, "it doesn't confirm the change")
