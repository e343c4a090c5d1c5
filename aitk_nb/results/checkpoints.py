"""`Checkpoint`: a LoRA that is to be tried, and what is known of its base model."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from aitk_nb._files import sha256
from aitk_nb.backends.base import Backend
from aitk_nb.errors import BadInput, NotFound
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.samples import prompts_of
from aitk_nb.lora.api import inspect_lora
from aitk_nb.loras.api import Loras
from aitk_nb.models.job import RemoteFile
from aitk_nb.models.lora import ServerLora
from aitk_nb.training import presets
from aitk_nb.training.config_paths import put
from aitk_nb.training.effective import arch_of
from aitk_nb.training.extra import process_of

Tryable: TypeAlias = Job | ServerLora | RemoteFile | str | Path
"""A job with all its checkpoints, one LoRA of the server, or a local file."""

_STEP = re.compile(r"_(\d+)\.safetensors$", re.ASCII)
_SAMPLE = {
    "width": "width",
    "height": "height",
    "guidance_scale": "guidance_scale",
    "sample_steps": "num_inference_steps",
    "neg": "negative_prompt",
    "num_frames": "num_frames",
    "fps": "fps",
}
"""Keys of a job config's samples, and the engine's words for them."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A LoRA that is to be tried."""

    label: str
    lora: ServerLora | None = None
    """Where it lies on the server; None for a local file that is not there yet."""
    file: Path | None = None
    """Where it lies on this machine."""
    arch: str = ""
    """Its architecture; empty if nothing tells it."""
    process: Mapping[str, Any] = field(default_factory=dict)
    """The process of the job that trained it, as far as it is known."""
    prompts: Sequence[str] = ()
    """What that job has drawn."""
    gpu_ids: str = ""
    """The GPUs of that job."""


def checkpoints(backend: Backend, given: Sequence[Tryable]) -> list[Checkpoint]:
    """Return what is to be tried, in order.

    Raises:
        NotFound: The server has no such LoRA, or a job has saved none yet.
        BadInput: A local file is not a LoRA.
    """
    listed = Loras(backend).list()
    found: list[Checkpoint] = []
    several = len(given) > 1
    for one in given:
        if isinstance(one, str | Path) and Path(one).expanduser().is_file():
            found.append(_local(Path(one).expanduser()))
        else:
            loras = list(_on_server(listed, one))
            found += [_known(backend, lora, with_job=several or len(loras) < 2) for lora in loras]
    return found


def _on_server(listed: Sequence[ServerLora], one: Tryable) -> Iterator[ServerLora]:
    if isinstance(one, Job):
        of_job = [lora for lora in listed if lora.job == one.name]
        if not of_job:
            raise NotFound("LoRA", f"{one.name}.safetensors", hint="The job has saved none yet.")
        # The final one has no number.
        yield from sorted(of_job, key=lambda lora: (not _STEP.search(lora.name), lora.name))
        return
    wanted = one.path if isinstance(one, ServerLora | RemoteFile) else str(one)
    matching = [lora for lora in listed if wanted in (lora.path, lora.name)]
    if not matching:
        raise NotFound("LoRA", wanted, [lora.name for lora in listed])
    yield matching[0]


def _known(backend: Backend, lora: ServerLora, *, with_job: bool) -> Checkpoint:
    name = lora.name.removesuffix(".safetensors")
    if not lora.job:
        return Checkpoint(name, lora)
    state = backend.get_job(lora.job)
    step = _STEP.search(lora.name)
    label = f"step {int(step[1])}" if step else "final"
    label = f"{lora.job} {label}" if with_job else label
    try:
        process = process_of(state.config)
        arch = str(arch_of(process.get("model") or {}))
    except (ValueError, AttributeError):
        process, arch = {}, ""
    prompts = prompts_of(state.config)
    return Checkpoint(label, lora, None, arch, process, prompts, state.gpu_ids)


def _local(file: Path) -> Checkpoint:
    with file.open("rb") as stream:

        def read(start: int, length: int) -> bytes:
            stream.seek(start)
            return stream.read(length)

        report = inspect_lora(read, size=file.stat().st_size, name=str(file))
    if not report.kind:
        raise BadInput(report.problems[0])
    known = report.base_model in presets.load()
    return Checkpoint(file.stem, None, file, report.base_model if known else "")


def uploaded(backend: Backend, checkpoint: Checkpoint, ask: Callable[[], object]) -> ServerLora:
    """Return where a checkpoint lies on the server, which gets it unless it has it.

    Args:
        backend: What sends the requests.
        checkpoint: What is to be tried.
        ask: Called before a file is sent, and raises if that would be in vain.
    """
    if checkpoint.lora is not None:
        return checkpoint.lora
    assert checkpoint.file is not None
    loras, size = Loras(backend), checkpoint.file.stat().st_size
    # Two trainings leave files of one name and one size.
    name = f"{checkpoint.file.stem}_{sha256(checkpoint.file)[:8]}.safetensors"
    sent = re.sub(r"[^\w.\- ()[\]]", "_", name, flags=re.ASCII)
    for lora in loras.list():
        if not lora.job and (lora.name, lora.size) == (sent, size):
            return lora
    ask()
    return loras.upload(checkpoint.file, name)


def model_and_sample(
    arch: str, tried: Sequence[Checkpoint]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an engine needs to draw as a job did, or as the web UI's page would.

    Args:
        arch: The architecture.
        tried: The LoRAs, of which the first whose job is known counts.

    Raises:
        BadInput: The architecture generates text.
    """
    preset = presets.load().get(arch)
    if preset and preset.group == "llm":
        raise BadInput(f"{preset.label} generates text, which the inference engine can't.")
    given = dict(next((one.process for one in tried if one.process), {}))
    if not given and preset:
        for path, value in preset.defaults.items():
            if path.startswith(("model.", "sample.")):
                put(given, path, value)
    model = {key: value for key, value in given.get("model", {}).items() if value not in (None, "")}
    for on, kind in (("quantize", "qtype"), ("quantize_te", "qtype_te")):
        # As the page does: it is what the engine runs quickest.
        if model.get(on) and model.get(kind, "qfloat8") == "qfloat8":
            model[kind] = "convrot8"
    drawn = given.get("sample", {})
    sample = {word: drawn[key] for key, word in _SAMPLE.items() if drawn.get(key) not in (None, "")}
    if sample.get("num_frames", 1) == 1:
        sample = {key: sample[key] for key in sample if key not in ("num_frames", "fps")}
    return {**model, "arch": arch}, sample
