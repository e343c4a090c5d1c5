"""Captions written by a model on the server: started, watched and read back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from aitk_nb.errors import AitkError, BadInput
from aitk_nb.jobs.failure_reasons import explain
from aitk_nb.jobs.job import EVERY, Job
from aitk_nb.models.job import JobDraft, JobState, JobStatus

if TYPE_CHECKING:
    from aitk_nb.backends.base import Backend
    from aitk_nb.models.dataset import DatasetInfo

__all__ = ["CaptionJob", "CaptionOptions", "Captioner", "start_captioning"]

Captioner: TypeAlias = Literal[
    "Qwen3VLCaptioner", "Qwen3OmniCaptioner", "Ideogram4Captioner", "AceStepCaptioner"
]
"""The server's captioners: of images; of images, videos and sound; for Ideogram 4; of music."""

_IMAGES = ("jpg", "jpeg", "png", "bmp", "webp")
_VIDEOS = ("mp4", "mov", "webm", "mkv", "avi")
_SOUNDS = ("mp3", "wav", "flac", "ogg")
_PROMPT = (
    "Describe this image in one paragraph, as a prompt from which it could be painted. State "
    "things as they are, without doubt and without an introduction."
)
_DEFAULTS: Mapping[str, tuple[str, tuple[str, ...], int]] = {
    "Qwen3VLCaptioner": ("Qwen/Qwen3-VL-8B-Instruct", _IMAGES, 128),
    "Qwen3OmniCaptioner": (
        "ai-toolkit/Qwen3-Omni-30B-A3B-Thinking",
        (*_VIDEOS, *_IMAGES),
        512,
    ),
    "Ideogram4Captioner": ("Qwen/Qwen3-VL-8B-Instruct", _IMAGES, 4096),
    "AceStepCaptioner": ("ACE-Step/acestep-transcriber", _SOUNDS, 512),
}
_SECOND = {"AceStepCaptioner": "ACE-Step/acestep-captioner"}
_NAMES = uuid.UUID("5b0c1a52-6f0e-4a3e-9d53-3d0a54c2f1aa")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionOptions:
    """How a model on the server is to caption a dataset."""

    captioner: Captioner = "Qwen3VLCaptioner"
    """Which of the server's captioners."""
    model: str = ""
    """Model that it loads; empty for the captioner's own. The server downloads it if need be."""
    prompt: str = _PROMPT
    """What the model is asked for each file."""
    recaption: bool = False
    """Also caption files that have a caption, which is lost."""
    max_res: int = 512
    """Edge, in pixels, of the square that a picture is made to fit in area."""
    max_new_tokens: int = 0
    """Length of a caption, at most; 0 for the captioner's own."""
    low_vram: bool = False
    """Spare the GPU's memory."""
    gpu_ids: str = "0"
    """GPU to run on."""

    def __post_init__(self) -> None:
        """Refuse what no server knows.

        Raises:
            BadInput: there is no such captioner, or a number is too small.
        """
        if self.captioner not in _DEFAULTS:
            names = ", ".join(_DEFAULTS)
            raise BadInput(f"There is no captioner {self.captioner!r}; there are {names}.")
        if self.max_res < 1 or self.max_new_tokens < 0:
            raise BadInput("max_res must be at least 1, and max_new_tokens at least 0.")


def draft(dataset: str, options: CaptionOptions) -> JobDraft:
    """Return the job that captions `dataset`; the same order always has the same name."""
    model, extensions, tokens = _DEFAULTS[options.captioner]
    caption: dict[str, Any] = {
        "model_name_or_path": options.model or model,
        "dtype": "bf16",
        "quantize": True,
        "qtype": "float8",
        "low_vram": options.low_vram,
        "extensions": list(extensions),
        "path_to_caption": "",
        "recaption": options.recaption,
        "caption_extension": "txt",
        "caption_prompt": options.prompt,
        "max_res": options.max_res,
        "max_new_tokens": options.max_new_tokens or tokens,
    }
    if options.captioner in _SECOND:
        caption["model_name_or_path2"] = _SECOND[options.captioner]
    process = {
        "type": options.captioner,
        "sqlite_db_path": "./aitk_db.db",
        "device": "cuda",
        "caption": caption,
    }
    # As the web UI names such jobs, but the same each time: a cell that runs twice starts one.
    name = str(uuid.uuid5(_NAMES, json.dumps([dataset, process], sort_keys=True)))
    config = {"job": "extension", "config": {"name": name, "process": [process]}}
    return JobDraft(name, options.gpu_ids, config)


class CaptionJob:
    """A model on the server that writes captions."""

    def __init__(self, backend: Backend, dataset: str, job: Job) -> None:
        self._backend = backend
        self.dataset = dataset
        """The dataset that it captions."""
        self.job = job
        """The job on the server; `stop()` ends it, and `log()` tells what it does."""

    @property
    def state(self) -> JobState:
        """How it stood when it was last asked; a step is a file."""
        return self.job.state

    def __repr__(self) -> str:
        state = self.state
        of = f" of {state.total_steps}" if state.total_steps else ""
        return f"<captioning of {self.dataset!r} {state.status.value}, {state.step}{of} files>"

    def watch(self, every: float = EVERY, timeout: float | None = None) -> Iterator[JobState]:
        """Yield each new state until it has ended, as `Job.watch` does."""
        return self.job.watch(every, timeout)

    def wait(self, every: float = EVERY, timeout: float | None = None) -> Mapping[str, str]:
        """Return the captions of the dataset by image, once the job is done.

        Raises:
            AitkError: it failed, was stopped, or took longer than `timeout` seconds.
        """
        for _state in self.watch(every, timeout):
            pass
        if self.state.status is not JobStatus.COMPLETED:
            raise AitkError(self.why())
        return self._backend.get_dataset(self.dataset).captions

    def why(self) -> str:
        """Return in a sentence why it did not caption all files; empty when it did."""
        state = self.state
        if state.status is JobStatus.COMPLETED:
            return ""
        what = f"The captioning of {self.dataset!r} is {state.status.value}"
        if state.status is not JobStatus.ERROR:
            return f"{what} after {state.step} files. Call caption() again to go on."
        reason = explain(state.info, self._log())
        if reason is None:
            return f"The captioning of {self.dataset!r} failed: {state.info or 'see its log'}."
        return f"The captioning of {self.dataset!r} failed: {reason.text}. {reason.remedy}"

    def _log(self) -> str:
        try:
            return self.job.log()
        except AitkError:
            return ""


def start_captioning(backend: Backend, there: DatasetInfo, options: CaptionOptions) -> CaptionJob:
    """Caption a dataset on the server, once, and return the job that does it.

    One that runs already is joined. One that has ended is started again as long as images lack a
    caption; with `recaption` only if it did not complete.

    Raises:
        NotSupported: the server has no captioners.
    """
    order = draft(there.name, options)
    found = [s for s in backend.dataset_tools.list_captionings() if s.name == order.name]
    state = found[0] if found else backend.dataset_tools.create_captioning(there.name, order)
    complete = options.recaption or not set(there.images) - set(there.captions)
    if state.status is JobStatus.QUEUED or not (
        state.status.is_active or (state.status is JobStatus.COMPLETED and complete)
    ):
        backend.start_job(state)
        state = backend.get_job(order.name)
    return CaptionJob(backend, there.name, Job(backend, state))
