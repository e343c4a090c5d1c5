"""Frozen values about a server: its flavour, its abilities, its GPUs."""

from __future__ import annotations

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
    UPLOAD = "take a dataset"
    CAPTION_IMAGES = "write captions of local images"
    TRAIN = "start a training"
    LIST_JOBS = "list jobs"
    STOP = "stop a job"
    SAVE_NOW = "save a checkpoint on demand"
    SAMPLE_NOW = "make samples on demand"
    LOG = "show a job's log"
    LOSSES = "tell a job's losses"
    SAMPLES = "list a job's samples"
    FILES = "list a job's files"
    DOWNLOAD = "download a LoRA"
    DELETE = "delete a job"
    GPUS = "list its GPUs"
    EDIT_DATASETS = "change, fetch and delete datasets"
    CAPTION = "caption a dataset"
    SETTINGS = "tell and change its settings"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU of the server."""

    index: int
    name: str
    memory_total: int
    """MiB."""
    memory_used: int
    """MiB."""
    utilization: int | None = None
    """Percent."""
    temperature: int | None = None
    """Degrees Celsius."""
