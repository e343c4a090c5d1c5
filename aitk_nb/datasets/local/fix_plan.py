"""`fix_plan`: which files a corrected copy has, from which originals, under which names."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from anyascii import anyascii

from aitk_nb.backends.webui import names
from aitk_nb.datasets.local.captions import (
    Edit,
    caption_path,
    captions_beside,
    read_caption,
    text_of,
)
from aitk_nb.datasets.local.contents import Contents, alike
from aitk_nb.datasets.local.duplicates import near, same_bytes
from aitk_nb.datasets.local.formats import SUFFIXES
from aitk_nb.datasets.local.image_info import ImageInfo
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.models.names import safe_file_name

_STEM = 100
"""Characters that a name keeps: some servers truncate long ones."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is different about one file in the copy."""

    file: str
    """Name of the original."""
    name: str
    """Name in the copy; empty if the file is left out."""
    text: str
    """What was done."""


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """One file of the copy."""

    name: str
    """Its path in the copy's folder."""
    source: Path | None = None
    """What it is made from; None for a caption, which is `text`."""
    text: str = ""
    is_converted: bool = False
    """False when it is copied byte for byte."""
    is_control: bool = False
    """True for a control image, whose transparent parts mean something."""
    size: int = 0
    """Bytes of the original."""


@dataclass
class _Plan:
    """The files and changes that are planned so far."""

    found: Contents
    requirements: Requirements
    caption: str
    files: list[CopiedFile] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    used: set[Path] = field(default_factory=set)
    """Captions of another name that were taken."""
    copies: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    """The files that are left out because they are the same as another one."""

    def leave_out(self, path: Path, why: str) -> None:
        self.changes.append(Change(shown(path), "", f"is left out: {why}"))

    def stem_for(self, path: Path) -> str:
        """Return a stem that no server changes, and that no other file has."""
        plain = anyascii(unicodedata.normalize("NFC", shown(path.stem)))
        safe = Path(safe_file_name(f"{names.file_name(plain)}.txt")).stem
        wanted = safe.lstrip(".")[:_STEM] or "image"
        stem, number = wanted, 2
        # Windows and macOS treat "A.png" and "a.png" as one name.
        while stem.casefold() in self.taken:
            stem, number = f"{wanted}_{number}", number + 1
        self.taken.add(stem.casefold())
        return stem


def fix_plan(
    found: Contents, requirements: Requirements, caption: str = "", *, drop_near: bool = False
) -> tuple[tuple[CopiedFile, ...], tuple[Change, ...]]:
    """Return the files of a corrected copy, and what is different in it."""
    plan = _Plan(found, requirements, caption)
    texts = {path.stem: path for path in found.caption_files}
    for path in list(_kept(plan, drop_near=drop_near)):
        _add_image(plan, path, found.image_info[path], texts)
    for path in found.media:
        if found.sizes[path]:
            _add_file(plan, path, plan.stem_for(path) + path.suffix.lower(), [], texts)
        else:
            plan.leave_out(path, "it is empty")
    for path in found.orphans:
        if path not in plan.used:
            plan.leave_out(path, "no image that is kept has this name")
    for problem in found.problems:
        if problem.code is Code.CAPTION_LOST:
            text = problem.message.removeprefix(f"{problem.file!r} ")
            plan.changes.append(Change(problem.file, "", text))
    return tuple(plan.files), tuple(plan.changes)


def _kept(plan: _Plan, *, drop_near: bool) -> Iterator[Path]:
    """Yield the images that the copy keeps."""
    found, infos = plan.found, plan.found.image_info
    usable = [path for path in found.all_images if _is_usable(plan, path, infos[path])]
    same = same_bytes((path, found.stamps[path][0]) for path in usable)
    for path, first in same.items():
        plan.copies[first].append(path)
        plan.leave_out(path, f"it is the same file as {shown(first)!r}")
    rest = [path for path in usable if path not in same]
    dropped: set[Path] = set()
    if drop_near:
        # The largest of those that look alike is kept.
        rest.sort(key=lambda path: -infos[path].width * infos[path].height)
        for later, earlier in near([infos[path].hash for path in rest]):
            dropped.add(rest[later])
            plan.leave_out(rest[later], f"it looks like {shown(rest[earlier])!r}")
    keep = set(rest) - dropped
    yield from (path for path in (*found.images, *found.foreign) if path in keep)


def _is_usable(plan: _Plan, path: Path, info: ImageInfo) -> bool:
    if info.code is Code.TOO_MANY_PIXELS and path.suffix.lower() in SUFFIXES["JPEG"]:
        return True
    if not info.is_readable:
        plan.leave_out(path, f"it {info.why}")
        return False
    return True


def _add_image(plan: _Plan, path: Path, info: ImageInfo, texts: Mapping[str, Path]) -> None:
    done = list(_conversions(info))
    suffixes = SUFFIXES.get(info.format, ())
    if done:
        suffix = ".jpg" if info.format in ("JPEG", "MPO", "") else ".png"
    else:
        suffix = path.suffix.lower() if path.suffix.lower() in suffixes else suffixes[0]
    _add_file(plan, path, plan.stem_for(path) + suffix, done, texts)


def _add_file(
    plan: _Plan, path: Path, name: str, done: list[str], texts: Mapping[str, Path]
) -> None:
    """Add an image, a video or a sound, with its caption and its control images."""
    size = plan.found.sizes.get(path, 0)
    plan.files.append(CopiedFile(name, path, is_converted=bool(done), size=size))
    if done or shown(path) != name:
        plan.changes.append(Change(shown(path), name, ", ".join(done) or "renamed"))
    stem = Path(name).stem
    _add_caption(plan, path, stem, texts)
    for controls in plan.found.controls:
        if control := controls.of(path):
            _add_control(plan, control, f"{controls.name}/{stem}")


def _conversions(info: ImageInfo) -> Iterator[str]:
    """Yield what has to be converted in an image."""
    if info.code is not None:
        yield "made smaller"
        return
    if info.is_turned:
        yield "turned upright"
    if info.is_transparent:
        yield "put on a background"
    if info.is_deep:
        yield "brought to 8 bits"
    if info.profile:
        yield "converted to sRGB"
    if info.is_animated:
        yield "reduced to its first frame"
    if info.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        yield f"converted from {info.mode}"
    if info.format not in SUFFIXES:
        yield f"converted from {info.format}"


def _add_control(plan: _Plan, path: Path, name: str) -> None:
    size = plan.found.sizes.get(path, 0)
    info = plan.found.image_info.get(path)
    if info is None:  # a video
        plan.files.append(CopiedFile(name + path.suffix.lower(), path, size=size))
        return
    if not info.is_readable:
        plan.leave_out(path, f"it {info.why}")
        return
    # Transparent parts mean something in a control image.
    done = any(_conversions(replace(info, is_transparent=False)))
    suffix = ".png" if done else SUFFIXES.get(info.format, (path.suffix.lower(),))[0]
    plan.files.append(
        CopiedFile(name + suffix, path, is_converted=done, is_control=True, size=size)
    )


# -- captions --------------------------------------------------------------------------------------


def _add_caption(plan: _Plan, image: Path, stem: str, texts: Mapping[str, Path]) -> None:
    text, done = _caption(plan, image, texts)
    trigger = plan.requirements.trigger_word
    if trigger and text and (named := Edit(trigger=trigger).of(text)) != text:
        text, done = named, f"{done}, " * bool(done) + "given the trigger word"
    if not text:
        return
    name = f"{stem}.txt"
    plan.files.append(CopiedFile(name, text=text))
    if not plan.found.sidecar(image):
        beside = [one for one in plan.found.sidecars if one in captions_beside(image)]
        plan.files += [CopiedFile(stem + one.suffix, one) for one in beside]
    if done:
        source = texts.get(image.stem)
        plan.changes.append(Change(shown(source or image), name, f"caption {done}"))


def _caption(plan: _Plan, image: Path, texts: Mapping[str, Path]) -> tuple[str, str]:
    """Return the caption of an image, and what was done for it."""
    if text := plan.found.captions.get(image.name):
        return text, ""
    own = texts.get(image.stem) or _misnamed(plan, image)
    if own is not None and (text := text_of(own)):
        if own.name != caption_path(image).name:
            return text, "found under another name"
        return text, "converted to UTF-8" * isinstance(read_caption(own), Problem)
    for one in (image, *plan.copies.get(image, ())):
        text, file = plan.found.elsewhere.get(one, ("", one))
        if one != image and plan.found.captions.get(one.name):
            text, file = plan.found.captions[one.name], one
        if text:
            return text, f"taken from {shown(file)!r}"
    return plan.caption, "completed" if plan.caption else ""


def _misnamed(plan: _Plan, image: Path) -> Path | None:
    """Return a caption whose name differs from the image's by case or by form of its letters."""
    found = (path for path in plan.found.orphans if alike(path.stem) == alike(image.stem))
    path = next(found, None)
    if path is not None:
        plan.used.add(path)
    return path
