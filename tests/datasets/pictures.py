"""Pictures for tests: each name has a sight of its own."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image


def picture(path: Path, size: tuple[int, int] = (80, 60), mode: str = "RGB") -> Path:
    """Write a picture in the format of its suffix; other names look different."""
    image(path.name, size).convert(mode).save(path)
    return path


def image(seed: str, size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Return a picture of smooth blotches that no other seed has."""
    chance = random.Random(seed)
    blotches = Image.new("RGB", (7, 7))
    blotches.putdata([tuple(chance.randbytes(3)) for _ in range(49)])
    return blotches.resize(size, Image.Resampling.BICUBIC)


def add(folder: Path, *names: str, text: str = "a cat") -> None:
    """Write pictures and captions by their names."""
    folder.mkdir(exist_ok=True)
    for name in names:
        if name.lower().endswith(".txt"):
            (folder / name).write_text(text, encoding="utf-8")
        else:
            picture(folder / name)
