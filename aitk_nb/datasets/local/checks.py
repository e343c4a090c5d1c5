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
            text = "has transparent parts, which get an arbitrary color in training"
            yield Problem(Code.TRANSPARENT, name, text)
        if info.is_deep:
            text = f"has more than 8 bits per color ({info.mode}), which are cut off"
            yield Problem(Code.DEEP, name, text)
        if info.profile:
            text = f"has the color profile {info.profile!r}, which the trainer ignores"
            yield Problem(Code.COLOR_PROFILE, name, text)
        elif info.mode == "CMYK":
            text = "is in CMYK, which the trainer converts without a color profile"
            yield Problem(Code.COLOR_PROFILE, name, text)
        if info.is_animated:
            text = "is an animation, of which the trainer takes only the first frame"
            yield Problem(Code.ANIMATION, name, text)


def _size_problems(found: Contents, requirements: Requirements) -> Iterator[Problem]:
    least = divisibility(requirements.arch)
    smallest = min(requirements.resolution, default=0)
    for path in found.images:
        info = found.image_info[path]
        if not info.is_readable:
            continue
        wide, high = info.width, info.height
        pixels = f"has {wide} × {high} pixels"
        if min(wide, high) < least:
            text = f"{pixels}, which the trainer enlarges to {least} on each side at least"
            yield Problem(Code.TINY, shown(path), text)
        elif wide * high < smallest * smallest:
            text = f"{pixels}, fewer than {smallest} × {smallest}, and the trainer never enlarges"
            yield Problem(Code.TOO_SMALL, shown(path), text)
        if (ratio := max(wide / high, high / wide)) > ASPECT:
            long, short = ("wide", "high") if wide > high else ("high", "wide")
            text = f"is {ratio:.1f} times as {long} as {short}"
            yield Problem(Code.EXTREME_ASPECT, shown(path), text)


def _duplicates(found: Contents) -> Iterator[Problem]:
    images = found.all_images
    same = same_bytes((path, found.stamps[path][0]) for path in images)
    for path, first in same.items():
        if found.stamps[path][0]:
            text = f"is the same file as {shown(first)!r}"
            yield Problem(Code.DUPLICATE, shown(path), text, other=shown(first))
    others = [path for path in images if path not in same]
    for later, earlier in near([found.image_info[path].hash for path in others]):
        other = shown(others[earlier])
        text = f"looks like {other!r}"
        yield Problem(Code.NEAR_DUPLICATE, shown(others[later]), text, other=other)


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
            text = f"names {count} images, which share one caption"
            yield Problem(Code.SHARED_CAPTION, shown(stem), text)


def _trigger_problems(captions: Mapping[str, str], trigger: str | None) -> Iterator[Problem]:
    if trigger is None:
        return
    users = [name for name, text in captions.items() if _TRIGGER in text]
    if trigger:
        code, text = Code.NO_TRIGGER, f"lacks the trigger word {trigger!r}"
        using = {name for name, caption in captions.items() if not caption or trigger in caption}
        names = [name for name in captions if name not in using and name not in users]
    else:
        code, text, names = (
            Code.TRIGGER_UNSET,
            f"uses {_TRIGGER}, but no trigger word is set",
            users,
        )
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
            text = f"gets the same name on the server as {other!r}"
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


def _limit_problems(found: Contents, requirements: Requirements) -> Iterator[Problem]:
    limit = requirements.limit
    for path, amount in found.sizes.items():
        if limit is not None and amount > limit:
            text = f"has {size(amount)}, and the limit is {size(limit)}"
            yield Problem(Code.TOO_LARGE, _named(found, path), text)
    if requirements.flavour is Flavour.GRADIO:
        many = len(found.images) + len(found.caption_files)
        if many > GRADIO_FILES:
            text = (
                f"There are {many} images and captions, and the Gradio app accepts {GRADIO_FILES}"
            )
            yield Problem(Code.TOO_MANY_FILES, "", text)
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
                text = "is used in training, but not listed by the web UI"
                yield Problem(Code.UNLISTED, shown(path), text)
