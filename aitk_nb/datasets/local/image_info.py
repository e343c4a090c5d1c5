"""`ImageInfo`: what an image is, found by decoding it small, and whether it is complete."""

import io
import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from aitk_nb._display.images import FORMATS, MAX_PIXELS, has_alpha, quiet_about_size
from aitk_nb.backends.base import Progress
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.datasets.local.duplicates import dhash
from aitk_nb.datasets.local.problems import Code

WORKERS = min(8, os.cpu_count() or 1)
"""Images decoded at a time."""

_ALONE = 6_000_000
"""Decoded pixels from which images are processed one at a time, so that memory stays low."""
_ENOUGH = 96
"""Pixels on each side that suffice to compare images."""
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
"""Orientations that exchange width and height."""
_large = threading.Lock()


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What was found in one image; upright, as the trainer sees it."""

    width: int = 0
    """Pixels; 0 if it can't be read."""
    height: int = 0
    """Pixels."""
    format: str = ""
    """Format of its content, whatever its name says: `JPEG`, `PNG`, …"""
    mode: str = ""
    """Pillow's word for its colors, such as `RGB`, `RGBA`, `CMYK`, `I;16`."""
    is_turned: bool = False
    """True if EXIF says that it has to be turned or flipped to be upright."""
    is_transparent: bool = False
    """True if some pixels are transparent."""
    hash: int | None = None
    """128 bits that similar images share; None for a plain area, which has no features."""
    code: Code | None = None
    """What is wrong with it, if anything."""
    why: str = ""
    """What is wrong, in words that follow its name."""
    is_animated: bool = False
    """True if it has several frames."""
    profile: str = ""
    """Name of its color profile; empty where it makes no difference to ignore it."""

    @property
    def is_deep(self) -> bool:
        """True for more than 8 bits per color, which the trainer would cut off."""
        return self.mode.startswith(("I", "F"))

    @property
    def is_readable(self) -> bool:
        """True if it can be decoded."""
        return self.code is None


def read_all(
    paths: Sequence[Path], sizes: Sequence[int], progress: Progress | None = None
) -> list[ImageInfo]:
    """Read each image, several at a time; `progress` gets the bytes done and in total."""
    with quiet_about_size():
        return each_or_raise(
            read_image_info, paths, workers=WORKERS, sizes=sizes, progress=progress
        )


def one_large_at_a_time(image: Image.Image) -> AbstractContextManager[object]:
    """Return a context in which no other large image is decoded, if this one is large."""
    return _large if image.width * image.height > _ALONE else nullcontext()


def read_image_info(path: Path) -> ImageInfo:
    """Return what an image is; never raises for what is in the file."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return ImageInfo(code=Code.UNREADABLE, why="is empty (0 bytes)")
    except OSError as exc:
        return ImageInfo(code=Code.UNREADABLE, why=f"can't be opened: {exc.strerror or exc}")
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return _too_large(*image.size)
            if image.format == "PNG":
                image.verify()  # its checksums; loading it does not look at them all
        with Image.open(path, formats=FORMATS) as image:
            # A photo's preview and a gain map (MPO) are no animation.
            is_animated = image.format != "MPO" and getattr(image, "is_animated", False)
            profile = profile_name(image.mode, image.info.get("icc_profile") or b"")
            info = _decoded(path, image)
            return replace(info, is_animated=is_animated, profile=profile)
    except UnidentifiedImageError:
        return ImageInfo(code=Code.UNREADABLE, why="is not an image that can be read here")
    except Image.DecompressionBombError:
        return _too_large(0, 0)
    except Exception as exc:  # noqa: BLE001 - a damaged file can raise anything in a decoder
        why = (str(exc).splitlines() or [type(exc).__name__])[0][:100]
        return ImageInfo(code=Code.UNREADABLE, why=f"is damaged or truncated ({why})")


def _too_large(width: int, height: int) -> ImageInfo:
    much = f"{width * height / 1e6:.0f}" if width else "more than 170"
    why = f"has {much} megapixels, and the limit is {MAX_PIXELS // 10**6}"
    return ImageInfo(width, height, code=Code.TOO_MANY_PIXELS, why=why)


def _heavy(image: Image.Image) -> int:
    """Return the pixels from which decoding an image of this format takes too much memory."""
    if image.format in ("JPEG", "MPO"):
        return 12_000_000 if image.info.get("progressive") else MAX_PIXELS
    return 8_000_000 if image.format == "WEBP" else 24_000_000


def _only_measured(path: Path, image: Image.Image, turn: int) -> ImageInfo:
    """Return what a heavy image is without decoding it; only its end is checked.

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
        return ImageInfo(code=Code.UNREADABLE, why="is damaged or truncated (it has no end)")
    wide, high = image.size[::-1] if turn in _LYING else image.size
    return ImageInfo(wide, high, image.format or "", image.mode, turn in range(2, 9))


def _decoded(path: Path, image: Image.Image) -> ImageInfo:
    """Return what an opened image is, having read all of it."""
    width, height = image.size
    turn = image.getexif().get(_ORIENTATION, 1)
    kind, mode = image.format or "", image.mode
    if width * height > _heavy(image):
        return _only_measured(path, image, turn)
    if kind in ("JPEG", "MPO"):
        # Decoded at up to an eighth of its size: all is read, little is kept.
        image.draft(None, (_ENOUGH, _ENOUGH))
    with one_large_at_a_time(image):
        is_transparent, bits = _is_transparent(image), _hash(image)
    if turn in _LYING:
        width, height = height, width
    is_turned = turn in range(2, 9)
    return ImageInfo(width, height, kind, mode, is_turned, is_transparent, bits)


def _is_transparent(image: Image.Image) -> bool:
    image.load()
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return has_alpha(image) and bool(np.min(image.getextrema()[-1]) < 255)


def _hash(image: Image.Image) -> int | None:
    if image.mode.startswith(("I", "F")):
        return None
    # One channel says enough, and resizing images with alpha would copy them whole.
    is_layered = image.mode in ("RGBA", "LA", "PA")
    source = image.getchannel(min(1, len(image.getbands()) - 2)) if is_layered else image
    small = source.resize((_ENOUGH, _ENOUGH), Image.Resampling.BOX, reducing_gap=2.0)
    return dhash(ImageOps.exif_transpose(small).convert("L"))


# -- color profiles -------------------------------------------------------------------------------


_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode for the color space of a profile."""
_LEVELS = range(0, 256, 51)
_VISIBLE = 3
"""Levels of 256 by which a color may change without being another one."""


@lru_cache(maxsize=64)
def profile_name(mode: str, profile: bytes) -> str:
    """Return the name of a color profile; empty where it makes no difference to ignore it.

    Args:
        mode: Pillow's mode of the image.
        profile: Bytes of the ICC profile; empty for none.
    """
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        base = _base(mode)
        values = bytes(level for color in product(_LEVELS, repeat=len(base)) for level in color)
        swatch = Image.frombytes(base, (len(values) // len(base), 1), values)
        change = np.asarray(in_srgb(swatch, profile).convert("RGB"), int) - swatch.convert("RGB")
        name = ImageCms.getProfileDescription(opened).strip()
    except (OSError, ImageCms.PyCMSError):
        return ""
    return (name or "unnamed") if np.abs(change).max() > _VISIBLE else ""


def in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image in RGB or gray, without its transparency, in the colors of its profile.

    A profile that is damaged, or of another color space than the image, is ignored.
    """
    colors = image.convert(_base(image.mode))
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space.strip(), "")
        if mode == colors.mode or (mode, colors.mode) == ("RGB", "L"):
            target = ImageCms.createProfile("sRGB")
            to_srgb = ImageCms.buildTransform(opened, target, mode, "RGB")
            return to_srgb.apply(colors.convert(mode))
    except (OSError, ImageCms.PyCMSError):
        pass
    return colors if colors.mode == "L" else colors.convert("RGB")


def _base(mode: str) -> str:
    """Return the mode of the colors alone: `L`, `CMYK` or `RGB`."""
    if mode in ("1", "L", "LA") or mode.startswith(("I", "F")):
        return "L"
    return "CMYK" if mode == "CMYK" else "RGB"
