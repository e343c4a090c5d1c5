"""What is wrong with a dataset: images, captions, names, and the limits of a server."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aitk_nb._units import plural, size
from aitk_nb.datasets.local.caption_problems import caption_problems
from aitk_nb.datasets.local.captions import ENDINGS
from aitk_nb.datasets.local.contents import Contents
from aitk_nb.datasets.local.control_folders import media_needs, pair_problems
from aitk_nb.datasets.local.duplicates import near, same_bytes
from aitk_nb.datasets.local.formats import SUFFIXES, UNLISTED, is_one_of
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.datasets.local.requirements import GRADIO_FILES, Requirements
from aitk_nb.models.server import Flavour
from aitk_nb.training.effective import divisibility

ASPECT = 4.0
"""Long side divided by short side from which an image is extreme."""
_TRIGGER = "[trigger]"


def inherent(found: Contents) -> tuple[Problem, ...]:
    """Return what is wrong whatever the server and the training job are."""
    return (
        *found.problems,
        *caption_problems(found),
        *_image_problems(found),
        *_duplicates(found),
        *_missing_captions(found),
        *_shared_captions(found),
    )


def required(found: Contents, requirements: Requirements) -> Iterator[Problem]:
    """Yield what is wrong for one server and one training job."""
    preset = requirements.preset
    yield from _name_problems((*found.trained, *found.caption_files, *found.sidecars), requirements)
    yield from _size_problems(found, requirements)
    yield from _trigger_problems(found.captions, requirements.trigger_word)
    yield from _limit_problems(found, requirements)
    yield from pair_problems(found.trained, found.controls, preset)
    if preset is not None:
        yield from media_needs(found.images, found.media, preset)


# -- images ----------------------------------------------------------------------------------------


def _named(found: Contents, path: Path) -> str:
    """Return the name of an image, with its control folder if it is in one."""
    for controls in found.controls:
        if path.parent == controls.folder and path in controls.files:
            return f"{shown(controls.folder)}/{shown(path)}"
    return shown(path)


def _image_problems(found: Contents) -> Iterator[Problem]:
    foreign = set(found.foreign)
    for path, info in found.image_info.items():
        name = _named(found, path)
        if path in foreign:
            continue
        if info.code is not None:
            yield Problem(info.code, name, info.why)
            continue
        if path.suffix.lower() not in SUFFIXES.get(info.format, ()):
            yield Problem(Code.WRONG_SUFFIX, name, f"is a {info.format} by its content")
        if info.is_transparent:
            yield Problem(Code.TRANSPARENT, name)
        if info.is_deep:
            yield Problem(Code.DEEP, name, mode=info.mode)
        if info.profile:
            yield Problem(Code.COLOR_PROFILE, name, profile=info.profile)
        elif info.mode == "CMYK":
            text = "is in CMYK, which the trainer converts without a color profile"
            yield Problem(Code.COLOR_PROFILE, name, text)
        if info.is_animated:
            yield Problem(Code.ANIMATION, name)


def _size_problems(found: Contents, requirements: Requirements) -> Iterator[Problem]:
    least = divisibility(requirements.arch)
    smallest = min(requirements.resolution, default=0)
    for path in found.images:
        info = found.image_info[path]
        if not info.is_readable:
            continue
        wide, high = info.width, info.height
        if min(wide, high) < least:
            yield Problem(Code.TINY, shown(path), wide=wide, high=high, least=least)
        elif wide * high < smallest * smallest:
            yield Problem(Code.TOO_SMALL, shown(path), wide=wide, high=high, least=smallest)
        if (ratio := max(wide / high, high / wide)) > ASPECT:
            long, short = ("wide", "high") if wide > high else ("high", "wide")
            yield Problem(Code.EXTREME_ASPECT, shown(path), ratio=ratio, long=long, short=short)


def _duplicates(found: Contents) -> Iterator[Problem]:
    images = found.all_images
    same = same_bytes((path, found.stamps[path][0]) for path in images)
    for path, first in same.items():
        if found.stamps[path][0]:
            yield Problem(Code.DUPLICATE, shown(path), other=shown(first))
    others = [path for path in images if path not in same]
    for later, earlier in near([found.image_info[path].hash for path in others]):
        yield Problem(Code.NEAR_DUPLICATE, shown(others[later]), other=shown(others[earlier]))


# -- captions --------------------------------------------------------------------------------------


def _missing_captions(found: Contents) -> Iterator[Problem]:
    texts = {path.stem for path in found.caption_files}
    # An unreadable image needs no caption: it has to be fixed or removed first.
    broken = {path for path, info in found.image_info.items() if not info.is_readable}
    without = [
        path
        for path in found.trained
        if path.stem not in texts and path not in broken and not found.sidecar(path)
    ]
    if without and not found.caption_files and len(found.trained) > 1:
        remedy = "write them, each in a .txt file named like its image"
        yield Problem(Code.NO_CAPTION, "", "No image has a caption", remedy)
        without = []
    for path in without:
        remedy = f"write one into {shown(path.stem)}.txt"
        yield Problem(Code.NO_CAPTION, shown(path), "has no caption", remedy)
    for name, caption in found.captions.items():
        if not caption:
            yield Problem(Code.EMPTY_CAPTION, shown(name), "has an empty caption")


def _shared_captions(found: Contents) -> Iterator[Problem]:
    for stem, count in Counter(path.stem for path in found.trained).items():
        if count > 1:
            yield Problem(Code.SHARED_CAPTION, shown(stem), count=count)


def _trigger_problems(captions: Mapping[str, str], trigger: str | None) -> Iterator[Problem]:
    if trigger is None:
        return
    users = [name for name, text in captions.items() if _TRIGGER in text]
    if trigger:
        code, text = Code.NO_TRIGGER, f"lacks the trigger word {trigger!r}"
        using = {name for name, caption in captions.items() if not caption or trigger in caption}
        names = [name for name in captions if name not in using and name not in users]
    else:
        code, names = Code.TRIGGER_UNSET, users
        text = f"uses {_TRIGGER}, but no trigger word is set"
    if len(names) == len(captions) > 1:
        yield Problem(code, "", f"Every caption {text}")
        return
    for name in names:
        yield Problem(code, shown(name), f"has a caption that {text}")


# -- names and limits ------------------------------------------------------------------------------


def _name_problems(paths: Sequence[Path], requirements: Requirements) -> Iterator[Problem]:
    """Yield what would get one name on the server, would be separated, or can't be sent."""
    valid = [path.name for path in paths if shown(path) == path.name]
    for path in paths:
        if shown(path) != path.name:
            yield Problem(Code.BAD_NAME, shown(path), "has a name that is not valid text")
    stored = {name: requirements.stored(name) for name in valid}
    for name in valid:
        if Path(stored[name]).suffix.lower() != Path(name).suffix.lower():
            text = f"loses its suffix on the server, where it becomes {stored[name]!r}"
            yield Problem(Code.BAD_NAME, name, text, "give it a shorter name")
    yield from _collisions(valid, stored, requirements)
    texts = {Path(name).stem: name for name in valid if name.endswith(ENDINGS)}
    for name in valid:
        caption = texts.get(Path(name).stem, name)
        if Path(stored[name]).stem != Path(stored[caption]).stem:
            why = f"and its caption become {stored[name]!r} and {stored[caption]!r} on the server"
            remedy = "give both a short, plain name"
            yield Problem(Code.CAPTION_NAME_MISMATCH, name, why, remedy, caption)


def _collisions(
    names: Sequence[str], stored: Mapping[str, str], requirements: Requirements
) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for stem in dict.fromkeys(Path(name).stem for name in names):
        # Files that share a stem share a caption, so two stems must not become one.
        other = taken.setdefault(Path(requirements.stored(f"{stem}.txt")).stem, stem)
        if other != stem:
            yield Problem(Code.COLLISION, stem, other=other)
    files: dict[str, str] = {}
    for name in names:
        first = files.setdefault(stored[name], name)
        if first != name and Path(first).stem == Path(name).stem:
            text = f"becomes the same file on the server as {first!r}"
            yield Problem(Code.COLLISION, name, text, other=first)
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(Code.COLLISION, name, f"is the name of {count} files of the list")


def _limit_problems(found: Contents, requirements: Requirements) -> Iterator[Problem]:
    limit = requirements.limit
    for path, amount in found.sizes.items():
        if limit is not None and amount > limit:
            words = {"size": size(amount), "limit": size(limit)}
            yield Problem(Code.TOO_LARGE, _named(found, path), **words)
    if requirements.flavour is Flavour.GRADIO:
        many = len(found.images) + len(found.caption_files)
        if many > GRADIO_FILES:
            yield Problem(Code.TOO_MANY_FILES, "", many=many, most=GRADIO_FILES)
        if found.sidecars:
            text = (
                f"{plural(len(found.sidecars), 'caption file')} of other endings left out: the "
                "Gradio app accepts only images and .txt files"
            )
            yield Problem(Code.CAPTION_LOST, "", text, Code.CAPTION_TABLE.remedy)
        for path in found.media:
            text = "is left out: the Gradio app accepts only images"
            yield Problem(Code.IGNORED_MEDIA, shown(path), text, "use AI Toolkit's web UI")
    elif requirements.flavour is Flavour.WEBUI:
        for path in found.media:
            if is_one_of(path, UNLISTED):
                yield Problem(Code.UNLISTED, shown(path))
