"""`Look`: what a picture is, found by decoding it small, and whether it is whole."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aitk_nb.datasets.local.duplicates import dhash
from aitk_nb.datasets.local.parallel import in_parallel
from aitk_nb.datasets.local.problems import Code

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FORMATS", "MAX_PIXELS", "Look", "look", "look_at_all", "quiet_about_size"]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is opened: Pillow knows dozens of formats, some of which start other programs."""

MAX_PIXELS = 64_000_000
"""A picture of more is not decoded: 64 megapixels already take 256 MB."""

_ALONE = 6_000_000
"""Decoded pixels from which a picture is looked at by itself, so that memory stays low."""
_ENOUGH = 96
"""Pixels on each side that suffice to compare pictures."""
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
"""Orientations that exchange width and height."""
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one picture; upright, as the trainer sees it."""

    width: int = 0
    """Pixels; 0 when it cannot be read."""
    height: int = 0
    """Pixels."""
    format: str = ""
    """Of its content, whatever its name says: `JPEG`, `PNG`, …"""
    mode: str = ""
    """Pillow's word for its colours, as `RGB`, `RGBA`, `CMYK`, `I;16`."""
    is_turned: bool = False
    """True when EXIF says that it has to be turned or flipped to be upright."""
    is_transparent: bool = False
    """True when some pixel can be seen through."""
    hash: int | None = None
    """128 bits that similar pictures share; None for a plain area, which has no features."""
    code: Code | None = None
    """What is wrong with it, if anything is."""
    why: str = ""
    """What is wrong, in words that follow its name."""

    @property
    def is_deep(self) -> bool:
        """True for more than 8 bits for each colour, which the trainer would cut off."""
        return self.mode.startswith(("I", "F"))

    @property
    def is_right(self) -> bool:
        """True when it can be decoded."""
        return self.code is None


def look_at_all(
    paths: Iterable[Path], sizes: Iterable[int], progress: Callable[[int, int], None] | None = None
) -> list[Look]:
    """Return a look at each picture, several at a time; `progress` gets bytes done and in all."""
    with quiet_about_size():
        return in_parallel(look, list(paths), list(sizes), progress)


@contextmanager
def quiet_about_size() -> Iterator[None]:
    """Let no warning of Pillow's tell of large pictures, which are a problem of their own here."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def look(path: Path) -> Look:
    """Return what a picture is; never raises for what is in the file."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return Look(code=Code.UNREADABLE, why="is empty (0 bytes)")
    except OSError as exc:
        return Look(code=Code.UNREADABLE, why=f"cannot be opened: {exc.strerror or exc}")
    return _looked(path)


def _looked(path: Path) -> Look:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return _too_large(*image.size)
            if image.format == "PNG":
                image.verify()  # its checksums; loading it does not look at them all
        with Image.open(path, formats=FORMATS) as image:
            return _decoded(path, image)
    except UnidentifiedImageError:
        return Look(code=Code.UNREADABLE, why="is not an image that can be read")
    except Image.DecompressionBombError:
        return _too_large(0, 0)
    except Exception as exc:  # noqa: BLE001 - a damaged file can raise anything in a decoder
        return Look(code=Code.UNREADABLE, why=f"is damaged or cut short ({_first_line(exc)})")


def _too_large(width: int, height: int) -> Look:
    much = f"{width * height / 1e6:.0f}" if width else "more than 170"
    why = f"has {much} megapixels, and at most {MAX_PIXELS // 10**6} are read"
    return Look(width, height, code=Code.TOO_MANY_PIXELS, why=why)


def _heavy(image: Image.Image) -> int:
    """Return the pixels from which decoding a picture of this kind takes too much memory."""
    if image.format in ("JPEG", "MPO"):
        return 12_000_000 if image.info.get("progressive") else MAX_PIXELS
    return 8_000_000 if image.format == "WEBP" else 24_000_000


def _only_measured(path: Path, image: Image.Image, turn: int) -> Look:
    """Return the look at a heavy picture, which is not decoded: only its end is looked for.

    The checksums of a PNG were compared before.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(max(0, size - 2**16))
        is_cut = image.format in ("JPEG", "MPO") and b"\xff\xd9" not in file.read()
    if image.format == "WEBP":
        is_cut = size < int.from_bytes(head[4:8], "little") + 8
    if is_cut:
        return Look(code=Code.UNREADABLE, why="is damaged or cut short (it has no end)")
    wide, high = image.size[::-1] if turn in _LYING else image.size
    return Look(wide, high, image.format or "", image.mode, turn in range(2, 9))


def _decoded(path: Path, image: Image.Image) -> Look:
    """Return the look at an opened picture, having read all of it."""
    width, height = image.size
    turn = image.getexif().get(_ORIENTATION, 1)
    kind, mode = image.format or "", image.mode
    if width * height > _heavy(image):
        return _only_measured(path, image, turn)
    if kind in ("JPEG", "MPO"):
        # Decoded at up to an eighth of its size: all is read, little is kept.
        image.draft(None, (_ENOUGH, _ENOUGH))
    if image.width * image.height > _ALONE:
        with _one_at_a_time:
            seen, bits = _seen_through(image), _hash(image)
    else:
        seen, bits = _seen_through(image), _hash(image)
    if turn in _LYING:
        width, height = height, width
    is_turned = turn in range(2, 9)
    return Look(width, height, kind, mode, is_turned, seen, bits)


def _seen_through(image: Image.Image) -> bool:
    image.load()
    if "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in ("RGBA", "LA", "PA", "La", "RGBa"):
        return False
    return bool(np.min(image.getextrema()[-1]) < 255)


def _hash(image: Image.Image) -> int | None:
    from PIL import Image, ImageOps

    if image.mode.startswith(("I", "F")):
        return None
    # One channel says enough, and resizing pictures with alpha would copy them whole.
    has_alpha = image.mode in ("RGBA", "LA", "PA")
    source = image.getchannel(min(1, len(image.getbands()) - 2)) if has_alpha else image
    small = source.resize((_ENOUGH, _ENOUGH), Image.Resampling.BOX, reducing_gap=2.0)
    return dhash(ImageOps.exif_transpose(small).convert("L"))


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:100]
