"""The training parameters: each field's type, default and limits, and all that is known of it.

Forms, the command line, notebooks' parameter cells, the job config and the generated programs
are built from these declarations: a new field is one entry in `Fields`, in the order of the form.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler

from aitk_nb.errors import InvalidParams
from aitk_nb.training import presets
from aitk_nb.training.config_paths import fields_of, put
from aitk_nb.training.extra import parse_extra
from aitk_nb.training.validation import (
    Gpus,
    Name,
    Names,
    NotZero,
    Optimizer,
    OptionalName,
    Prompts,
    Quantization,
    Resolution,
    Text,
    TimestepType,
    complete,
    fact,
    field,
    problems,
)

_LARGEST_SEED = 2**32 - 1
"""Numpy takes 32 bits."""


class Fields(BaseModel):
    """The parameters of a training job as a value: checked, frozen and hashable.

    A field that is not given has the value that AI Toolkit's web UI sets for the architecture, and
    where it sets none, that of its form for a new job.

    Raises:
        InvalidParams: with one entry for each invalid field.
    """

    model_config = ConfigDict(
        # Importing the class is quick; the first parameters build the validators.
        defer_build=True,
        frozen=True,
        extra="forbid",
        # Papermill makes a number of `-p name 2024` and of `-p gpu_ids 0`.
        coerce_numbers_to_str=True,
        json_schema_extra=complete,
    )

    name: Annotated[Name, field(..., group="Basics", label="Training Name")]
    """Name of the job, and of its output folder on the server.

    Source: config.name; it becomes a folder on the server
    """
    dataset: Annotated[Name, field(...)]
    """Dataset on the server to learn from.

    Source: ui/src/app/api/datasets: a folder below the datasets
    """
    trigger_word: Text = field("")
    """Word for the LoRA; it replaces [trigger] in captions and prompts.

    Source: trigger_word
    """
    arch: Text = field(presets.DEFAULT_ARCH, label="Model Architecture")
    """Model to train for, as AI Toolkit names it; it brings settings of its own.

    Source: options.tsx: modelArchs
    """
    steps: int = field(3000, "train.steps", per_job=True, ge=1, le=10_000_000)
    """Optimizer steps; AI Toolkit's examples suggest 500 to 4000."""
    rank: int = field(32, "network.linear", label="Linear Rank", ge=1, le=4096)
    """Size of the LoRA; 16 to 64 is usual, and a higher rank makes a larger file."""
    learning_rate: float = field(1e-4, "train.lr", short="--lr", gt=0, lt=10)
    """Peak learning rate; 0.0001 is usual, 1 for a Prodigy optimizer."""
    base_model: Text = field("", group="Model", label="Name or Path")
    """Base model on Hugging Face or on the server; empty: the architecture's own.

    Source: config_modules.py: name_or_path
    """
    quantize: Quantization = field("qfloat8", label="Quantize Transformer", per_job=False)
    """Quantization of the base model, which saves GPU memory; empty: none.

    Source: options.tsx: quantizationOptions
    """
    quantize_te: Quantization = field("qfloat8", label="Quantize Text Encoder", per_job=False)
    """Quantization of the text encoder, which saves GPU memory; empty: none.

    Source: options.tsx: quantizationOptions
    """
    low_vram: bool = field(False, "model.low_vram", label="Low VRAM")
    """Keep only what is in use on the GPU: less memory, but slower.

    Source: config_modules.py: low_vram
    """
    network: Literal["lora", "lokr"] = field(
        "lora", "network.type", group="Network", label="Target Type"
    )
    """Network type: lora or lokr."""
    alpha: int = field(0, label="Linear Alpha", ge=0, le=4096)
    """Alpha of the LoRA; 0: equal to the rank. Without effect on transformer models.

    Source: config_modules.py: linear_alpha
    """
    lokr_factor: NotZero = field(-1, "network.lokr_factor", label="LoKr Factor", ge=-1, le=4096)
    """LoKr factor; -1: chosen by the trainer.

    Source: config_modules.py: lokr_factor, of which -1 finds the largest
    """
    init_lora: Text = field("", "network.init_lora", per_job=True, label="Initial LoRA")
    """LoRA to start from: JOB, JOB@STEP, a path on the server or a local file.

    Source: config_modules.py: pretrained_lora_path
    """
    more_steps: int = field(0, "train.more_steps", per_job=True, ge=0, le=10_000_000)
    """Steps to go on with a job, from its newest checkpoint; 0: see steps.

    Source: jobs/process/BaseSDTrainProcess.py: step_num
    """
    extra_datasets: Names = field((), group="Datasets")
    """Additional datasets to train on.

    Source: datasets
    """
    control_datasets: Names = field(())
    """Datasets with control images for the first dataset, in order.

    Source: control_path
    """
    validation: OptionalName = field("", "train.validation_config.dataset", per_job=True)
    """Dataset for the validation loss, not trained; each image costs a batch of 4.

    Source: config_modules.py: validation_items
    """
    validate_every: int = field(
        100, "train.validation_config.validate_every_n_steps", per_job=True, ge=1
    )
    """Steps between validations; the first step has one too."""
    resolution: Resolution = field(
        (512, 768, 1024), "datasets[x].resolution", label="Resolutions", per_job=True, min_length=1
    )
    """Sizes in pixels; images are trained at each, and never enlarged."""
    num_frames: int = field(1, "datasets[x].num_frames", ge=1, le=10_000)
    """Frames to use from each video; 1 trains on still images."""
    caption_dropout: float = field(
        0.05, "datasets[x].caption_dropout_rate", label="Caption Dropout Rate", ge=0, le=1
    )
    """Probability of dropping the caption, 0 to 1."""
    optimizer: Optimizer = field("adamw8bit", "train.optimizer", group="Training")
    """Optimizer, as AI Toolkit names it; the 8-bit ones save GPU memory."""
    batch_size: int = field(1, "train.batch_size", per_job=True, ge=1, le=1024)
    """Images per batch; 1 requires the least GPU memory."""
    gradient_accumulation: int = field(1, "train.gradient_accumulation", ge=1, le=1024)
    """Batches per optimizer step; they act as one larger batch."""
    timestep_type: TimestepType = field("sigmoid", "train.timestep_type")
    """How timesteps (noise levels) are sampled."""
    dtype: Literal["bf16", "fp16", "fp32"] = field("bf16", "train.dtype", label="Data Type")
    """Data type for training.

    Source: save.dtype
    """
    ema: float = field(0.0, label="EMA Decay", per_job=False, ge=0, lt=1)
    """Decay of the moving average of the weights, such as 0.99; 0: none.

    Source: ema_decay
    """
    seed: int = field(42, "training_seed", per_job=True, ge=-1, le=_LARGEST_SEED)
    """Random seed of training and samples; -1: none, each training differs.

    Source: jobs/process/BaseTrainProcess.py: training_seed
    """
    gpu_ids: Gpus = field("", label="GPU ID")
    """GPUs on the server, e.g. 0 or 0,1; empty: the GPU with the most free memory.

    Source: GPU ID; the queue is keyed by this text
    """
    save_every: int = field(250, "save.save_every", group="Saving and samples", per_job=True, ge=1)
    """Steps between checkpoints."""
    max_saves: int = field(
        4,
        "save.max_step_saves_to_keep",
        label="Max Step Saves to Keep",
        per_job=True,
        ge=1,
        le=100_000,
    )
    """Checkpoints to keep besides the final LoRA; older ones are deleted."""
    sample_every: int = field(250, "sample.sample_every", per_job=True, ge=1)
    """Steps between samples."""
    prompts: Prompts = field((), label="Sample Prompts")
    """Sample prompts; none: no samples.

    Source: config_modules.py: samples
    """
    sample_width: int = field(1024, "sample.width", ge=16, le=8192)
    """Sample width in pixels."""
    sample_height: int = field(1024, "sample.height", ge=16, le=8192)
    """Sample height in pixels."""
    sample_frames: int = field(1, "sample.num_frames", label="Sample Num Frames", ge=1, le=10_000)
    """Frames per sample; 1 for images.

    Source: config_modules.py: num_frames
    """
    sample_steps: int = field(30, "sample.sample_steps", ge=1, le=1000)
    """Denoising steps per sample; more take longer."""
    guidance: float = field(4.0, "sample.guidance_scale", label="Guidance Scale", ge=0, le=100)
    """How closely samples follow their prompts."""
    sample_seed: int = field(-1, ge=-1, le=_LARGEST_SEED)
    """Random seed of samples; -1: the seed of the training.

    Source: sample.seed
    """
    extra: str = field("", group="Advanced", multiline=True)
    """YAML to merge into the job config.

    Source: toolkit/config.py: the whole job config
    """

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Fill in the architecture's own values, and say what is wrong in our words."""
        own: dict[str, Any] = {}
        served = False
        if isinstance(data, Mapping):
            arch = data.get("arch", presets.DEFAULT_ARCH)
            own, served = preset_fields(arch), str(arch) in presets.listing().names
        found: dict[str, str] = {}
        params: Self | None = None
        while params is None and not found:
            try:
                params = handler({**own, **data} if own else data)
            except ValidationError as exc:
                found = problems(exc, cls.model_fields)
                # A newer server's preset may have values that are unknown here.
                if served and (odd := found.keys() & own.keys() - data.keys()):
                    own = {name: value for name, value in own.items() if name not in odd}
                    found = {}
        given = data if isinstance(data, Mapping) else dict(params or ())
        arch = given.get("arch", presets.DEFAULT_ARCH)
        if "arch" not in found and (why := presets.arch_problem(arch, given.get("base_model"))):
            found["arch"] = why
        if params and (why := presets.controls_problem(params.arch, params.control_datasets)):
            found["control_datasets"] = why
        if params is None or found:
            # Without the cause: its text repeats the same in words of the library.
            raise InvalidParams(found)
        return params

    @field_validator("extra")
    @classmethod
    def _yaml(cls, value: str) -> str:
        parse_extra(value)
        return value

    @property
    def scale(self) -> int:
        """The alpha that is meant: `alpha`, or the rank where that is 0."""
        return self.alpha or self.rank


PATHS = {name: path for name, info in Fields.model_fields.items() if (path := fact(info, "path"))}
"""Where each field that the job's process holds as it is stands in it."""


@cache
def schema() -> Mapping[str, Mapping[str, Any]]:
    """Return the JSON schema of each field: all that is declared of it, and its help text."""
    properties: Mapping[str, Mapping[str, Any]] = Fields.model_json_schema()["properties"]
    return properties


def preset_fields(arch: object) -> dict[str, Any]:
    """Return what the preset of an architecture sets of the fields."""
    preset = presets.load().get(arch) if isinstance(arch, str) else None
    if preset is None:
        return {}
    # Choosing a model in the web UI takes back what the one before it set.
    unset = {"quantize": False, "quantize_te": False}
    process: dict[str, Any] = {"datasets": [{}], "model": unset}
    for path, value in preset.defaults.items():
        put(process, path, value)
    found = fields_of(process, PATHS)
    # An empty base model is the preset's own one, which a newer preset may change.
    return {name: value for name, value in found.items() if name != "base_model"}
