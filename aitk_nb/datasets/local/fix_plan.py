"""`fix_plan`: which files a corrected copy has, from which originals, under which names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aitk_nb.backends.webui import names
from aitk_nb.datasets.local.captions import Edit, decoded
from aitk_nb.datasets.local.contents import Contents
from aitk_nb.datasets.local.duplicates import near, same_bytes
from aitk_nb.datasets.local.image_info import Look, look
from aitk_nb.datasets.local.problems import Code, shown
from aitk_nb.datasets.local.requirements import Demands, divisibility
from aitk_nb.models.names import safe_file_name

__all__ = ["Change", "Step", "fix_plan"]

_STEM = 100
"""Characters that a name keeps: some servers cut long ones."""
_SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "PNG": (".png",)}
_SUFFIXES["WEBP"] = (".webp",)


@dataclass(frozen=True, slots=True)
class Change:
    """What is different in the copy about one file."""

    file: str
    """Name of the original."""
    name: str
    """Name in the copy; empty for what is left out."""
    text: str
    """What was done."""


@dataclass(frozen=True, slots=True)
class Step:
    """One file of the copy."""

    name: str
    """Its path below the copy's folder."""
    source: Path | None = None
    """What it is made from; None for a caption, which is `text`."""
    text: str = ""
    is_converted: bool = False
    """False when it is copied byte for byte."""
    size: int = 0
    """Bytes of the original."""


@dataclass
class _Plan:
    """A plan that is being made."""

    found: Contents
    demands: Demands
    caption: str
    steps: list[Step] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def leave_out(self, path: Path, why: str) -> None:
        self.changes.append(Change(shown(path), "", why))

    def stem_for(self, path: Path) -> str:
        """Return a stem that no server changes, and that no other file has."""
        safe = Path(safe_file_name(f"{shown(path.stem)}.txt")).stem
        wanted = names.file_name(safe).lstrip(".")[:_STEM] or "image"
        stem, number = wanted, 2
        # Windows and macOS take "A.png" and "a.png" for one name.
        while stem.casefold() in self.taken:
            stem, number = f"{wanted}_{number}", number + 1
        self.taken.add(stem.casefold())
        return stem


def fix_plan(
    found: Contents, demands: Demands, caption: str = "", *, drop_near: bool = False
) -> tuple[tuple[Step, ...], tuple[Change, ...]]:
    """Return the files of a corrected copy, and what is different in it."""
    plan = _Plan(found, demands, caption)
    texts = {path.stem: path for path in found.caption_files}
    looks = dict(found.looks) | {path: look(path) for path in found.foreign}
    kept = list(_kept(plan, looks, drop_near=drop_near))
    for path in kept:
        _add_picture(plan, path, looks[path], texts)
    for path in found.media:
        if found.sizes[path]:
            stem = plan.stem_for(path)
            name = stem + path.suffix.lower()
            plan.steps.append(Step(name, path, size=found.sizes[path]))
            _say_renamed(plan, path, name)
            _add_caption(plan, path, stem, texts)
            _add_controls(plan, path, stem)
        else:
            plan.leave_out(path, "is left out: it is empty")
    return tuple(plan.steps), tuple(plan.changes)


def _kept(plan: _Plan, looks: Mapping[Path, Look], *, drop_near: bool) -> Iterator[Path]:
    """Yield the pictures that come into the copy."""
    found = plan.found
    candidates = [*found.images, *found.foreign]
    right = [path for path in candidates if _is_usable(plan, path, looks[path])]
    sizes = {path: found.sizes.get(path) or path.stat().st_size for path in right}
    # Among equal ones the one that has a caption stays.
    stems = {path.stem for path in found.caption_files}
    ranked = sorted(right, key=lambda path: not (path.stem in stems or path.name in found.table))
    same = same_bytes((path, sizes[path]) for path in ranked)
    for path, first in same.items():
        plan.leave_out(path, f"is left out: it is the same file as {shown(first)!r}")
    rest = [path for path in right if path not in same]
    alike: set[int] = set()
    if drop_near:
        # The largest of those that look alike stays.
        rest.sort(key=lambda path: -looks[path].width * looks[path].height)
        for later, earlier in near([looks[path].hash for path in rest]):
            alike.add(later)
            plan.leave_out(rest[later], f"is left out: it looks like {shown(rest[earlier])!r}")
    keep = {path for index, path in enumerate(rest) if index not in alike}
    yield from (path for path in candidates if path in keep)


def _is_usable(plan: _Plan, path: Path, seen: Look) -> bool:
    if seen.code is Code.TOO_MANY_PIXELS and path.suffix.lower() in (".jpg", ".jpeg"):
        return True
    if not seen.is_right:
        plan.leave_out(path, f"is left out: it {seen.why}")
        return False
    least = divisibility(plan.demands.arch)
    if min(seen.width, seen.height) < least:
        plan.leave_out(path, f"is left out: it has {seen.width} × {seen.height} pixels")
        return False
    return True


def _add_picture(plan: _Plan, path: Path, seen: Look, texts: Mapping[str, Path]) -> None:
    done = list(_reasons(seen))
    stem = plan.stem_for(path)
    suffixes = _SUFFIXES.get(seen.format, ())
    if done:
        suffix = ".jpg" if seen.format in ("JPEG", "MPO", "") else ".png"
    else:
        suffix = path.suffix.lower() if path.suffix.lower() in suffixes else suffixes[0]
    size = plan.found.sizes.get(path, 0)
    plan.steps.append(Step(stem + suffix, path, is_converted=bool(done), size=size))
    if done:
        plan.changes.append(Change(shown(path), stem + suffix, ", ".join(done)))
    else:
        _say_renamed(plan, path, stem + suffix)
    _add_caption(plan, path, stem, texts)
    _add_controls(plan, path, stem)


def _reasons(seen: Look) -> Iterator[str]:
    """Yield why a picture has to be written anew."""
    if seen.code is not None:
        yield "made smaller"
        return
    if seen.is_turned:
        yield "turned upright"
    if seen.is_transparent:
        yield "put on a background"
    if seen.is_deep:
        yield "brought to 8 bits"
    if seen.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        yield f"converted from {seen.mode}"
    if seen.format not in _SUFFIXES:
        yield f"converted from {seen.format}"


def _say_renamed(plan: _Plan, path: Path, name: str) -> None:
    if shown(path) != name:
        plan.changes.append(Change(shown(path), name, "renamed"))


def _add_controls(plan: _Plan, path: Path, stem: str) -> None:
    for number, controls in enumerate(plan.found.controls, 1):
        if control := controls.of(path):
            _add_control(plan, control, stem, number)


def _add_control(plan: _Plan, path: Path, stem: str, number: int) -> None:
    folder = f"control_{number}" if len(plan.found.controls) > 1 else "control"
    size = plan.found.sizes.get(path, 0)
    seen = plan.found.looks.get(path)
    if seen is None:  # a video
        plan.steps.append(Step(f"{folder}/{stem}{path.suffix.lower()}", path, size=size))
        return
    if not seen.is_right:
        plan.leave_out(path, f"is left out: it {seen.why}")
        return
    # Parts that can be seen through mean something to a control image.
    reasons = list(_reasons(replace(seen, is_transparent=False)))
    known = _SUFFIXES.get(seen.format, (path.suffix.lower(),))
    suffix = ".png" if reasons else known[0]
    plan.steps.append(Step(f"{folder}/{stem}{suffix}", path, is_converted=bool(reasons), size=size))


# -- captions --------------------------------------------------------------------------------------


def _add_caption(plan: _Plan, image: Path, stem: str, texts: Mapping[str, Path]) -> None:
    text, done = _caption(plan, image, texts)
    trigger = plan.demands.trigger_word
    if trigger and text and (named := Edit(trigger=trigger).of(text)) != text:
        text, done = named, f"{done}, " * bool(done) + "given the trigger word"
    if not text:
        return
    name = f"{stem}.txt"
    plan.steps.append(Step(name, text=text))
    if done:
        source = texts.get(image.stem)
        plan.changes.append(Change(shown(source or image), name, f"caption {done}"))


def _caption(plan: _Plan, image: Path, texts: Mapping[str, Path]) -> tuple[str, str]:
    """Return the caption of an image, and what was done for it."""
    if text := plan.found.captions.get(image.name):
        return text, ""
    own = texts.get(image.stem) or _lost(plan, image)
    if own is not None and (text := _text_of(own)):
        is_lost = image.stem not in texts
        return text, "found under another name" if is_lost else "written in UTF-8"
    if text := plan.found.table.get(image.name):
        return text, "taken from the table"
    return plan.caption, "completed" if plan.caption else ""


def _lost(plan: _Plan, image: Path) -> Path | None:
    """Return a caption whose name differs from the image's by case or by form of its letters."""
    from unicodedata import normalize

    wanted = normalize("NFC", image.stem).casefold()
    for path in plan.found.lonely:
        if normalize("NFC", path.stem).casefold() == wanted:
            return path
    return None


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > 1_000_000:
            return ""
        return decoded(path.read_bytes())
    except OSError:
        return ""
