"""What a training job amounts to: epochs, checkpoints and disk space."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aitk_nb._units import plural, size
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.effective import effective_of
from aitk_nb.training.epochs import Epoch, Files
from aitk_nb.training.fields import Fields
from aitk_nb.training.job_config import draft


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training job amounts to by the trainer's own rules; what is unknown is None."""

    steps: int
    epoch: Epoch | None
    """Steps per epoch."""
    checkpoints: int
    """Files that are left at the end, the last one included."""
    disk: int | None
    """Bytes of these files."""

    @property
    def epochs(self) -> tuple[float, float] | None:
        """How often each image is shown at each resolution: at least, and at most."""
        if self.epoch is None:
            return None
        # A job file may hold any whole number, also one that no float can.
        steps = Decimal(self.steps)
        return float(steps / Decimal(self.epoch.high)), float(steps / Decimal(self.epoch.low))

    @property
    def schedule(self) -> str:
        """The steps and epochs in words."""
        words = [_counted((self.steps, self.steps), "step")]
        if self.epoch is None or self.epochs is None:
            words.append("epochs unknown without the number of images")
        else:
            per_epoch = _counted(self.epoch, "step")
            words += [f"{per_epoch} per epoch", _counted(self.epochs, "epoch")]
        if self.epoch and self.epoch.low < self.epoch.high:
            words.append("the sizes of the images decide")
        return " · ".join(words)

    def __str__(self) -> str:
        # The last file is the LoRA itself, and does not count as a checkpoint to keep.
        words = [self.schedule, f"{plural(self.checkpoints - 1, 'checkpoint')} and the LoRA kept"]
        if self.disk is None:
            words.append("disk unknown before the first checkpoint")
        else:
            words.append(f"about {size(self.disk)}")
        return " · ".join(words)


def _counted(limits: tuple[float, float], noun: str) -> str:
    text = " to ".join(dict.fromkeys(map(_number, limits)))
    return f"{text} {noun}{'' if text == '1' else 's'}"


def _number(value: float) -> str:
    if abs(value) >= 1e15:
        return f"{Decimal(value):.3g}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plan(
    params: Fields, files: Mapping[str, Files] | None = None, checkpoint_size: int | None = None
) -> Plan:
    """Return what a training job amounts to.

    Args:
        params: The parameters of the job.
        files: The images of each dataset by its name: how many, or their widths and heights in
            pixels. Without them the epochs are unknown, and without the sizes they may be a range.
        checkpoint_size: Bytes of a checkpoint; without it the disk space is unknown.
    """
    read = effective_of(draft(params).config)
    steps, every, most = (
        value_at(read, path)
        for path in ("train.steps", "save.save_every", "save.max_step_saves_to_keep")
    )
    steps = steps if isinstance(steps, int) else params.steps
    # The last step is saved as the LoRA, next to the numbered checkpoints.
    saves = max(0, steps - 1) // every if isinstance(every, int) and every > 0 else 0
    kept = (min(saves, most) if isinstance(most, int) and most > 0 else saves) + 1
    return Plan(
        steps=steps,
        epoch=Epoch.of(read, files or {}),
        checkpoints=kept,
        disk=None if checkpoint_size is None else kept * checkpoint_size,
    )
