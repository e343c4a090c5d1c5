"""What each training parameter may be, in words, and where its bounds come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from aitk_nb.training.choices import CHOICES

__all__ = ["EDGES", "SOURCES", "add_sources", "allowed", "span"]

EDGES = (16, 8192)
"""The least and the greatest edge length in pixels."""

_FORM = "ui/src/app/jobs/new"
SOURCES: Mapping[str, str] = {
    "name": f"{_FORM}/SimpleJob.tsx: config.name; it becomes a folder on the server",
    "dataset": "ui/src/app/api/datasets: a folder below the datasets",
    "extra_datasets": f"{_FORM}/SimpleJob.tsx: datasets",
    "control_datasets": f"{_FORM}/SimpleJob.tsx: control_path, and control_path_1 to _3",
    "arch": f"{_FORM}/options.tsx: modelArchs",
    "base_model": "toolkit/config_modules.py: name_or_path",
    "quantize": f"{_FORM}/options.tsx: quantizationOptions",
    "quantize_te": f"{_FORM}/options.tsx: quantizationOptions",
    "low_vram": "toolkit/config_modules.py: low_vram",
    "network": f"{_FORM}/SimpleJob.tsx: network.type",
    "rank": f"{_FORM}/SimpleJob.tsx: network.linear, there 0 to 1024; the trainer sets no bound",
    "alpha": "toolkit/config_modules.py: linear_alpha",
    "lokr_factor": "toolkit/config_modules.py: lokr_factor, of which -1 finds the largest",
    "steps": f"{_FORM}/SimpleJob.tsx: train.steps, there from 1",
    "learning_rate": f"{_FORM}/SimpleJob.tsx: train.lr, there from 0, which trains nothing",
    "optimizer": f"{_FORM}/SimpleJob.tsx: train.optimizer",
    "batch_size": f"{_FORM}/SimpleJob.tsx: train.batch_size, there from 1",
    "gradient_accumulation": f"{_FORM}/SimpleJob.tsx: train.gradient_accumulation, there from 1",
    "resolution": f"{_FORM}/SimpleJob.tsx: resolution, there 256 to 1536; the trainer takes others",
    "num_frames": f"{_FORM}/SimpleJob.tsx: num_frames",
    "trigger_word": f"{_FORM}/SimpleJob.tsx: trigger_word",
    "caption_dropout": f"{_FORM}/SimpleJob.tsx: caption_dropout_rate, a share of one",
    "timestep_type": f"{_FORM}/SimpleJob.tsx: train.timestep_type",
    "dtype": f"{_FORM}/SimpleJob.tsx: save.dtype; the trainer's own dtype has the same words",
    "ema": f"{_FORM}/SimpleJob.tsx: ema_decay, a share of one",
    "save_every": f"{_FORM}/SimpleJob.tsx: save.save_every, there from 1",
    "max_saves": f"{_FORM}/SimpleJob.tsx: save.max_step_saves_to_keep, there from 1",
    "sample_every": f"{_FORM}/SimpleJob.tsx: sample.sample_every, there from 1",
    "prompts": "toolkit/config_modules.py: samples",
    "sample_width": f"{_FORM}/SimpleJob.tsx: sample.width",
    "sample_height": f"{_FORM}/SimpleJob.tsx: sample.height",
    "sample_frames": "toolkit/config_modules.py: num_frames",
    "sample_steps": f"{_FORM}/SimpleJob.tsx: sample.sample_steps, there from 1",
    "guidance": f"{_FORM}/SimpleJob.tsx: sample.guidance_scale",
    "sample_seed": f"{_FORM}/SimpleJob.tsx: sample.seed; 32 bits, as numpy takes them",
    "seed": "jobs/process/BaseTrainProcess.py: training_seed; 32 bits, as numpy takes them",
    "gpu_ids": f"{_FORM}/SimpleJob.tsx: GPU ID; the queue is keyed by this text",
    "extra": "toolkit/config.py: the whole job config",
}
"""Where AI Toolkit (0.12.26) says what a field is and may be: the file, and the words in it."""


def add_sources(schema: dict[str, Any]) -> None:
    """Write into a JSON schema of the parameters where each bound comes from."""
    for name, entry in schema.get("properties", {}).items():
        entry["source"] = SOURCES[name]


def allowed(name: str, field: FieldInfo) -> str:
    """Return what one value of a field must be, as the end of a sentence."""
    if name in CHOICES:
        return f"one of {', '.join(word or repr('') for word in CHOICES[name])}"
    kind = _kind(field)
    if kind is bool:
        return "true or false"
    if kind not in (int, float):
        return "a text"
    number = "a whole number" if kind is int else "a number"
    return f"{number}{_between(*_limits(name, field))}"


def span(name: str, field: FieldInfo) -> str:
    """Return the limits of a field of numbers, such as `1..4096`; empty for any other."""
    if _kind(field) not in (int, float):
        return ""
    least, above, most, below = _limits(name, field)
    low, high = (least if above is None else above), (most if below is None else below)
    return f"{_plain(low)}..{'' if high is None else _plain(high)}"


def _kind(field: FieldInfo) -> Any:
    kind = field.annotation
    return get_args(kind)[0] if get_origin(kind) is tuple else kind


def _limits(name: str, field: FieldInfo) -> tuple[Any, Any, Any, Any]:
    """Return the least, the one to be above, the most, and the one to be below."""
    if name == "resolution":
        return EDGES[0], None, EDGES[1], None
    found: dict[str, Any] = {}
    for limit in field.metadata:
        for key in ("ge", "gt", "le", "lt"):
            if (value := getattr(limit, key, None)) is not None:
                found[key] = value
    return found.get("ge"), found.get("gt"), found.get("le"), found.get("lt")


def _between(least: Any, above: Any, most: Any, below: Any) -> str:
    low = f" above {_plain(above)}" if above is not None else f" from {_plain(least)}"
    if below is not None:
        return (
            f"{low} and below {_plain(below)}" if above is not None else f"{low} to below {below}"
        )
    return low if most is None else f"{low} to {_plain(most)}"


def _plain(number: Any) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)
