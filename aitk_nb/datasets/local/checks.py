"""What is wrong with a dataset, for a server and a training: files, names, captions, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aitk_nb.datasets.local.contents import Contents
from aitk_nb.datasets.local.control_folders import need_problems, pair_problems
from aitk_nb.datasets.local.duplicates import near, same_bytes
from aitk_nb.datasets.local.formats import UNLISTED
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.datasets.local.requirements import GRADIO_FILES, Demands, divisibility
from aitk_nb.models.server import Flavour

__all__ = ["ASPECT", "demanded", "inherent"]

ASPECT = 4.0
"""Long side over short side from which a picture is extreme."""
_TRIGGER = "[trigger]"
_SUFFIXES = {"JPEG": {".jpg", ".jpeg"}, "MPO": {".jpg", ".jpeg"}, "PNG": {".png"}}
_SUFFIXES["WEBP"] = {".webp"}


def inherent(found: Contents) -> tuple[Problem, ...]:
    """Return what is wrong whatever the server and the training are."""
    return (
        *found.problems,
        *_picture_problems(found),
        *_duplicates(found),
        *_missing_captions(found),
        *_shared_captions(found),
    )


def demanded(found: Contents, demands: Demands) -> Iterator[Problem]:
    """Yield what is wrong for one server and one training."""
    belonging = (*found.images, *found.media, *found.caption_files)
    yield from _name_problems(belonging, demands)
    yield from _size_problems(found, demands)
    yield from _trigger_problems(found.captions, demands.trigger_word)
    yield from _limit_problems(found, demands)
    preset = demands.preset
    paired = found.images if not found.media else (*found.images, *found.media)
    yield from pair_problems(paired, found.controls, preset)
    if preset is not None:
        yield from need_problems(found.images, found.media, preset)


# -- pictures --------------------------------------------------------------------------------------


def _named(found: Contents, path: Path) -> str:
    """Return how a picture is called: by its name, or with its control folder before it."""
    for controls in found.controls:
        if path.parent == controls.folder and path in controls.files:
            return f"{shown(controls.folder)}/{shown(path)}"
    return shown(path)


def _picture_problems(found: Contents) -> Iterator[Problem]:
    for path, look in found.looks.items():
        name = _named(found, path)
        if look.code is not None:
            yield Problem(look.code, name, look.why)
            continue
        if path.suffix.lower() not in _SUFFIXES.get(look.format, set()):
            text = f"is a {look.format} by its content"
            yield Problem(Code.WRONG_SUFFIX, name, text)
        if look.is_transparent:
            text = "has transparent parts, which become any colour in training"
            yield Problem(Code.TRANSPARENT, name, text)
        if look.is_deep:
            text = f"has more than 8 bits for each colour ({look.mode}), which are cut off"
            yield Problem(Code.DEEP, name, text)


def _size_problems(found: Contents, demands: Demands) -> Iterator[Problem]:
    least = divisibility(demands.arch)
    smallest = min(demands.resolution, default=0)
    for path in found.images:
        look = found.looks[path]
        if not look.is_right:
            continue
        wide, high = look.width, look.height
        if min(wide, high) < least:
            text = f"has {wide} × {high} pixels, and the trainer needs {least} on each side"
            yield Problem(Code.TINY, shown(path), text)
        elif wide * high < smallest * smallest:
            text = (
                f"has {wide} × {high} pixels, fewer than {smallest} × {smallest}, and the trainer "
                "does not enlarge it"
            )
            yield Problem(Code.TOO_SMALL, shown(path), text)
        if max(wide, high) > ASPECT * min(wide, high):
            long, short = max(wide, high), min(wide, high)
            text = f"is {long / short:.1f} times as {'wide' if wide > high else 'high'} as "
            text += "high" if wide > high else "wide"
            yield Problem(Code.EXTREME_ASPECT, shown(path), text)


def _duplicates(found: Contents) -> Iterator[Problem]:
    same = same_bytes((path, found.sizes[path]) for path in found.images)
    for path, first in same.items():
        if found.sizes[path]:
            text = f"is the same file as {shown(first)!r}"
            yield Problem(Code.DUPLICATE, shown(path), text, other=shown(first))
    others = [path for path in found.images if path not in same]
    for later, earlier in near([found.looks[path].hash for path in others]):
        text = f"looks like {shown(others[earlier])!r}"
        other = shown(others[earlier])
        yield Problem(Code.NEAR_DUPLICATE, shown(others[later]), text, other=other)


# -- captions --------------------------------------------------------------------------------------


def _missing_captions(found: Contents) -> Iterator[Problem]:
    texts = {path.stem for path in found.caption_files}
    paths = (*found.images, *found.media)
    # What cannot be read needs no caption: it has to be mended or taken out first.
    broken = {path for path, look in found.looks.items() if not look.is_right}
    without = [path for path in paths if path.stem not in texts and path not in broken]
    if without and not found.caption_files and len(paths) > 1:
        text = "No image has a caption"
        yield Problem(Code.NO_CAPTION, "", text, "write them, each in a .txt of its image's name")
        without = []
    for path in without:
        remedy = f"write one into {shown(path.stem)}.txt"
        yield Problem(Code.NO_CAPTION, shown(path), "has no caption", remedy)
    for name, caption in found.captions.items():
        if not caption:
            yield Problem(Code.EMPTY_CAPTION, shown(name), "has an empty caption")


def _shared_captions(found: Contents) -> Iterator[Problem]:
    stems = Counter(path.stem for path in (*found.images, *found.media))
    for stem, count in stems.items():
        if count > 1:
            text = f"names {count} images, which share one caption"
            yield Problem(Code.SHARED_CAPTION, shown(stem), text)


def _trigger_problems(captions: Mapping[str, str], trigger: str | None) -> Iterator[Problem]:
    if trigger is None:
        return
    if not trigger:
        users = [name for name, text in captions.items() if _TRIGGER in text]
        text = f"uses {_TRIGGER}, and no trigger word is set"
        yield from _said(Code.TRIGGER_UNSET, users, len(captions), text)
        return
    without = [
        name
        for name, text in captions.items()
        if text and trigger not in text and _TRIGGER not in text
    ]
    text = f"lacks the trigger word {trigger!r}"
    yield from _said(Code.NO_TRIGGER, without, len(captions), text)


def _said(code: Code, names: Sequence[str], many: int, text: str) -> Iterator[Problem]:
    """Yield a problem for each file, or a single one where all have it."""
    if len(names) == many > 1:
        yield Problem(code, "", f"Every caption {text}")
        return
    for name in names:
        yield Problem(code, shown(name), f"has a caption that {text}")


# -- names and limits ------------------------------------------------------------------------------


def _name_problems(paths: Sequence[Path], demands: Demands) -> Iterator[Problem]:
    """Yield what would become one on the server, would part, or cannot be sent."""
    proper = [path.name for path in paths if shown(path) == path.name]
    for path in paths:
        if shown(path) != path.name:
            yield Problem(Code.BAD_NAME, shown(path), "has a name that is no proper text")
    stored = {name: demands.stored(name) for name in proper}
    for name in proper:
        if Path(stored[name]).suffix.lower() != Path(name).suffix.lower():
            text = f"loses its suffix on the server, where it becomes {stored[name]!r}"
            yield Problem(Code.BAD_NAME, name, text, "give it a shorter name")
    yield from _collisions(proper, stored, demands)
    texts = {Path(name).stem: name for name in proper if name.endswith(".txt")}
    for name in proper:
        beside = texts.get(Path(name).stem, name)
        if Path(stored[name]).stem != Path(stored[beside]).stem:
            why = f"and its caption become {stored[name]!r} and {stored[beside]!r} on the server"
            yield Problem(Code.PARTED, name, why, "give both a short, plain name", other=beside)


def _collisions(
    names: Sequence[str], stored: Mapping[str, str], demands: Demands
) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for stem in dict.fromkeys(Path(name).stem for name in names):
        # What shares a stem shares a caption, so two stems must not become one.
        other = taken.setdefault(Path(demands.stored(f"{stem}.txt")).stem, stem)
        if other != stem:
            text = f"becomes the same name on the server as {other!r}"
            yield Problem(Code.COLLISION, stem, text, other=other)
    files: dict[str, str] = {}
    for name in names:
        first = files.setdefault(stored[name], name)
        if first != name and Path(first).stem == Path(name).stem:
            text = f"becomes the same file on the server as {first!r}"
            yield Problem(Code.COLLISION, name, text, other=first)
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(Code.COLLISION, name, f"is the name of {count} files of the list")


def _limit_problems(found: Contents, demands: Demands) -> Iterator[Problem]:
    if demands.limit is not None:
        for path, size in found.sizes.items():
            if size > demands.limit:
                text = (
                    f"has {size / 1e6:.1f} MB, and at most {demands.limit / 1e6:g} MB get through"
                )
                yield Problem(Code.TOO_LARGE, _named(found, path), text)
    if demands.flavour is Flavour.GRADIO:
        many = len(found.images) + len(found.caption_files)
        if many > GRADIO_FILES:
            text = f"There are {many} images and captions, and the Gradio app takes {GRADIO_FILES}"
            yield Problem(Code.TOO_MANY_FILES, "", text)
        for path in found.media:
            text = "is left out: the Gradio app takes images only"
            yield Problem(Code.IGNORED_MEDIA, shown(path), text, "use AI Toolkit's web UI")
    elif demands.flavour is Flavour.WEBUI:
        for path in found.media:
            if path.suffix.lower() in UNLISTED:
                yield Problem(Code.UNLISTED, shown(path), "trains, but the web UI does not list it")
