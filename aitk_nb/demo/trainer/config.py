"""What the demo trainer takes from a job config, checked and with AI Toolkit's defaults."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitk_nb.demo.trainer import models

_TRAINERS = ("diffusion_trainer", "ui_trainer", "sd_trainer")
_PLAIN = ("adam", "adamw", "adam8", "adamw8", "adam8bit", "adamw8bit")
_OTHERS = ("prodigy", "dadapt", "lion", "adafactor", "automagic", "ademamix", "adagrad")
_DTYPES = {
    **dict.fromkeys(("bf16", "bfloat16"), "BF16"),
    **dict.fromkeys(("fp16", "float16", "half"), "F16"),
    **dict.fromkeys(("fp32", "float32", "float", "fp"), "F32"),
}


@dataclass(frozen=True)
class DatasetConfig:
    """One folder of images, and how it is used."""

    folder: Path
    resolutions: tuple[int, ...]
    caption_ext: str
    default_caption: str
    dropout: float
    """How often a caption is left out."""
    repeats: int
    flips: tuple[bool, bool]
    """Whether mirrored copies are added: left to right, upside down."""
    batch_size: int
    for_regularization: bool


@dataclass(frozen=True)
class SampleItem:
    """One picture to be painted while training."""

    prompt: str
    width: int
    height: int
    seed: int
    steps: int


@dataclass(frozen=True)
class SampleConfig:
    """When pictures are painted, and which."""

    every: int
    start_step: int
    at_first: bool
    enabled: bool
    format: str
    items: tuple[SampleItem, ...]


@dataclass(frozen=True)
class SaveConfig:
    """When and how the LoRA is saved."""

    every: int
    keep: int
    dtype: str
    """The safetensors word."""


@dataclass(frozen=True)
class TrainConfig:
    """How the LoRA is trained."""

    steps: int
    rate: float
    """As the user wrote it, and as it is logged."""
    optimizer: str
    weight_decay: float
    accumulation: int
    """Batches of a step."""
    legacy_accumulation: int
    """Steps until the optimizer acts, on the gradient of the last of them alone."""
    timestep_type: str
    seed: int
    rank: int
    alpha: float
    is_scaled: bool
    """Whether alpha counts, and stands in the file."""
    pretrained: str
    """The LoRA to begin with, where there is no checkpoint."""


@dataclass(frozen=True)
class JobConfig:
    """All that the trainer needs to know of a job."""

    name: str
    folder: Path
    database: Path | None
    trigger: str
    base_model: str
    train: TrainConfig
    save: SaveConfig
    sample: SampleConfig
    datasets: tuple[DatasetConfig, ...]
    divisibility: int
    """Pixels of which both sides of a bucket are multiples."""
    ui_logger: bool
    log_every: int | None
    performance_log_every: int
    raw: Mapping[str, Any]
    """The config as it came, but with `[name]` replaced."""

    @property
    def root(self) -> Path:
        """The folder of the job."""
        return self.folder / self.name


def read(config: Mapping[str, Any]) -> JobConfig:
    """Return what a job config asks for.

    Raises:
        ValueError: it is incomplete, or asks for what this trainer cannot do.
    """
    name, raw, process = _parts(config)
    model, logs = _section(process, "model"), _section(process, "logging")
    arch = models.arch_of(model)
    usual = _whole(_section(process, "train").get("batch_size", 1))
    database = process.get("sqlite_db_path")
    every = logs.get("log_every", 100)
    return JobConfig(
        name=name,
        folder=Path(process.get("training_folder") or "output"),
        database=Path(database) if database else None,
        trigger=str(process.get("trigger_word") or ""),
        base_model=arch,
        train=_train(process, arch),
        save=_save(_section(process, "save")),
        sample=_sample(process),
        datasets=tuple(_dataset(entry, usual) for entry in process.get("datasets") or ()),
        divisibility=models.divisibility(arch),
        ui_logger=bool(logs.get("use_ui_logger")),
        log_every=None if every is None else int(every),
        performance_log_every=int(process.get("performance_log_every") or 0),
        raw=raw,
    )


def _parts(config: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    try:
        name = config["config"]["name"]
        text = json.dumps(config).replace("[name]", json.dumps(name)[1:-1])
        raw: dict[str, Any] = json.loads(text)
        process = raw["config"]["process"][0]
    except (KeyError, IndexError, TypeError) as exc:
        raise ValueError("The config needs config.name and config.process[0].") from exc
    if not isinstance(name, str) or not name or not isinstance(process, dict):
        raise ValueError("The config needs config.name and config.process[0].")
    if process.get("type") not in _TRAINERS:
        raise ValueError(f"This server has no trainer for jobs of type {process.get('type')!r}.")
    return name, raw, process


def _whole(value: Any) -> int:
    """Return a whole number as the trainer finds it where it is used: null is no default."""
    if value is None:
        raise TypeError("'NoneType' object cannot be interpreted as an integer")
    return int(value)


def _train(process: dict[str, Any], arch: str) -> TrainConfig:
    train, network = _section(process, "train"), _section(process, "network")
    kind = str(network.get("type", "lora")).lower()
    if process.get("network") is None or kind != "lora":
        what = "whole models" if process.get("network") is None else repr(kind)
        raise ValueError(f"This server trains LoRAs only, not {what}.")
    # `rank` is the older key, and wins.
    rank = int(next((network[k] for k in ("rank", "linear") if network.get(k) is not None), 4))
    is_scaled = models.is_scaled(arch)
    alpha = float(network.get("linear_alpha", network.get("alpha", 1.0))) if is_scaled else rank
    accumulation, legacy = (
        int(train.get(key, 1)) for key in ("gradient_accumulation", "gradient_accumulation_steps")
    )
    if accumulation > 1 and legacy != 1:
        raise ValueError(
            "gradient_accumulation and gradient_accumulation_steps are mutually exclusive"
        )
    optimizer = str(train.get("optimizer", "adamw")).lower()
    if optimizer not in _PLAIN and not optimizer.startswith(_OTHERS):
        raise ValueError(f"Unknown optimizer type {optimizer}")
    if rank < 1:
        raise ValueError(f"The rank of the LoRA must be at least 1, not {rank}.")
    return TrainConfig(
        steps=_whole(train.get("steps", 1000)),
        rate=float(train.get("lr", 1e-6)),
        optimizer=optimizer,
        weight_decay=float((train.get("optimizer_params") or {}).get("weight_decay", 0.01)),
        accumulation=max(1, accumulation),
        legacy_accumulation=max(1, legacy),
        timestep_type=str(train.get("timestep_type", "sigmoid")),
        seed=_seed(process),
        rank=rank,
        alpha=alpha,
        is_scaled=is_scaled,
        pretrained=str(network.get("pretrained_lora_path") or ""),
    )


def _seed(process: dict[str, Any]) -> int:
    """Return the seed; a job without one still gives the same numbers each time."""
    places = (
        process.get("training_seed"),
        _section(process, "train").get("seed"),
        _section(process, "sample").get("seed"),
    )
    chosen = next((seed for seed in places if seed is not None), 42)
    return int(chosen) & 0xFFFF_FFFF


def _save(save: dict[str, Any]) -> SaveConfig:
    dtype = str(save.get("dtype", "float16")).lower()
    if dtype not in _DTYPES:
        raise ValueError(f"Unknown dtype {dtype!r} in save.dtype.")
    return SaveConfig(
        every=int(save.get("save_every", 1000) or 0),
        keep=int(save.get("max_step_saves_to_keep", 5) or 0),
        dtype=_DTYPES[dtype],
    )


def _sample(process: dict[str, Any]) -> SampleConfig:
    sample, train = _section(process, "sample"), _section(process, "train")
    listed = sample.get("samples")
    if listed is None:
        listed = [{"prompt": prompt} for prompt in sample.get("prompts") or ()]
    items = [
        _item(sample, entry, number)
        for number, entry in enumerate(listed)
        if isinstance(entry, dict) and entry.get("prompt") is not None
    ]
    trigger = str(process.get("trigger_word") or "")
    return SampleConfig(
        every=int(sample.get("sample_every", 100) or 0),
        start_step=int(sample.get("sample_start_step") or 0),
        at_first=not train.get("skip_first_sample"),
        enabled=not train.get("disable_sampling"),
        format=str(sample.get("format") or "jpg").lower(),
        items=tuple(_with_trigger(item, trigger) for item in items),
    )


def _item(sample: dict[str, Any], entry: dict[str, Any], number: int) -> SampleItem:
    seed = entry.get("seed")
    if seed is None:
        seed = int(sample.get("seed", 0)) + (number if sample.get("walk_seed") else 0)
    return SampleItem(
        prompt=str(entry["prompt"]),
        width=int(entry.get("width") or sample.get("width", 512)),
        height=int(entry.get("height") or sample.get("height", 512)),
        seed=int(seed) & 0xFFFF_FFFF,
        steps=int(entry.get("sample_steps") or sample.get("sample_steps", 20)),
    )


def _with_trigger(item: SampleItem, trigger: str) -> SampleItem:
    prompt = item.prompt.replace("[trigger]", trigger)
    return SampleItem(prompt, item.width, item.height, item.seed, item.steps)


def _dataset(entry: object, usual_batch: int) -> DatasetConfig:
    if not isinstance(entry, dict):
        raise ValueError("An entry of datasets is not an object.")
    folder = entry.get("dataset_path") or entry.get("folder_path")
    if not folder:
        raise ValueError("A dataset needs its folder_path.")
    resolution = entry.get("resolution", 512)
    listed = resolution if isinstance(resolution, list) else [resolution]
    return DatasetConfig(
        folder=Path(folder),
        # With none the dataset is left out without a word.
        resolutions=tuple(int(r) for r in listed),
        caption_ext=str(
            entry.get("caption_type") or "." + str(entry.get("caption_ext", "txt")).lstrip(".")
        ),
        default_caption=str(entry.get("default_caption") or ""),
        dropout=float(entry.get("caption_dropout_rate") or 0),
        repeats=max(1, int(entry.get("num_repeats") or 1)),
        flips=(bool(entry.get("flip_x")), bool(entry.get("flip_y"))),
        batch_size=max(1, _whole(entry.get("batch_size") or usual_batch)),
        for_regularization=bool(entry.get("is_reg")),
    )


def _section(process: dict[str, Any], key: str) -> dict[str, Any]:
    value = process.get(key)
    return value if isinstance(value, dict) else {}
