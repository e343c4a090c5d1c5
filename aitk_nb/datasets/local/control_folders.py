"""`Controls`: folders of control images, each paired with an image of the dataset by its name.

The trainer looks into each control folder for a picture of the image's stem, in the order .jpg,
.jpeg, .png, .webp (ostris/ai-toolkit, ControlFileItemDTOMixin, August 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aitk_nb.datasets.local.formats import IMAGES, SOUNDS, VIDEOS, kind_of
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.errors import InvalidDataset
from aitk_nb.training.presets import Preset

__all__ = ["MOST", "Controls", "control_folders", "need_problems", "pair_problems"]

MOST = 3
"""Control folders that the web UI has places for."""
_FOLDER = re.compile(r"_?controls?(_[1-9])?", re.IGNORECASE)
_ORDER = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Controls:
    """A folder of control images."""

    folder: Path
    files: tuple[Path, ...] = field(repr=False)
    """Its images, and its videos, in natural order."""
    name: str = "control"
    """What to call it on the server, behind the dataset's name: `control`, `control_2`."""

    def of(self, image: Path) -> Path | None:
        """Return the control image of an image, as the trainer would find it."""
        found = {path.suffix.lower(): path for path in self.files if path.stem == image.stem}
        for suffix in (*_ORDER, *sorted(VIDEOS)):
            if suffix in found:
                return found[suffix]
        return None

    @property
    def by_stem(self) -> Mapping[str, Path]:
        """The files by the stem that pairs them."""
        return {path.stem: path for path in reversed(self.files)}


def control_folders(
    inside: Iterable[Path], given: Sequence[str | Path] = ()
) -> tuple[Controls, ...]:
    """Return the control folders: those given, else those among `inside` that are named so.

    Raises:
        InvalidDataset: one that was given cannot be opened.
    """
    if given:
        folders = [Path(folder).expanduser() for folder in given]
        for folder in folders:
            if not folder.is_dir():
                raise InvalidDataset(str(folder), ["There is no such folder of control images."])
    else:
        folders = sorted(path for path in inside if is_control_folder(path))
    many = len(folders) > 1
    return tuple(
        Controls(folder, _files(folder), f"control_{number}" if many else "control")
        for number, folder in enumerate(folders, 1)
    )


def is_control_folder(path: Path) -> bool:
    """Return whether a folder's name says that control images are in it."""
    # The trainer keeps what it makes itself in `_controls`, and passes over it.
    named = path.name.lower() != "_controls" and _FOLDER.fullmatch(path.name) is not None
    return named and path.is_dir() and not path.is_symlink()


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as exc:
        why = f"It cannot be opened: {exc.strerror or exc}."
        raise InvalidDataset(str(folder), [why]) from exc
    wanted = IMAGES | VIDEOS
    return tuple(
        path
        for path in entries
        if path.suffix.lower() in wanted and not path.name.startswith(".") and path.is_file()
    )


def pair_problems(
    images: Sequence[Path], controls: Sequence[Controls], preset: Preset | None
) -> Iterator[Problem]:
    """Yield images without a control image, and control images without an image."""
    if len(controls) > MOST:
        text = f"There are {len(controls)} folders of control images, and {MOST} can be used"
        yield Problem(Code.LONELY_CONTROL, "", text, "put some together")
    stems = {path.stem for path in images}
    for folder in controls:
        paired = folder.by_stem
        for image in images:
            if image.stem not in paired:
                text = f"has no control image in {shown(folder.folder)!r}"
                yield Problem(Code.MISSING_CONTROL, shown(image), text)
        for stem, path in paired.items():
            if stem not in stems:
                name = f"{shown(folder.folder)}/{shown(path)}"
                yield Problem(Code.LONELY_CONTROL, name, "is the control image of no image")
    if not controls and images and preset is not None and preset.needs_controls:
        yield Problem(
            Code.NEEDS_UNMET,
            "",
            f"{preset.label} learns from pairs, and there is no folder of control images",
            "put them into a folder 'control' inside, each named as its image, or give "
            "controls=[folder]; or choose another architecture",
        )


def need_problems(
    images: Sequence[Path], media: Sequence[Path], preset: Preset
) -> Iterator[Problem]:
    """Yield what an architecture lacks, and what it would pass over."""
    videos = [path for path in media if kind_of(path) == "video"]
    sounds = [path for path in media if path.suffix.lower() in SOUNDS]
    if preset.group == "audio":
        if not sounds:
            text = f"{preset.label} learns from sounds, and there is none"
            yield Problem(Code.NEEDS_UNMET, "", text)
        yield from _ignored([*images, *videos], preset, "sounds")
    elif "datasets.num_frames" in preset.needs:
        yield from _video_needs(images, videos, preset)
        yield from _ignored(sounds, preset, "videos and images")
    else:
        if media and not images:
            text = f"{preset.label} learns from images, and there is none"
            yield Problem(Code.NEEDS_UNMET, "", text)
        yield from _ignored(media, preset, "images")


def _video_needs(
    images: Sequence[Path], videos: Sequence[Path], preset: Preset
) -> Iterator[Problem]:
    if videos:
        return
    if "i2v" in preset.arch or not images:
        text = f"{preset.label} learns from videos, and there is none"
        yield Problem(Code.NEEDS_UNMET, "", text)
    else:
        text = f"{preset.label} learns motion from videos, and there are images only"
        yield Problem(Code.NO_VIDEO, "", text)


def _ignored(paths: Sequence[Path], preset: Preset, kinds: str) -> Iterator[Problem]:
    for path in paths:
        text = f"is passed over: {preset.label} trains on {kinds}"
        yield Problem(Code.IGNORED_MEDIA, shown(path), text)
