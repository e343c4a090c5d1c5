"""`explain`: why a training failed, in plain words, and what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Reason", "explain"]


class Reason(NamedTuple):
    """A failure in plain words."""

    text: str
    remedy: str


_KNOWN = (
    (
        r"cannot identify image file ['\"]?(?P<name>[^'\"\n]+)|"
        r"image file is truncated|Truncated File Read",
        "an image cannot be read",
        "Replace or remove that image in the dataset, and start the job again.",
    ),
    (
        r"No space left on device|Errno 28\b|ENOSPC|Disk quota exceeded|"
        r"database or disk is full",
        "the server's disk is full",
        "Delete old checkpoints or jobs on the server, or save less often; then start again.",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|"
        r"HIP out of memory|MPS backend out of memory",
        "the GPU ran out of memory",
        "Train at a lower resolution, with a smaller batch or rank, or with quantisation.",
    ),
    (
        r"gated repo|GatedRepoError|Access to model .* is restricted|"
        r"awaiting a review from the repo authors|401 Client Error",
        "the model is gated and the server may not download it",
        "Accept the model's licence on Hugging Face, and give the server a token of that account.",
    ),
    (
        r"(?:^|\s)(?P<name>\S+) is not a local folder and is not a valid model identifier|"
        r"We couldn't connect to 'https://huggingface\.co'|"
        r"RepositoryNotFoundError|LocalEntryNotFoundError",
        "the server does not have the model and cannot download it",
        "Check the model's name, and whether the server reaches Hugging Face; for a private one "
        "give the server a token with client.settings.set(hf_token=…).",
    ),
    (
        r"CUDA error|device-side assert|illegal memory access|CUDNN_STATUS|NCCL error|"
        r"NVIDIA driver",
        "the GPU or its driver failed",
        "Start the job again from its last checkpoint; if it happens again, restart the server.",
    ),
    (
        r"signal SIGKILL|exit code 137|\bMemoryError\b|Cannot allocate memory",
        "the process was killed from outside, most often because the server ran out of main memory",
        "Give the server more memory, or cache and quantise less; then start the job again.",
    ),
)


def explain(info: str, log: str) -> Reason | None:
    """Return the reason that the server's words and the end of the log tell; None if they do not.

    The server's own words go first: the log may tell of something that was survived.
    """
    for text in (info, log):
        for pattern, words, remedy in _KNOWN:
            if match := re.search(pattern, text):
                name = match.groupdict().get("name")
                return Reason(f"{words}: {_base(name)}" if name else words, remedy)
    return None


def _base(path: str) -> str:
    return re.split(r"[/\\]", path.strip())[-1]
