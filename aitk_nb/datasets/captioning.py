"""`CaptionJob`: captions that a model on the server writes."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aitk_nb._units import plural
from aitk_nb._yaml import facts
from aitk_nb.backends.base import Backend
from aitk_nb.errors import AitkError, BadInput
from aitk_nb.jobs.failure_reasons import explain
from aitk_nb.jobs.job import EVERY, Job
from aitk_nb.models import DatasetInfo, JobDraft, JobState, JobStatus

Captioner: TypeAlias = (
    Literal["Qwen3VLCaptioner", "Qwen3OmniCaptioner", "Ideogram4Captioner", "AceStepCaptioner"]
    | Literal["MossMusicCaptioner", "Qwen25OmniCaptioner"]
    | str
)
"""The server's captioners: of images; of images, videos and sound; for Ideogram 4; of music; and
since AI Toolkit 0.13 of music, and of images, videos and sound. A newer server may have others."""

_PROMPT = (
    "Describe this image in one paragraph, as a prompt from which it could be painted. State "
    "things as they are, without doubt and without an introduction."
)
_NAMES = uuid.UUID("5b0c1a52-6f0e-4a3e-9d53-3d0a54c2f1aa")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionOptions:
    """How a model on the server captions a dataset.

    Example:
        >>> aitk_nb.CaptionOptions(recaption=True).captioner
        'Qwen3VLCaptioner'
    """

    captioner: Captioner = "Qwen3VLCaptioner"
    """Which of the server's captioners; one that is unknown here requires `model`."""
    model: str = ""
    """Model to load; empty for the captioner's default. The server downloads it if necessary."""
    prompt: str = _PROMPT
    """Prompt for each file."""
    recaption: bool = False
    """Also caption files that have a caption; it is overwritten."""
    max_res: int = 512
    """Images are scaled to the area of a square with this edge, in pixels."""
    max_new_tokens: int = 0
    """Maximum length of a caption; 0 for the captioner's default."""
    low_vram: bool = False
    """Save GPU memory."""
    gpu_ids: str = "0"
    """ID of the GPU on the server to run on."""

    def __post_init__(self) -> None:
        """Refuse options that no server knows.

        Raises:
            BadInput: Unknown captioner without a model, or a number is too small.
        """
        if not self.model and _captioner(self.captioner) == _captioner("other"):
            names = ", ".join(one for one in _captioners() if one != "other")
            raise BadInput(
                f"Unknown captioner {self.captioner!r}; choose from {names}. If the server has it, "
                "set model too."
            )
        if self.max_res < 1 or self.max_new_tokens < 0:
            raise BadInput("max_res must be at least 1, and max_new_tokens at least 0.")


def _captioners() -> Mapping[str, Mapping[str, Any]]:
    known: Mapping[str, Mapping[str, Any]] = facts("aitk_nb.datasets", "captioners")
    return known


def _captioner(name: str) -> Mapping[str, Any]:
    """Return what is known of one of the server's captioners."""
    return _captioners().get(name, _captioners()["other"])


def _draft(dataset: str, options: CaptionOptions) -> JobDraft:
    """Return the job that captions `dataset`; the same options always give the same name."""
    known = _captioner(options.captioner)
    caption: dict[str, Any] = {
        "dtype": "bf16",
        "quantize": True,
        "qtype": "float8",
        "low_vram": options.low_vram,
        "extensions": list(known["reads"]),
        "path_to_caption": "",
        "recaption": options.recaption,
        "caption_extension": "txt",
        "caption_prompt": options.prompt,
        "max_res": options.max_res,
        "max_new_tokens": options.max_new_tokens or known["tokens"],
        **known["sets"],
    }
    if options.model:
        caption["model_name_or_path"] = options.model
    if options.captioner == "MossMusicCaptioner" and options.prompt == _PROMPT:
        del caption["caption_prompt"]  # ours is about images; it has its own
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
    """A job in which a model on the server writes captions, from `generate_captions`."""

    def __init__(self, backend: Backend, dataset: str, job: Job, not_started: str = "") -> None:
        """Read the captions of a dataset when the job has completed.

        Args:
            backend: What sends the requests.
            dataset: Name of the dataset.
            job: The captioning job.
            not_started: Why no job was started, if none was.
        """
        self._backend = backend
        self.dataset = dataset
        """Name of the dataset."""
        self.job = job
        """The job on the server, with `stop()` and `log()`."""
        self.not_started = not_started
        """Why there was nothing to start; empty if a job runs, or did."""

    @property
    def state(self) -> JobState:
        """Its last known state; a step is a file."""
        return self.job.state

    def __repr__(self) -> str:
        state = self.state
        if self.not_started:
            return f"<captioning of {self.dataset!r} not started: {self.not_started}>"
        return f"<captioning of {self.dataset!r} {state.status.value}, {state.step_text} files>"

    def watch(self, every: float = EVERY, timeout: float | None = None) -> Iterator[JobState]:
        """Yield each new state until the job has ended, as `Job.watch` does.

        Args:
            every: Seconds between requests.
            timeout: Seconds to watch at most; None watches to the end.

        Raises:
            AitkError: The job did not end in time.
        """
        return iter(()) if self.not_started else self.job.watch(every, timeout)

    def wait(self, timeout: float | None = None, *, every: float = EVERY) -> Mapping[str, str]:
        """Wait until the job has completed.

        Args:
            timeout: Seconds to wait at most; None waits to the end.
            every: Seconds between requests.

        Returns:
            The captions of the dataset by image.

        Raises:
            AitkError: The job failed, was stopped, or did not end in time.
        """
        for _state in self.watch(every, timeout):
            pass
        if self.state.status is not JobStatus.COMPLETED:
            raise AitkError(self.why())
        return self._backend.get_dataset(self.dataset).captions

    def why(self) -> str:
        """Return why it did not caption all files; empty if it did."""
        state = self.state
        if state.status is JobStatus.COMPLETED:
            return ""
        what = f"Captioning {self.dataset!r}"
        if state.status is not JobStatus.ERROR:
            after = f"is {state.status.value} after {plural(state.step, 'file')}"
            return f"{what} {after}. Call generate_captions() again to continue."
        log = ""
        with suppress(AitkError):
            log = self.job.log()
        reason = explain(state.info, log)
        if reason is None:
            return f"{what} failed: {state.info.rstrip('. ') or 'see its log'}."
        return f"{what} failed: {reason.text}. {reason.remedy}"


def start_captioning(backend: Backend, there: DatasetInfo, options: CaptionOptions) -> CaptionJob:
    """Start the job that captions a dataset, once, and return it.

    A job that is running is returned. Where no file lacks a caption, none is created or started;
    with `recaption`, one that has completed is not started again.

    Raises:
        NotSupported: The server has no captioners.
    """
    draft = _draft(there.name, options)
    tools = backend.dataset_tools
    found = next((state for state in tools.list_captionings() if state.name == draft.name), None)
    done = _done(there, options, found)
    if done and not (found and found.status.is_active):
        state = found or JobState(draft.name, JobStatus.COMPLETED, info=done)
        return CaptionJob(backend, there.name, Job(backend, state), done)
    state = found or tools.create_captioning(there.name, draft)
    if state.status is JobStatus.QUEUED or not state.status.is_active:
        backend.start_job(state)
        state = backend.get_job(draft.name)
    return CaptionJob(backend, there.name, Job(backend, state))


def _done(there: DatasetInfo, options: CaptionOptions, found: JobState | None) -> str:
    """Return why a captioner would have nothing to do; empty if it has."""
    if options.recaption:
        completed = found is not None and found.status is JobStatus.COMPLETED
        return "the same captioning has completed before" if completed else ""
    extensions = _captioner(options.captioner)["reads"]
    lacking = [image for image in there.images if image not in there.captions]
    if any(image.lower().endswith(tuple(f".{end}" for end in extensions)) for image in lacking):
        return ""
    if not lacking:
        return f"none of {plural(len(there.images), 'file')} lacks a caption"
    return (
        f"{plural(len(lacking), 'file')} without a caption, and {options.captioner} reads none of "
        f"that kind (only {', '.join(extensions)})"
    )
