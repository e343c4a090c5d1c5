"""What a training job amounts to: epochs by the trainer's own rules, checkpoints and disk space.

A batch holds images of one bucket, a short one is filled up, and each resolution is a round of its
own (ostris/ai-toolkit 0.12.26: toolkit/data_loader.py, BucketsMixin, BaseSDTrainProcess.py).

Why it is so: docs/behavior.md#trainer
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple, TypeAlias

from aitk_nb._units import plural, size
from aitk_nb.training import presets
from aitk_nb.training.config_paths import folder_name, value_at
from aitk_nb.training.effective import divisibility, effective_of, resolutions
from aitk_nb.training.fields import Fields
from aitk_nb.training.job_config import draft

Files: TypeAlias = int | Sequence[tuple[int, int]]
"""The images of a dataset: how many, or better the width and height of each, in pixels."""


class Epoch(NamedTuple):
    """The steps of an epoch; two limits where the sizes of the images are not known."""

    low: float
    high: float

    @classmethod
    def of(cls, read: Mapping[str, Any], files: Mapping[str, Files]) -> Epoch | None:
        """Return the steps per epoch of a process.

        Args:
            read: The process as `effective.effective` returns it.
            files: The images of each dataset, by its name.

        Returns:
            The steps; None if a dataset is not in `files`, or a number is invalid.
        """
        try:
            low, high = _batches(read, files)
            per_step = int(value_at(read, "train.gradient_accumulation"))
            share = main_share(read)
            epoch = cls(low / per_step / share, high / per_step / share)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
            return None
        return epoch if epoch.low else None


def bucket_size(width: int, height: int, resolution: int, multiple: int = 16) -> tuple[int, int]:
    """Return the width and height, in pixels, to which the trainer resizes an image.

    Args:
        width: Width of the image, upright, in pixels.
        height: Height of the image in pixels.
        resolution: Training resolution in pixels.
        multiple: Pixels of which both sides are multiples, see `effective.divisibility`.
    """
    area = width * height
    most = resolution * resolution
    wanted = min(area, most)
    # The same steps in floating point as the trainer's, so that the same sizes round alike.
    scale = (wanted / area) ** 0.5
    across, down = (width * scale) / multiple, (height * scale) / multiple
    roundings = (math.floor, math.ceil)
    sizes = [(one(across), other(down)) for one, other in product(roundings, roundings)]
    sizes = [(columns * multiple, rows * multiple) for columns, rows in sizes]
    fitting = [(w, h) for w, h in sizes if w > 0 and h > 0 and w * h <= most]
    if not fitting:
        return max(multiple, sizes[0][0]), max(multiple, sizes[0][1])
    return min(fitting, key=lambda size: abs(size[0] * size[1] - wanted))


def main_share(read: Mapping[str, Any]) -> float:
    """Return the share of the steps that do not go to datasets for regularization.

    Even steps go to those, but for steps that save or sample.
    """
    steps = int(value_at(read, "train.steps"))
    if not any(entry["is_reg"] for entry in read["datasets"]) or steps < 1:
        return 1.0
    save = value_at(read, "save.save_every") or 0
    sample, start = value_at(read, "sample.sample_every") or 0, 0
    if value_at(read, "train.disable_sampling"):
        sample = 0
    else:
        start = value_at(read, "sample.sample_start_step") or 0
    main = steps // 2
    if save:
        main += _multiples(math.lcm(2, save), 0, steps)
    if sample:
        main += _multiples(math.lcm(2, sample), start, steps)
    if save and sample:
        main -= _multiples(math.lcm(2, save, sample), start, steps)
    return main / steps


def _multiples(of: int, low: int, high: int) -> int:
    """Return how many multiples of a number are in `range(low, high)`."""
    return max(0, math.ceil(high / of) - math.ceil(low / of))


def _batches(read: Mapping[str, Any], files: Mapping[str, Files]) -> tuple[int, int]:
    """Return how many batches show each image once: at least, and at most."""
    usual = int(value_at(read, "train.batch_size"))
    arch = str(value_at(read, "model.arch"))
    low = high = items = 0
    for entry in read["datasets"]:
        if entry["is_reg"]:
            continue
        found = files[folder_name(entry["folder_path"])]
        copies = max(1, entry["num_repeats"]) * 2 ** (bool(entry["flip_x"]) + bool(entry["flip_y"]))
        at_once = usual if entry["batch_size"] is None else int(entry["batch_size"])
        for resolution in resolutions(entry):
            least, most = _rounds(found, entry, int(resolution), arch, copies, at_once)
            low, high = low + least, high + most
            items += (found if isinstance(found, int) else len(found)) * copies
    if all(entry["buckets"] for entry in read["datasets"]):
        return low, high
    # Without buckets, all datasets are one.
    return (math.ceil(items / usual),) * 2


def _rounds(
    found: Files, entry: Mapping[str, Any], resolution: int, arch: str, copies: int, at_once: int
) -> tuple[int, int]:
    count = found if isinstance(found, int) else len(found)
    if entry["square_crop"]:
        return (math.ceil(count * copies / at_once),) * 2
    if isinstance(found, int) or _has_lengths(entry, arch):
        # All in one bucket at best; at worst each image has one of its own, with its copies.
        return math.ceil(count * copies / at_once), count * math.ceil(copies / at_once)
    multiple, scale = divisibility(arch), entry["scale"]
    sizes = ((int(width * scale), int(height * scale)) for width, height in found)
    buckets = Counter(bucket_size(*size, resolution, multiple) for size in sizes)
    return (sum(math.ceil(many * copies / at_once) for many in buckets.values()),) * 2


def _has_lengths(entry: Mapping[str, Any], arch: str) -> bool:
    """Return whether buckets are by the length of videos or sounds as well."""
    preset = presets.load().get(arch)
    frames = entry["num_frames"] > 1 or entry["auto_frame_count"]
    return bool(frames or (preset and preset.group == "audio"))


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
