"""`Scanned`: what a folder, a zip or a list of files holds, read once, at first use."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self

from aitk_nb.backends.base import Progress
from aitk_nb.datasets.local.captions import ENDINGS, caption_path, captions_beside
from aitk_nb.datasets.local.checks import inherent, required
from aitk_nb.datasets.local.contents import Contents, read_contents
from aitk_nb.datasets.local.control_folders import Controls
from aitk_nb.datasets.local.formats import SOUNDS, VIDEOS
from aitk_nb.datasets.local.image_info import ImageInfo
from aitk_nb.datasets.local.problems import Problem, shown, sorted_problems
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.datasets.local.sources import AnySource, Source, natural, open_source
from aitk_nb.errors import InvalidDataset
from aitk_nb.models import Checklist, Flavour, media_text


class Scanned:
    """The files of a local dataset, and what is wrong with them."""

    def __init__(
        self, source: AnySource, *, controls: Sequence[str | Path] = (), follow_links: bool = False
    ) -> None:
        """Store where the files are; nothing is read before the first use.

        Args:
            source: A folder, a `.zip`, or a list of files and of http(s) addresses of images. A
                zip is unpacked, and addresses are fetched, into a private folder that is deleted
                with the dataset; a file of a list brings the caption next to it. Subfolders
                are left out, except `control`, `control_1` … with control images.
            controls: Folders of control images, each named like its image.
            follow_links: Whether to read links that lead out of the folder.
        """
        self.requirements = Requirements()
        """What the problems were found for."""
        self._given = source
        self._control_folders = tuple(controls)
        self._follow_links = follow_links
        self._source: Source | None = None
        self._known: Contents | None = None
        self._contents: Contents | None = None
        self._problems: Checklist[Problem] | None = None

    def _opened(self) -> Source:
        if self._source is None:
            self._source = open_source(self._given)
        return self._source

    def _scan(self, progress: Progress | None = None) -> Contents:
        if self._contents is None:
            source = self._opened()
            try:
                found = read_contents(
                    source,
                    self._control_folders,
                    follow_links=self._follow_links,
                    progress=progress,
                    known=self._known,
                )
            except OSError as exc:  # a folder that lists its files but does not let them be read
                why = f"Its files can't be read: {exc.strerror or exc}."
                raise InvalidDataset(str(source.folder), [why]) from exc
            self._contents = replace(found, problems=inherent(found))
        return self._contents

    def _checked(self, requirements: Requirements) -> Self:
        """Return the dataset with the problems that it has for the requirements."""
        checked = self
        if requirements != self.requirements:
            checked = copy(self)
            checked.requirements, checked._problems = requirements, None  # noqa: SLF001
        checked.problems  # noqa: B018  # so that what is not valid raises here
        return checked

    def rescan(self) -> Self:
        """Return the dataset as it is now; images that have not changed are not decoded again.

        Raises:
            InvalidDataset: The folder or zip can't be opened anymore.
        """
        return self._of(self._opened().rescan())

    def without(self, images: Collection[Path]) -> Self:
        """Return the dataset without some images, their captions and their control images.

        Nothing is changed on the disk.

        Args:
            images: Those of its images, videos and sounds that are not wanted.
        """
        return self._of(self._without(images))

    def _without(self, images: Collection[Path]) -> Source:
        kept = {path.stem for path in self.contents.trained if path not in images}
        captions = (
            caption
            for path in images
            if path.stem not in kept
            for caption in (caption_path(path), *captions_beside(path))
        )
        return self._opened().without({*images, *captions})

    def _of(self, source: Source) -> Self:
        """Return the dataset with another source; images that are known are not decoded again."""
        fresh = copy(self)
        fresh._known, fresh._source = self._contents, source  # noqa: SLF001
        fresh._contents = fresh._problems = None  # noqa: SLF001
        fresh._scan()  # noqa: SLF001
        return fresh

    @property
    def folder(self) -> Path:
        """The folder of the files; of a zip, where it was unpacked."""
        return self._opened().folder

    @property
    def name(self) -> str:
        """The dataset's name: that of the folder or of the zip."""
        return self._opened().name

    @property
    def contents(self) -> Contents:
        """The files by their kinds, and what was read of them."""
        return self._scan()

    @property
    def problems(self) -> Checklist[Problem]:
        """What is wrong, errors first."""
        if self._problems is None:
            contents = self.contents
            found = (*contents.problems, *required(contents, self.requirements))
            self._problems = sorted_problems(dict.fromkeys(found))
        return self._problems

    @property
    def errors(self) -> Checklist[Problem]:
        """The problems that prevent training."""
        return self.problems.problems

    @property
    def images(self) -> tuple[Path, ...]:
        """The images in natural order: `a2.png` before `a10.png`."""
        return self.contents.images

    @property
    def media(self) -> tuple[Path, ...]:
        """Videos and sounds."""
        return self.contents.media

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the images, videos and sounds that `without` or `usable` left out."""
        left_out = self._opened().left_out
        return tuple(
            sorted((shown(path) for path in left_out if path.suffix not in ENDINGS), key=natural)
        )

    @property
    def media_text(self) -> str:
        """What is trained, by kind: `3 images`, or `2 images, 1 video`."""
        return media_text(path.name for path in self.contents.trained)

    @property
    def videos(self) -> tuple[Path, ...]:
        """The video files."""
        return tuple(path for path in self.media if path.suffix.lower() in VIDEOS)

    @property
    def sounds(self) -> tuple[Path, ...]:
        """The audio files."""
        return tuple(path for path in self.media if path.suffix.lower() in SOUNDS)

    @property
    def caption_files(self) -> tuple[Path, ...]:
        """The caption files, each next to an image, a video or a sound of the same name."""
        return self.contents.caption_files

    @property
    def captions(self) -> Mapping[str, str]:
        """Caption by image name; an image without one is missing here."""
        return self.contents.captions

    @property
    def controls(self) -> tuple[Controls, ...]:
        """The folders of control images; each becomes a dataset of its own on the server."""
        return self.contents.controls

    @property
    def image_info(self) -> Mapping[Path, ImageInfo]:
        """Size, format and condition of each image, and of each control image."""
        return self.contents.image_info

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that belong to the dataset: images, videos, sounds and captions."""
        can_all = self.requirements.flavour is not Flavour.GRADIO
        others = self.contents.sidecars if can_all else ()
        return (*self.images, *self.media, *self.caption_files, *others)

    @property
    def total_bytes(self) -> int:
        """The size of all `files`."""
        return sum(self.contents.sizes[path] for path in self.files)
