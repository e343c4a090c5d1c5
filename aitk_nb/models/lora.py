"""Frozen values about LoRAs on a server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLora:
    """A LoRA file on the server.

    Example:
        >>> lora = next(lora for lora in client.loras.list() if lora.job == job.name)
        >>> lora.name
        'cat.safetensors'
    """

    name: str
    """File name; of one that no job has saved, with the folder below the server's LoRAs."""
    size: int
    """Bytes."""
    path: str
    """Absolute path on the server, as a job config takes it."""
    modified: float
    """When it was written, in seconds since 1970 by the server's clock."""
    job: str = ""
    """The job that saved it; empty for a file of the server's folder of LoRAs."""
