"""Frozen values about a server: its flavour, its abilities, its GPUs."""

import enum
from dataclasses import dataclass


class Flavour(enum.Enum):
    """The kind of an AI Toolkit server.

    Example:
        >>> client.flavour is aitk_nb.Flavour.WEBUI
        True
    """

    WEBUI = "webui"
    """AI Toolkit's own web UI with its REST API."""
    GRADIO = "gradio"
    """AI Toolkit's older Gradio app."""


class Ability(enum.Enum):
    """An operation that a server may support; check it with `client.can`.

    Example:
        >>> client.can(aitk_nb.Ability.STOP)
        True
    """

    LIST_DATASETS = "list datasets"
    UPLOAD = "upload a dataset"
    CAPTION_IMAGES = "write captions of local images"
    TRAIN = "start a training job"
    LIST_JOBS = "list jobs"
    STOP = "stop a job"
    SAVE_NOW = "save a checkpoint on demand"
    SAMPLE_NOW = "generate samples on demand"
    LOG = "show a job's log"
    LOSSES = "show a job's losses"
    SAMPLES = "list a job's samples"
    FILES = "list a job's files"
    DOWNLOAD = "download a LoRA"
    DELETE = "delete a job"
    GPUS = "list its GPUs"
    EDIT_DATASETS = "edit, download and delete datasets"
    CAPTION = "caption a dataset"
    SETTINGS = "read and change its settings"
    LORAS = "list and upload LoRAs"
    INFERENCE = "generate images with its own engine"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of the server."""

    index: int
    name: str
    memory_total: int
    """All of its memory, in MiB."""
    memory_used: int
    """Memory in use, in MiB."""
    utilization: int | None = None
    """Utilization in percent; None if unknown."""
    temperature: int | None = None
    """Temperature in degrees Celsius; None if unknown."""
