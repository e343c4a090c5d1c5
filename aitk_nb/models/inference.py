"""Frozen values about the inference engines of a server, and what they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Engine:
    """An inference engine: a job that holds its GPUs until it is stopped.

    Example:
        >>> from aitk_nb.models.inference import Engine
        >>> Engine("inference_engine_gpu0", "0", "running", is_ready=True)
        <engine on GPU 0: ready; jobs queued there wait until client.inference.stop()>
    """

    name: str
    """Name of its job."""
    gpu_ids: str
    """The GPUs that it holds, as `0`."""
    status: str
    """The server's word: `queued`, `running`, or `stopping` while its process lives on."""
    is_ready: bool
    """Whether it takes requests; also true while it is stopping."""
    id: str = field(default="", repr=False)
    """The server's id of its job."""

    def __repr__(self) -> str:
        state = "ready" if self.is_ready and self.status == "running" else self.status
        return (
            f"<engine on GPU {self.gpu_ids}: {state}; "
            "jobs queued there wait until client.inference.stop()>"
        )


@dataclass(frozen=True, slots=True)
class GeneratedFile:
    """A file that an engine has made. Whoever knows its path can read it without a token.

    Example:
        >>> from aitk_nb.models.inference import GeneratedFile
        >>> GeneratedFile("/out/1_0.png", "image", 1024, 7).kind
        'image'
    """

    path: str
    """Absolute path on the server."""
    kind: str
    """`image`, `video` or `audio`."""
    size: int
    """Bytes."""
    seed: int
    """The seed that it was made with."""


class Frame(NamedTuple):
    """One message of an engine about a request.

    Example:
        >>> from aitk_nb.models.inference import Frame
        >>> Frame({"type": "progress", "step": 1, "total": 8}).kind
        'progress'
    """

    header: Mapping[str, Any]
    """What it says; `type` is one of status, start, progress, latent, result, error and end."""
    payload: bytes = b""
    """The numbers of a latent, in C order as `shape` and `dtype` say; empty otherwise."""

    @property
    def kind(self) -> str:
        """The word for what it says."""
        return str(self.header["type"])
