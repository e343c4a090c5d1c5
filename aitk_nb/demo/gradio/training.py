"""From the form of the Gradio app to a trained LoRA: the job's config, its checks, the training."""

from __future__ import annotations

import math
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aitk_nb.demo.common.store import resolve_inside
from aitk_nb.demo.gradio.slug import slugify
from aitk_nb.demo.trainer import main
from aitk_nb.demo.trainer.job_row import Nobody

_LOOK = 0.02
_DEFAULTS = Path(__file__).with_name("job.yaml")
_SCHNELL = {
    "name_or_path": "black-forest-labs/FLUX.1-schnell",
    "assistant_lora_path": "ostris/FLUX.1-schnell-training-adapter",
}


class Refused(ValueError):
    """The job would read or write where this server must not."""


@dataclass(frozen=True)
class Form:
    """What the page's fields hold when the button is pressed."""

    name: str
    trigger: str
    steps: float
    rate: float
    rank: float
    model: str
    low_vram: bool
    dataset: str | None
    """The session's folder; None in a session that has made none, which nobody complains of."""
    prompts: tuple[str, ...]
    advanced: str | None
    """YAML, or None when its box is not ticked."""


class Pace(Nobody):
    """Holds a training job up, so that tests can look at one that runs."""

    def __init__(
        self, step_seconds: float = 0.0, flush_seconds: float = 0.25, hold: Path | None = None
    ) -> None:
        """Add `step_seconds` to each step; losses are written every `flush_seconds`.

        While the file `hold` is there, no training goes beyond the step that it holds.
        """
        self._step_seconds = step_seconds
        self._hold = hold
        self.flush_seconds = flush_seconds

    def step(self, completed: int) -> None:
        """Wait."""
        if self._step_seconds:
            time.sleep(self._step_seconds)
        while self._hold is not None and completed >= _number(self._hold):
            time.sleep(_LOOK)


def _number(file: Path) -> float:
    try:
        return float(file.read_text("ascii") or math.inf)
    except OSError:
        return math.inf


def train(form: Form, pace: Pace) -> str:
    """Train as the form says, and return the name of the folder, which is also the LoRA's.

    Raises:
        Refused: it would read or write outside of the current folder.
        Exception: whatever config, YAML or dataset are wrong with; its text is what clients see.
    """
    slug = slugify(form.name)
    config = job_config(form, slug)
    Path("tmp").mkdir(exist_ok=True)
    path = Path("tmp", f"{uuid.uuid4()}-{slug}.yaml")
    path.write_text(yaml.dump(config), "utf-8")
    _check(config)
    _accept(config)
    _find_model(config["config"]["process"][0])
    main.train(config, sys.stderr, pace, flush_seconds=pace.flush_seconds)
    return slug


def job_config(form: Form, slug: str) -> dict[str, Any]:
    """Return the job's config: the defaults, the form's fields in them, the YAML over both."""
    config: dict[str, Any] = yaml.safe_load(_DEFAULTS.read_text("utf-8"))
    config["config"]["name"] = slug
    process = config["config"]["process"][0]
    process["model"]["low_vram"] = form.low_vram
    process["train"] |= {
        "skip_first_sample": True,
        "steps": int(form.steps),
        "lr": float(form.rate),
    }
    process["network"] |= {"linear": int(form.rank), "linear_alpha": int(form.rank)}
    process["datasets"][0]["folder_path"] = form.dataset
    if form.trigger:
        process["trigger_word"] = form.trigger
    process["train"]["disable_sampling"] = not form.prompts
    if form.prompts:
        process["sample"] |= {
            "sample_every": form.steps,
            "sample_steps": 28,
            "prompts": list(form.prompts),
        }
    if form.model == "schnell":
        process["model"] |= _SCHNELL
        process["sample"]["sample_steps"] = 4
    if form.advanced is not None:
        config["config"]["process"][0] = merge(process, yaml.safe_load(form.advanced))
    return config


def merge(target: Any, changes: Any) -> Any:
    """Write `changes` into `target`, mapping by mapping; all else, lists too, is replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and value:
            target[key] = merge(target.get(key, {}), value)
        else:
            target[key] = value
    return target


def _check(config: dict[str, Any]) -> None:
    """Refuse what leads out of the current folder; the real server reads and writes anywhere."""
    if not config["config"]["name"]:
        raise Refused("Refused: the name has no letter or digit, so the job would have no folder")
    process, here = config["config"]["process"][0], Path.cwd()
    if resolve_inside(here / _folder(config), here) is None:
        target = process.get("training_folder")
        raise Refused(f"Refused: training_folder {target!r} leads out of this server's data folder")
    for dataset in process.get("datasets") or []:
        for key in ("folder_path", "dataset_path"):
            path = dataset.get(key)
            if path is not None and resolve_inside(here / str(path), here) is None:
                raise Refused(f"Refused: {key} {path!r} leads out of this server's data folder")


def _folder(config: dict[str, Any]) -> Path:
    """Return the job's folder; `[name]` stands for the name everywhere in a config."""
    name = config["config"]["name"]
    target = str(config["config"]["process"][0].get("training_folder") or "output")
    return Path(target.replace("[name]", name), name)


def _accept(config: dict[str, Any]) -> None:
    """Write `config.yaml` into the job's folder, the sign that the job was taken."""
    folder = _folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    (folder / "config.yaml").write_text(text, "utf-8")


def _find_model(process: dict[str, Any]) -> None:
    """Raise what the real server says of a folder that is no model; nothing is ever downloaded."""
    place = str((process.get("model") or {}).get("name_or_path") or "")
    if place.startswith(("/", ".", "~")) and not Path(place).exists():
        raise ValueError(
            f'The provided pretrained_model_name_or_path "{place}" is neither a valid local path'
            " nor a valid repo id. Please check the parameter."
        )
