"""`PodCost`: what a pod has cost, as billed; an estimate until the billing has it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aitk_nb.errors import UnexpectedReply
from aitk_nb.runpod.pod import Pod


@dataclass(frozen=True, slots=True)
class PodCost:
    """What a pod has cost in USD up to `read_at`, its disk included where it is billed.

    Example:
        >>> with aitk_nb.RunPod("demo:") as pods:
        ...     round(pods.cost(pods.create("paid")).amount, 2)
        0.0
    """

    amount: float
    """USD."""
    gpu: float
    """USD of that for the GPU."""
    disk: float
    """USD of that for the disk, which costs while the pod is stopped too."""
    estimated: bool
    """True if the billing does not have the pod yet: the price now times the time since its start,
    without the disk."""
    read_at: datetime

    def __str__(self) -> str:
        kind = "estimated, without the disk" if self.estimated else f"disk ${self.disk:.2f} of it"
        return f"${self.amount:.2f} ({kind}; read at {self.read_at:%H:%M:%S} UTC)"


def billed(answer: Mapping[str, Any], pod_id: str) -> PodCost | None:
    """Return the sum of a pod's records; None if there are none.

    Raises:
        UnexpectedReply: the answer is no list of records.
    """
    try:
        records = [one for one in answer["records"] if one["podId"] == pod_id]
        total, gpu, disk = (
            math.fsum(float(one[name]) for one in records)
            for name in ("totalAmount", "gpuAmount", "diskAmount")
        )
    except (LookupError, TypeError, ValueError) as exc:
        raise UnexpectedReply("read the pod's bill", "not a list of amounts") from exc
    return PodCost(total, gpu, disk, False, datetime.now(UTC)) if records else None


def estimated(pod: Pod, now: datetime) -> PodCost:
    """Return the price now times the time since the pod's start."""
    hours = max(0.0, (now - (pod.started or pod.created)).total_seconds() / 3600)
    amount = pod.price * hours
    return PodCost(amount, amount, 0.0, True, now)
