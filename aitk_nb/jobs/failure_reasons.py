"""`explain`: why a job failed, in plain words, and what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple

from aitk_nb.training.config_paths import folder_name


class Reason(NamedTuple):
    """A failure in plain words."""

    text: str
    remedy: str


_KNOWN = (
    (
        r"cannot identify image file ['\"]?(?P<name>[^'\"\n]+)|"
        r"image file is truncated|Truncated File Read",
        "an image cannot be read",
        "Replace or remove that image in the dataset, then start the job again.",
    ),
    (
        r"No space left on device|Errno 28\b|ENOSPC|Disk quota exceeded|"
        r"database or disk is full",
        "the server's disk is full",
        "Delete old checkpoints or jobs on the server or save less often, then start again.",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|"
        r"HIP out of memory|MPS backend out of memory|OOM during training step",
        "the GPU ran out of memory",
        "Use a lower resolution, a smaller batch or rank, or quantization.",
    ),
    (
        r"gated repo|GatedRepoError|Access to model .* is restricted|"
        r"awaiting a review from the repo authors|401 Client Error",
        "the model is gated and the server is not allowed to download it",
        "Accept the model's license on Hugging Face, and give the server a token of that account.",
    ),
    (
        r"(?:^|\s)(?P<name>\S+) is not a local folder and is not a valid model identifier|"
        r"We couldn't connect to 'https://huggingface\.co'|"
        r"RepositoryNotFoundError|LocalEntryNotFoundError",
        "the server does not have the model and cannot download it",
        "Check the model's name and that the server can reach Hugging Face; for a private model, "
        "give the server a token with client.settings.set(hf_token=…).",
    ),
    (
        r"CUDA error|device-side assert|illegal memory access|CUDNN_STATUS|NCCL error|"
        r"NVIDIA driver",
        "the GPU or its driver failed",
        "Resume the job from its last checkpoint; if it happens again, restart the server.",
    ),
    (
        r"signal SIGKILL|exit code 137|\bMemoryError\b|Cannot allocate memory",
        "the process was killed from outside, usually because the server ran out of main memory",
        "Give the server more memory or cache less, then start the job again.",
    ),
)


_BAR = re.compile(r"\d(it/s|s/it)\b|\r")
_AFTERWORDS = 12


def last_error(log: str) -> str:
    """Return the exception with which a log ends; empty if there is none, or the job went on."""
    *_, last = log.split("Traceback (most recent call last):\n")
    lines = last.splitlines() if last != log else []
    at = next((at for at, line in enumerate(lines) if line[:1].strip()), len(lines))
    after = lines[at + 1 :]
    if at == len(lines) or len(after) > _AFTERWORDS or _BAR.search(last[last.find(lines[at]) :]):
        return ""
    return lines[at][:200].rstrip(". ")


def explain(info: str, log: str) -> Reason | None:
    """Return the reason found in the server's words or the end of the log; None if unknown.

    The server's own words go first: the log may contain an error that was survived.
    """
    for text in (info, log):
        for pattern, words, remedy in _KNOWN:
            if match := re.search(pattern, text):
                name = match.groupdict().get("name")
                return Reason(f"{words}: {folder_name(name.strip())}" if name else words, remedy)
    return None
