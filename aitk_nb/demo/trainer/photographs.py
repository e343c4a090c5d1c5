"""The photographs of a job's datasets, made small and cut into patches."""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from aitk_nb.demo.trainer.config import DatasetConfig, JobConfig
from aitk_nb.demo.trainer.flow import Picture
from aitk_nb.demo.trainer.patches import SIDE, Grid, encode, grid_of

SHRINK = 16
"""A picture of the bucket 512 x 512 is trained with 32 x 32 pixels."""

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Lesson:
    """A picture, and how often its caption is left out."""

    picture: Picture
    dropout: float


Batch: TypeAlias = tuple[Lesson, ...]
"""The pictures that are shown at once."""


def load(config: JobConfig, say: Callable[[str], None]) -> tuple[list[Batch], list[Batch]]:
    """Return the batches of all datasets, a round for each resolution, and those that regularize.

    A batch has pictures of one bucket, and a short one is filled up with its own.

    Raises:
        FileNotFoundError: a folder is missing, or holds no images.
        OSError: an image cannot be read.
    """
    main: list[Batch] = []
    regularizing: list[Batch] = []
    for dataset in config.datasets:
        into = regularizing if dataset.for_regularization else main
        for resolution in dataset.resolutions:
            into += _batches(dataset, resolution, config, say)
    if not main:
        raise AttributeError("'NoneType' object has no attribute 'get_caption_list'")
    return main, regularizing


def _batches(
    dataset: DatasetConfig, resolution: int, config: JobConfig, say: Callable[[str], None]
) -> list[Batch]:
    say(f"Dataset: {dataset.folder}")
    say("  -  Preprocessing image dimensions")
    files = image_files(dataset.folder)
    buckets: dict[tuple[int, int], list[Lesson]] = {}
    for file in files:
        caption = _caption(file, dataset, config.trigger)
        size, shown = pictures(file, caption, resolution, dataset.flips)
        bucket = buckets.setdefault(bucket_size(*size, resolution, config.divisibility), [])
        bucket += [Lesson(picture, dataset.dropout) for picture in shown] * dataset.repeats
    say(f"  -  Found {len(files) * dataset.repeats} images")
    for axis, flips in zip("xy", dataset.flips, strict=True):
        if flips:
            say(f"  -  adding {axis} axis flips")
    if any(dataset.flips):
        say(f"  -  Found {sum(map(len, buckets.values()))} images after adding flips")
    say(f"Bucket sizes for {dataset.folder}:")
    for (width, height), bucket in buckets.items():
        say(f"{width}x{height}: {len(bucket)} files")
    say(f"{len(buckets)} buckets made")
    return [
        tuple(islice(cycle(part), dataset.batch_size))
        for bucket in buckets.values()
        for part in (
            bucket[start : start + dataset.batch_size]
            for start in range(0, len(bucket), dataset.batch_size)
        )
    ]


def bucket_size(width: int, height: int, resolution: int, multiple: int) -> tuple[int, int]:
    """Return the size in pixels that AI Toolkit's trainer would give an image.

    Of the sizes around the scaled one, that nearest to its area and not above the resolution's.
    """
    most = resolution**2
    area = min(width * height, most)
    scale = (area / (width * height)) ** 0.5 / multiple
    sides = [
        [math.floor(side * scale) * multiple, math.ceil(side * scale) * multiple]
        for side in (width, height)
    ]
    fitting = [(wide, high) for wide in sides[0] for high in sides[1] if 0 < wide * high <= most]
    if not fitting:
        return max(multiple, sides[0][0]), max(multiple, sides[1][0])
    return min(fitting, key=lambda size: abs(size[0] * size[1] - area))


def image_files(folder: Path) -> list[Path]:
    """Return the images in a folder and below, in the order of their names.

    Raises:
        FileNotFoundError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"The dataset folder {folder} does not exist.")
    found = sorted(_walk(folder))
    if not found:
        raise FileNotFoundError(f"No images were found in {folder}.")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_controls"))]
        for name in files:
            if name.lower().endswith(_ENDINGS) and not name.startswith("."):
                yield Path(root, name)


def _caption(file: Path, dataset: DatasetConfig, trigger: str) -> str:
    beside = file.with_suffix("").with_name(file.stem + dataset.caption_ext)
    text = beside.read_text("utf-8", "replace").strip() if beside.is_file() else ""
    text = (text or dataset.default_caption).replace("[trigger]", trigger)
    return text if not trigger or trigger in text else f"{trigger} {text}"


def pictures(
    file: Path, caption: str, resolution: int, flips: tuple[bool, bool] = (False, False)
) -> tuple[tuple[int, int], list[Picture]]:
    """Return the size of an image, upright, and its picture with the mirrored copies."""
    try:
        with Image.open(file) as opened:
            width, height = opened.size
            # A JPEG can be read at a fraction of its size, which spares most of the work.
            opened.draft("RGB", (resolution, resolution))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise OSError(f"The image {file} cannot be read: {exc}") from exc
    if (width > height) != (upright.width > upright.height):
        width, height = height, width
    area = (resolution / SHRINK) ** 2
    grid = _same(grid_of(area, upright.width / upright.height))
    size = (grid.columns * SIDE, grid.rows * SIDE)
    pixels = np.asarray(upright.resize(size, Image.Resampling.LANCZOS), np.float32) / 127.5 - 1
    variants = [pixels]
    if flips[0]:
        variants += [variant[:, ::-1] for variant in variants]
    if flips[1]:
        variants += [variant[::-1] for variant in variants]
    return (width, height), [
        Picture(grid, np.ascontiguousarray(encode(variant, grid)), caption) for variant in variants
    ]


@cache
def _same(grid: Grid) -> Grid:
    """Return one object for equal grids: it keeps matrices that take time to make."""
    return grid
