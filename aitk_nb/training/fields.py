"""What the user chooses for a training, as one validated value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from aitk_nb import _html
from aitk_nb.errors import InvalidParams
from aitk_nb.models.names import name_problem
from aitk_nb.training.advice import advice
from aitk_nb.training.choices import CHOICES, choice_problem
from aitk_nb.training.coercion import listed, numbers, quantised
from aitk_nb.training.config_paths import preset_fields
from aitk_nb.training.error_messages import arch_problem, controls_problem, problem
from aitk_nb.training.extra import parse_extra
from aitk_nb.training.limits import EDGES, add_sources, allowed

__all__ = ["TrainingParams", "diff"]

DEFAULT_ARCH = "flex1"
"""The architecture that the web UI's form for a new job begins with."""


def diff(a: TrainingParams, b: TrainingParams) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two parameters differ, with both values."""
    pairs = {name: (getattr(a, name), getattr(b, name)) for name in TrainingParams.model_fields}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class TrainingParams(BaseModel):
    """The parameters of one training; the same names in notebooks and on the command line.

    A field that is not given has the value that AI Toolkit's web UI sets for the architecture, and
    where it sets none, that of its form for a new job.

    Raises:
        InvalidParams: with one entry for each field that cannot be used.
    """

    model_config = ConfigDict(
        # Importing the class is quick; the first parameters build the validators.
        defer_build=True,
        frozen=True,
        extra="forbid",
        # Papermill makes a number of `-p name 2024` and of `-p gpu_ids 0`.
        coerce_numbers_to_str=True,
        json_schema_extra=add_sources,
    )

    name: str = Field(description="Name of the job, and of its output folder on the server")
    dataset: str = Field(description="Name of the dataset on the server")
    extra_datasets: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="More datasets to train on as well"
    )
    control_datasets: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="Datasets of control images for the first dataset, in order"
    )
    arch: str = Field(DEFAULT_ARCH, description="Architecture, as AI Toolkit calls it")
    base_model: str = Field("", description="Base model; empty means the architecture's own")
    quantize: Annotated[str, BeforeValidator(quantised)] = Field(
        "qfloat8", description="Quantisation of the base model; empty means none"
    )
    quantize_te: Annotated[str, BeforeValidator(quantised)] = Field(
        "qfloat8", description="Quantisation of the text encoder; empty means none"
    )
    low_vram: bool = Field(False, description="Keep on the GPU only what is in use")
    network: str = Field("lora", description="Kind of network: lora or lokr")
    rank: int = Field(32, ge=1, le=4096, description="Rank of the LoRA")
    alpha: int = Field(0, ge=0, le=4096, description="Scale of the LoRA; 0 means equal to rank")
    lokr_factor: int = Field(
        -1, ge=-1, le=4096, description="Factor of a LoKr; -1 means chosen by the trainer"
    )
    steps: int = Field(3000, ge=1, le=10_000_000, description="Optimiser steps")
    learning_rate: float = Field(1e-4, gt=0, lt=10, description="Peak learning rate")
    optimizer: str = Field("adamw8bit", description="Optimiser, as AI Toolkit calls it")
    batch_size: int = Field(1, ge=1, le=1024, description="Images in one step")
    gradient_accumulation: int = Field(
        1, ge=1, le=1024, description="Batches that are added up before the weights change"
    )
    resolution: Annotated[tuple[int, ...], BeforeValidator(numbers)] = Field(
        (512, 768, 1024), description="Edge lengths in pixels to train at"
    )
    num_frames: int = Field(1, ge=1, le=10_000, description="Frames taken of each video")
    trigger_word: str = Field("", description="Word that calls the LoRA; replaces [trigger]")
    caption_dropout: float = Field(
        0.05, ge=0, le=1, description="Share of the steps that see no caption"
    )
    timestep_type: str = Field("sigmoid", description="How noise levels are drawn")
    dtype: str = Field("bf16", description="Number format of the training")
    ema: float = Field(
        0.0, ge=0, lt=1, description="Decay of the moving average of the weights; 0 means none"
    )
    save_every: int = Field(250, ge=1, description="Steps between checkpoints")
    max_saves: int = Field(4, ge=1, le=100_000, description="Checkpoints kept; older are deleted")
    sample_every: int = Field(250, ge=1, description="Steps between samples")
    prompts: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="Prompts for samples; none means no samples"
    )
    sample_width: int = Field(1024, ge=16, le=8192, description="Width of samples in pixels")
    sample_height: int = Field(1024, ge=16, le=8192, description="Height of samples in pixels")
    sample_frames: int = Field(1, ge=1, le=10_000, description="Frames of samples")
    sample_steps: int = Field(30, ge=1, le=1000, description="Denoising steps of samples")
    guidance: float = Field(4.0, ge=0, le=100, description="Guidance scale of samples")
    sample_seed: int = Field(
        -1, ge=-1, le=2**32 - 1, description="Seed of samples; -1 means that of the training"
    )
    seed: int = Field(42, ge=0, le=2**32 - 1, description="Seed of training and samples")
    gpu_ids: str = Field(
        "", description="GPUs of the server, such as 0 or 0,1; empty means the one most free"
    )
    extra: str = Field("", description="YAML merged deep into the job config")

    @model_validator(mode="wrap")
    @classmethod
    def _explain(
        cls, data: Any, handler: ModelWrapValidatorHandler[TrainingParams]
    ) -> TrainingParams:
        problems: dict[str, str] = {}
        params: TrainingParams | None = None
        if isinstance(data, Mapping):
            data = {**_own(data.get("arch", DEFAULT_ARCH)), **data}
        try:
            params = handler(data)
        except ValidationError as exc:
            problems = _problems(exc)
        given = data if isinstance(data, Mapping) else dict(params or ())
        arch, base_model = given.get("arch", DEFAULT_ARCH), given.get("base_model")
        if "arch" not in problems and (why := arch_problem(arch, base_model)):
            problems["arch"] = why
        if params is not None and (why := controls_problem(params.arch, params.control_datasets)):
            problems["control_datasets"] = why
        if params is None or problems:
            # Without the cause: its text repeats the same in words of the library.
            raise InvalidParams(problems)
        return params

    @field_validator("name", "dataset")
    @classmethod
    def _safe_name(cls, value: str) -> str:
        if why := name_problem(value):
            raise ValueError(f"{value!r}: {why}")
        return value

    @field_validator("extra_datasets", "control_datasets")
    @classmethod
    def _safe_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if why := name_problem(name):
                raise ValueError(f"{name!r}: {why}")
        return value

    @field_validator("resolution")
    @classmethod
    def _possible(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value:
            raise ValueError("at least one is needed, such as 512")
        for edge in value:
            if not EDGES[0] <= edge <= EDGES[1]:
                field = cls.model_fields["resolution"]
                raise ValueError(f"{edge} is not {allowed('resolution', field)}")
        return value

    @field_validator(*CHOICES)
    @classmethod
    def _offered(cls, value: str, info: ValidationInfo) -> str:
        if why := choice_problem(str(info.field_name), value):
            raise ValueError(why)
        return value

    @field_validator("lokr_factor")
    @classmethod
    def _factor(cls, value: int) -> int:
        if value == 0:
            raise ValueError("0 is neither -1 nor a whole number from 1 to 4096")
        return value

    @field_validator("gpu_ids")
    @classmethod
    def _gpus(cls, value: str) -> str:
        if not re.fullmatch(r"(mps|\d{1,3}(,\d{1,3})*)?", value):
            raise ValueError(f"{value!r} is not one number, several with commas, 'mps', or empty")
        return value

    @field_validator("extra")
    @classmethod
    def _yaml(cls, value: str) -> str:
        parse_extra(value)
        return value

    @field_validator("arch", "trigger_word", "prompts", "base_model")
    @classmethod
    def _no_variables(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        # The server replaces these from its own environment, in files that anyone can read.
        if "${" in str(value):
            raise ValueError("'${' would be replaced from the server's environment")
        return value

    @classmethod
    def from_names(cls, names: Mapping[str, object], **fields: object) -> TrainingParams:
        """Return the parameters whose values stand under their own names in `names`.

        A notebook's parameters have the names of these fields, so that its `globals()` is such a
        mapping; anything else in it is passed over. `fields` go before `names`.

        Raises:
            InvalidParams: as the constructor.
        """
        found = {name: names[name] for name in cls.model_fields if name in names}
        return cls.model_validate(found | fields)

    @classmethod
    def from_file(cls, path: str | Path, **fields: object) -> TrainingParams:
        """Return the parameters of a job file of AI Toolkit, YAML or JSON, with `fields` over them.

        What has no field of its own is kept in `extra`, so that `to_file` writes the same again.
        The last part of a dataset's folder is the dataset's name on the server.

        Raises:
            BadInput: it cannot be read, or is no training.
        """
        from aitk_nb.training import config_files

        return config_files.from_config(config_files.read(path), **fields)

    def to_file(self, path: str | Path) -> Path:
        """Write a job file of AI Toolkit: JSON if it is called `.json`, else YAML.

        Raises:
            BadInput: it cannot be written.
        """
        from aitk_nb.training import config_files

        return config_files.write(self, path)

    def _repr_html_(self) -> str:
        values = [(name, _shown(getattr(self, name))) for name in type(self).model_fields]
        return _html.definition(values, caption="Training parameters")

    @property
    def advice(self) -> Mapping[str, str]:
        """Remarks by field on what is allowed and seldom meant, such as an alpha above the rank."""
        return advice(self)

    @property
    def scale(self) -> int:
        """The alpha that is meant: `alpha`, or the rank where that is 0."""
        return self.alpha or self.rank


def _own(arch: object) -> dict[str, Any]:
    """Return the fields that an architecture's preset sets."""
    return preset_fields(arch) if isinstance(arch, str) else {}


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _problems(exc: ValidationError) -> dict[str, str]:
    """Return the first thing that is wrong with each field, in the order of the fields."""
    found: dict[str, str] = {}
    for error in exc.errors():
        name, why = problem(error, TrainingParams.model_fields)
        found.setdefault(name, why)
    return found
