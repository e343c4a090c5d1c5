"""`image_problem`: whether an image file can be decoded to its end."""

from __future__ import annotations

from pathlib import Path

__all__ = ["image_problem"]

# Pillow knows dozens of formats, some of which start other programs; these are pictures.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def image_problem(path: Path, *, decode: bool = True) -> str | None:
    """Return what is wrong with a file in words that follow its name, None when it is sound.

    Without `decode` it is only opened, and must not be empty.
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return "is empty (0 bytes)"
    except OSError as exc:
        return f"cannot be opened: {exc.strerror or exc}"
    return _decoding_problem(path) if decode else None


def _decoding_problem(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=_FORMATS) as image:
            image.verify()
        with Image.open(path, formats=_FORMATS) as image:
            # A JPEG is then decoded at an eighth of its size: all is read, little is kept.
            image.draft(None, (1, 1))
            image.load()
    except UnidentifiedImageError:
        return "is not an image that can be read"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "has too many pixels: make it smaller"
    except Exception as exc:  # noqa: BLE001 - a damaged file can raise anything in a decoder
        return f"is damaged or cut short ({_first_line(exc)}): export it again"
    return None


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:100]
