"""What a training job amounts to: images seen, epochs, checkpoints and disk space."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aitk_nb._units import size
from aitk_nb.training.fields import Fields


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training job amounts to; what is unknown is None."""

    images_seen: int
    steps_per_epoch: int | None
    epochs: float | None
    checkpoints: int
    """Files that are left at the end, the last one included."""
    disk: int | None
    """Bytes of these files."""

    def __str__(self) -> str:
        words = [f"{self.images_seen:,} images seen"]
        if self.steps_per_epoch and self.epochs is not None:
            epochs = f"{self.epochs:,.0f}" if self.epochs >= 100 else f"{self.epochs:.3g}"
            words += [f"{self.steps_per_epoch:,} steps per epoch", f"{epochs} epochs"]
        else:
            words.append("epochs unknown without the number of images")
        words.append(f"{self.checkpoints} checkpoint{'s' * (self.checkpoints != 1)} kept")
        if self.disk is None:
            words.append("disk unknown before the first checkpoint")
        else:
            words.append(f"about {size(self.disk)}")
        return " · ".join(words)


def plan(params: Fields, images: int | None = None, checkpoint_size: int | None = None) -> Plan:
    """Return what a training job amounts to.

    An epoch shows each image once at each resolution.

    Args:
        params: The parameters of the job.
        images: Number of images in the dataset; without it the epochs are unknown.
        checkpoint_size: Bytes of a checkpoint; without it the disk space is unknown.
    """
    at_once = params.batch_size * params.gradient_accumulation
    seen = params.steps * at_once
    shown = images * len(params.resolution) if images else None
    # The last step is saved as the LoRA, next to the numbered checkpoints.
    kept = min((params.steps - 1) // params.save_every, params.max_saves) + 1
    return Plan(
        images_seen=seen,
        steps_per_epoch=math.ceil(shown / at_once) if shown else None,
        epochs=seen / shown if shown else None,
        checkpoints=kept,
        disk=None if checkpoint_size is None else kept * checkpoint_size,
    )
