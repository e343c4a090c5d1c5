"""How many steps the trainer takes to show a job's datasets once: an epoch, by its own rules.

A batch holds images of one bucket, a short one is filled up, and each resolution is a round of its
own (ostris/ai-toolkit 0.12.26: toolkit/data_loader.py, BucketsMixin, BaseSDTrainProcess.py).

Why it is so: docs/behavior.md#trainer
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, TypeAlias

from aitk_nb.training import presets
from aitk_nb.training.config_paths import folder_name, value_at
from aitk_nb.training.effective import divisibility, resolutions

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
