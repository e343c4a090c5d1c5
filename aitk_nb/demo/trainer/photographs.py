"""The photographs of a job's datasets, made small and cut into patches."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

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


def load(config: JobConfig, say: Callable[[str], None]) -> list[Lesson]:
    """Return the pictures of all datasets, once for each resolution, repeat and flip.

    Raises:
        FileNotFoundError: a folder is missing, or holds no images.
        OSError: an image cannot be read.
    """
    lessons: list[Lesson] = []
    for dataset in config.datasets:
        for resolution in dataset.resolutions:
            lessons += _lessons(dataset, resolution, config.trigger, say)
    if not lessons:
        raise ValueError("The job has no dataset to train on.")
    return lessons


def _lessons(
    dataset: DatasetConfig, resolution: int, trigger: str, say: Callable[[str], None]
) -> list[Lesson]:
    say(f"Dataset: {dataset.folder}")
    say("  -  Preprocessing image dimensions")
    files = image_files(dataset.folder)
    pictures = [
        picture
        for file in files
        for picture in _pictures(file, _caption(file, dataset, trigger), resolution, dataset.flips)
    ] * dataset.repeats
    say(f"  -  Found {len(files)} images")
    say(f"Bucket sizes for {dataset.folder}:")
    buckets = Counter(picture.grid for picture in pictures)
    for grid, count in buckets.items():
        scale = SIDE * SHRINK
        say(f"{grid.columns * scale}x{grid.rows * scale}: {count} files")
    say(f"{len(buckets)} buckets made")
    return [Lesson(picture, dataset.dropout) for picture in pictures]


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
    beside = file.with_suffix(f".{dataset.caption_ext}")
    text = beside.read_text("utf-8", "replace").strip() if beside.is_file() else ""
    text = (text or dataset.default_caption).replace("[trigger]", trigger)
    return text if not trigger or trigger in text else f"{trigger} {text}"


def _pictures(
    file: Path, caption: str, resolution: int, flips: tuple[bool, bool]
) -> Iterator[Picture]:
    try:
        with Image.open(file) as opened:
            # A JPEG can be read at a fraction of its size, which spares most of the work.
            opened.draft("RGB", (resolution, resolution))
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise OSError(f"The image {file} cannot be read: {exc}") from exc
    area = (resolution / SHRINK) ** 2
    grid = _same(grid_of(area, upright.width / upright.height))
    size = (grid.columns * SIDE, grid.rows * SIDE)
    pixels = np.asarray(upright.resize(size, Image.Resampling.LANCZOS), np.float32) / 127.5 - 1
    variants = [pixels]
    if flips[0]:
        variants += [variant[:, ::-1] for variant in variants]
    if flips[1]:
        variants += [variant[::-1] for variant in variants]
    for variant in variants:
        yield Picture(grid, np.ascontiguousarray(encode(variant, grid)), caption)


@cache
def _same(grid: Grid) -> Grid:
    """Return one object for equal grids: it keeps matrices that take time to make."""
    return grid
