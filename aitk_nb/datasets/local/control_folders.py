"""`Controls`: folders of control images, each paired with an image of the dataset by its name.

The trainer looks into each control folder for a file with the image's stem, in the order .jpg,
.jpeg, .png, .webp (ostris/ai-toolkit, ControlFileItemDTOMixin, August 2026).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aitk_nb.datasets.local.formats import IMAGES, SOUNDS, VIDEOS, is_one_of
from aitk_nb.datasets.local.problems import Code, Problem, shown
from aitk_nb.errors import InvalidDataset
from aitk_nb.training.presets import Preset

MOST = 3
"""Control folders that the web UI can use."""
_FOLDER = re.compile(r"_?controls?(_[1-9])?", re.IGNORECASE)
_ORDER = (".jpg", ".jpeg", ".png", ".webp", *sorted(VIDEOS))


@dataclass(frozen=True, slots=True)
class Controls:
    """A folder of control images."""

    folder: Path
    files: tuple[Path, ...] = field(repr=False)
    """Its images, and its videos, in natural order."""
    name: str = "control"
    """The suffix of its dataset's name on the server: `control`, `control_2`."""

    def of(self, image: Path) -> Path | None:
        """Return the control image of `image`, as the trainer finds it; None if it has none."""
        found = {path.suffix.lower(): path for path in self.files if path.stem == image.stem}
        return next((found[suffix] for suffix in _ORDER if suffix in found), None)

    @property
    def by_stem(self) -> Mapping[str, Path]:
        """The files by the stem that pairs them."""
        return {path.stem: path for path in reversed(self.files)}


def control_folders(
    inside: Iterable[Path], given: Sequence[str | Path] = ()
) -> tuple[Controls, ...]:
    """Return the control folders: those given, else those among `inside` with such a name.

    Raises:
        InvalidDataset: One that was given can't be opened.
    """
    folders = [Path(folder).expanduser() for folder in given] or sorted(
        path for path in inside if is_control_folder(path)
    )
    many = len(folders) > 1
    return tuple(
        Controls(folder, _files(folder), f"control_{number}" if many else "control")
        for number, folder in enumerate(folders, 1)
    )


def is_control_folder(path: Path) -> bool:
    """Return whether a folder's name says that control images are in it."""
    # The trainer keeps what it makes itself in `_controls`, and skips it.
    named = path.name.lower() != "_controls" and _FOLDER.fullmatch(path.name) is not None
    return named and path.is_dir() and not path.is_symlink()


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as exc:
        why = f"This folder of control images can't be opened: {exc.strerror or exc}."
        raise InvalidDataset(str(folder), [why]) from exc
    return tuple(
        path
        for path in entries
        if is_one_of(path, IMAGES | VIDEOS) and not path.name.startswith(".") and path.is_file()
    )


def pair_problems(
    images: Sequence[Path], controls: Sequence[Controls], preset: Preset | None
) -> Iterator[Problem]:
    """Yield images without a control image, and control images without an image."""
    if len(controls) > MOST:
        text = f"There are {len(controls)} folders of control images, and the limit is {MOST}"
        yield Problem(Code.UNMATCHED_CONTROL, "", text, "merge some of them")
    stems = {path.stem for path in images}
    for folder in controls:
        paired = folder.by_stem
        for image in images:
            if image.stem not in paired:
                yield Problem(Code.MISSING_CONTROL, shown(image), folder=shown(folder.folder))
        for stem, path in paired.items():
            if stem not in stems:
                name = f"{shown(folder.folder)}/{shown(path)}"
                yield Problem(Code.UNMATCHED_CONTROL, name, "is a control image without an image")
    if not controls and images and preset is not None and preset.needs_controls:
        yield Problem(
            Code.NEEDS_UNMET,
            "",
            f"{preset.label} trains on pairs, and there is no folder of control images",
            "put them into a folder 'control' inside, each named like its image, or pass "
            "controls=[folder]; or choose another architecture",
        )


def media_needs(images: Sequence[Path], media: Sequence[Path], preset: Preset) -> Iterator[Problem]:
    """Yield what an architecture lacks, and what it would skip."""
    videos = [path for path in media if is_one_of(path, VIDEOS)]
    sounds = [path for path in media if is_one_of(path, SOUNDS)]
    if preset.group == "llm":
        return  # it describes media of each kind
    if preset.group == "audio":
        kinds, lacking, skipped = "sounds", not sounds, [*images, *videos]
    elif "datasets.num_frames" in preset.needs:
        kinds, lacking, skipped = "videos and images", not videos, sounds
    else:
        kinds, lacking, skipped = "images", bool(media and not images), [*media]
    if lacking and kinds == "videos and images" and images and "i2v" not in preset.arch:
        yield Problem(Code.NO_VIDEO, "", label=preset.label)
    elif lacking:
        text = f"{preset.label} trains on {kinds.partition(' and')[0]}, and there are none"
        yield Problem(Code.NEEDS_UNMET, "", text)
    for path in skipped:
        yield Problem(Code.IGNORED_MEDIA, shown(path), label=preset.label, kinds=kinds)
