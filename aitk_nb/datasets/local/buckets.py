"""`BucketPlan`: which size the trainer gives each image, how much it crops, and steps per epoch.

The trainer shrinks an image to the area of the resolution (it never enlarges one), rounds both
sides to multiples of the architecture's, scales the image over that size and crops the middle.
Images of one size are one bucket, and a batch comes from one bucket. Each resolution is a round of
its own in every epoch (ostris/ai-toolkit, toolkit/buckets.py and BucketsMixin, August 2026).

Why it is so: docs/behavior.md#trainer
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb._units import plural
from aitk_nb.errors import BadInput
from aitk_nb.training.plan import bucket_size


class Placed(NamedTuple):
    """The bucket of one image at one resolution."""

    width: int
    """Of its bucket, in pixels."""
    height: int
    """Of its bucket, in pixels."""
    cropped: float
    """Share of its area that is cut off, 0 to 1."""
    is_full: bool
    """False for an image that is smaller than the resolution: it is never enlarged."""


def place(width: int, height: int, resolution: int, divisibility: int = 16) -> Placed:
    """Return the bucket of an image of this size, and how much of it is cut off there."""
    wide, high = bucket_size(width, height, resolution, divisibility)
    scale = max(wide / width, high / height)
    scaled = math.ceil(width * scale) * math.ceil(height * scale)
    is_full = width * height >= resolution * resolution
    return Placed(wide, high, max(0.0, 1 - wide * high / scaled), is_full)


class Bucket(NamedTuple):
    """The images that get one size at one resolution."""

    resolution: int
    width: int
    height: int
    images: tuple[str, ...]
    """Their names."""
    cropped: float
    """Mean share of their areas that is cut off."""
    most_cropped: float
    """The largest such share."""
    small: int
    """How many are smaller than the resolution."""
    steps: int
    """Steps per epoch."""


@dataclass(frozen=True)
class BucketPlan:
    """The buckets of a dataset, for some resolutions and a batch size."""

    buckets: tuple[Bucket, ...]
    """By resolution, the fullest first."""
    placed: Mapping[tuple[str, int], Placed]
    """The bucket of each image, by its name and the resolution."""
    batch_size: int
    divisibility: int
    """Pixels of which both sides are multiples."""

    @cached_property
    def resolutions(self) -> tuple[int, ...]:
        """The resolutions, in the order in which they were given."""
        return tuple(dict.fromkeys(bucket.resolution for bucket in self.buckets))

    @property
    def images(self) -> int:
        """The number of images."""
        return len({name for name, _ in self.placed})

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in which every image is seen once at every resolution."""
        return sum(bucket.steps for bucket in self.buckets)

    def epochs(self, steps: int) -> float:
        """Return how many times every image is seen at every resolution in `steps` steps."""
        return steps / self.steps_per_epoch if self.steps_per_epoch else 0.0

    def table(self) -> Table:
        """Return one row for each bucket."""
        rows = [
            (
                bucket.resolution,
                f"{bucket.width} × {bucket.height}",
                len(bucket.images),
                f"{bucket.cropped:.1%}",
                f"{bucket.most_cropped:.1%}",
                bucket.small or "",
                bucket.steps,
            )
            for bucket in self.buckets
        ]
        headers = ("resolution", "bucket", "images", "cropped", "at most", "small", "steps")
        return Table(headers, tuple(rows), str(self))

    def __str__(self) -> str:
        batch = f", {self.batch_size} at a time" if self.batch_size > 1 else ""
        return (
            f"{plural(self.images, 'image')} in {plural(len(self.buckets), 'bucket')}{batch}: "
            f"{plural(self.steps_per_epoch, 'step')} per epoch"
        )

    def __repr__(self) -> str:
        return f"<BucketPlan {self}>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        table = self.table()
        return html.bundle(f"{self!r}\n{table!r}", table._repr_html_())


def plan(
    sizes: Mapping[str, tuple[int, int]],
    resolution: Sequence[int],
    *,
    divisibility: int = 16,
    batch_size: int = 1,
    repeats: int = 1,
) -> BucketPlan:
    """Return the buckets of images of these sizes (width and height in pixels, upright).

    Raises:
        BadInput: A number is below 1.
    """
    if not resolution or min(*resolution, divisibility, batch_size, repeats) < 1:
        raise BadInput("Resolutions, batch size and repeats must be at least 1.")
    placed: dict[tuple[str, int], Placed] = {}
    buckets: list[Bucket] = []
    for pixels in dict.fromkeys(resolution):
        members: dict[tuple[int, int], list[str]] = defaultdict(list)
        for name, (width, height) in sizes.items():
            where = place(width, height, pixels, divisibility)
            placed[name, pixels] = where
            members[where.width, where.height].append(name)
        found = []
        for size, names in members.items():
            cropped = [placed[name, pixels].cropped for name in names]
            mean, most = sum(cropped) / len(cropped), max(cropped)
            small = sum(not placed[name, pixels].is_full for name in names)
            steps = math.ceil(len(names) * repeats / batch_size)
            found.append(Bucket(pixels, *size, tuple(names), mean, most, small, steps))
        buckets += sorted(found, key=lambda bucket: (-len(bucket.images), bucket[1:3]))
    return BucketPlan(tuple(buckets), placed, batch_size, divisibility)
