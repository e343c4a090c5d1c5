"""`fix`: a corrected copy of a dataset, which appears when it is complete."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageColor, ImageOps
from pydantic import TypeAdapter

from aitk_nb._display.images import FORMATS, MAX_PIXELS, has_alpha, opaque, quiet_about_size
from aitk_nb.backends.base import Progress
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.datasets.local.captions import ENDINGS
from aitk_nb.datasets.local.fix_plan import Change, CopiedFile, fix_plan
from aitk_nb.datasets.local.image_info import WORKERS, in_srgb, one_large_at_a_time
from aitk_nb.datasets.local.problems import shown
from aitk_nb.datasets.local.scanned import Scanned
from aitk_nb.errors import BadInput

MARK = ".aitk-fix.json"
"""Lies in a corrected copy: what it was made of, and its files. Servers get no dot-files."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a copy is corrected."""

    caption: str = ""
    """For images that have none."""
    background: str = "white"
    """Behind transparent images; any color that Pillow knows."""
    near_duplicates: Literal["keep", "drop"] = "keep"


@dataclass(frozen=True)
class _Mark:
    """What a corrected copy was made of, and its files."""

    made_of: str
    changes: tuple[Change, ...]
    files: dict[str, list[int]]


def fix(
    dataset: Scanned, out_dir: Path, options: Options, progress: Progress | None = None
) -> tuple[tuple[Change, ...], bool]:
    """Write a corrected copy of `dataset` into `out_dir`; see `LocalDataset.fix`.

    Returns:
        What is different in the copy, and whether it was written now.

    Raises:
        BadInput: `out_dir` can't be written, overlaps the dataset, or holds other files.
    """
    _check_folder(dataset, out_dir)
    _check_color(options.background)
    drop_near = options.near_duplicates == "drop"
    files, changes = fix_plan(
        dataset.contents, dataset.requirements, options.caption, drop_near=drop_near
    )
    made_of = _fingerprint(options, files)
    mark = _read_mark(out_dir)
    untouched = mark is not None and mark.files == _stamps(out_dir)
    if mark is not None and untouched and mark.made_of == made_of:
        return mark.changes, False
    if out_dir.is_dir() and any(out_dir.iterdir()) and not untouched:
        raise BadInput(
            f"{out_dir} holds files that fix() did not write, or that were changed since. "
            "Choose another output folder."
        )
    with _appearing(out_dir) as draft:
        changes = (*changes, *_write(files, draft, options.background, progress))
        body = {"made_by": "aitk-nb", **asdict(_Mark(made_of, changes, _stamps(draft)))}
        (draft / MARK).write_text(json.dumps(body, indent=1), encoding="utf-8")
    return changes, True


def _check_folder(dataset: Scanned, out_dir: Path) -> None:
    target, source = out_dir.resolve(), dataset.folder.resolve()
    overlap = target.is_relative_to(source) or source.is_relative_to(target)
    if overlap and dataset.contents.trained:
        raise BadInput("The output folder and the dataset overlap; choose another output folder.")
    if out_dir.exists() and not out_dir.is_dir():
        raise BadInput(f"{out_dir} is a file; choose a folder.")


def _check_color(color: str) -> None:
    try:
        ImageColor.getrgb(color)
    except ValueError as exc:
        raise BadInput(f"Unknown color {color!r}; use for example 'white' or '#808080'.") from exc


# -- writing ---------------------------------------------------------------------------------------


def _write(
    files: Sequence[CopiedFile], draft: Path, background: str, progress: Progress | None
) -> Iterator[Change]:
    """Write all files into `draft`, and yield those that failed."""
    sizes = [file.size for file in files]
    with quiet_about_size():
        failed = each_or_raise(
            lambda file: _write_one(file, draft / file.name, background),
            files,
            workers=WORKERS,
            sizes=sizes,
            progress=progress,
        )
    for file, why in zip(files, failed, strict=True):
        if why and file.source is not None:
            # A caption without its image would be one more problem.
            for ending in ENDINGS:
                (draft / file.name).with_suffix(ending).unlink(missing_ok=True)
            yield Change(shown(file.source), "", why)


def _write_one(file: CopiedFile, target: Path, background: str) -> str:
    """Write one file; return why it could not be, empty when it was."""
    target.parent.mkdir(exist_ok=True)
    try:
        if file.source is None:
            target.write_bytes(f"{file.text}\n".encode("utf-8", "replace"))
        elif file.is_converted:
            convert(file.source, target, None if file.is_control else background)
        else:
            shutil.copyfile(file.source, target)
    except MemoryError:
        return "is left out: it takes too much memory"
    except Exception as exc:  # a damaged image can raise anything in a decoder
        if isinstance(exc, OSError) and not file.is_converted:
            raise
        target.unlink(missing_ok=True)
        why = str(exc)[:100] if isinstance(exc, OSError) else type(exc).__name__
        return f"is left out: it can't be converted ({why})"
    return ""


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Yield a folder that becomes `folder` if the block ends without an error."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fixing-") as name:
            draft, old = Path(name, "copy"), Path(name, "old")
            draft.mkdir()
            yield draft
            try:
                if folder.exists():
                    folder.replace(old)
                draft.replace(folder)
            except BaseException:
                if old.exists() and not folder.exists():
                    old.replace(folder)
                raise
    except OSError as exc:
        raise BadInput(f"{folder} can't be written: {exc.strerror or exc}.") from exc


# -- recognizing it --------------------------------------------------------------------------------


def _fingerprint(options: Options, files: Sequence[CopiedFile]) -> str:
    """Return what changes when the originals, the options or the requirements change."""
    entries: list[object] = [asdict(options)]
    for file in files:
        stamp = _stamp(file.source) if file.source else (0, 0)
        entries.append([file.name, file.text, file.is_converted, file.is_control, *stamp])
    text = json.dumps(entries, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> list[int]:
    about = path.stat()
    return [about.st_size, about.st_mtime_ns]


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Return size and modification time of all files of a copy, by their names."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): _stamp(path)
        for path in paths
        if not path.name.startswith(".")
    }


def _read_mark(folder: Path) -> _Mark | None:
    try:
        return TypeAdapter(_Mark).validate_json((folder / MARK).read_bytes())
    except (OSError, ValueError):
        return None


# -- converting -----------------------------------------------------------------------------------


_QUALITY = 95


def convert(source: Path, target: Path, background: str | None = "white") -> None:
    """Write the image upright, in sRGB and with 8 bits, as PNG or JPEG by the target's suffix.

    It is put on the background, or stays transparent where that is None. Of an animation the first
    frame is taken, and a JPEG of more than 64 megapixels is decoded smaller. No metadata is kept:
    no place, no camera, no hidden preview.

    Raises:
        OSError: It can't be decoded or written.
    """
    with Image.open(source, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            if image.format not in ("JPEG", "MPO"):
                raise OSError("it has too many pixels")
            image.draft(None, (image.width // 4, image.height // 4))
        with one_large_at_a_time(image):
            profile = image.info.get("icc_profile") or b""
            upright = ImageOps.exif_transpose(image)
            plain = in_srgb(_eight_bits(upright), profile)
            if has_alpha(upright):
                plain = plain.convert("RGB")
                plain.putalpha(upright.convert("RGBA").getchannel("A"))
                plain = plain if background is None else opaque(plain, background)
            # What exif_transpose leaves in the image's info would be written again.
            plain.info = {}
            if target.suffix.lower() == ".png":
                plain.save(target, "PNG")
            else:
                plain.save(target, "JPEG", quality=_QUALITY, subsampling=0)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image with at most 8 bits per color, which keeps its range of brightness."""
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high)
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float64))
        top = values.max(initial=0)
        if image.mode == "I" and top > 255:
            top = 65535.0
        scale = 255.0 / top if top > 0 else 1.0
        return Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
    return image
