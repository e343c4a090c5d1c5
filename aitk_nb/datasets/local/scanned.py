"""`LocalDataset`: the images and captions of a folder, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from aitk_nb import _html
from aitk_nb.datasets.local import buckets
from aitk_nb.datasets.local import fix as fixing
from aitk_nb.datasets.local import summary as page
from aitk_nb.datasets.local.checks import demanded, inherent
from aitk_nb.datasets.local.contents import Contents, read_contents
from aitk_nb.datasets.local.control_folders import Controls
from aitk_nb.datasets.local.formats import SOUNDS, VIDEOS
from aitk_nb.datasets.local.image_info import Look
from aitk_nb.datasets.local.problems import Problem, sorted_problems
from aitk_nb.datasets.local.requirements import Demands, Rename, divisibility
from aitk_nb.datasets.local.sources import AnySource, Source, open_source
from aitk_nb.errors import InvalidDataset
from aitk_nb.models.checklist import Checklist
from aitk_nb.models.server import Flavour

__all__ = ["LocalDataset"]

Progress = Callable[[int, int], None]
_RESOLUTION = (512, 768, 1024)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a dataset was read, and how."""

    source: Source
    """Keeps what was unpacked or fetched."""
    controls: tuple[str | Path, ...]
    follow_links: bool


@dataclass(frozen=True, slots=True)
class LocalDataset:
    """Images with captions on this machine, as they were when they were scanned."""

    folder: Path
    """The folder that they are in; of a zip, where it was unpacked."""
    contents: Contents = field(default=Contents(), repr=False)
    """The files by their kinds, and what was read of them."""
    problems: Checklist[Problem] = field(default=Checklist())
    """What is wrong, errors first."""
    name: str = ""
    """What to call it: the folder's name, or the zip's."""
    demands: Demands = field(default=Demands(), repr=False)
    """What the problems were found for."""
    _always: tuple[Problem, ...] = field(default=(), repr=False)
    _origin: _Origin | None = field(default=None, repr=False, compare=False)

    @classmethod
    def scan(
        cls,
        source: AnySource,
        *,
        rename: Rename | None = None,
        demands: Demands | None = None,
        controls: Sequence[str | Path] = (),
        follow_links: bool = False,
        progress: Progress | None = None,
    ) -> LocalDataset:
        """Look at every file of `source` and return what is there, with all that is wrong.

        Args:
            source: A folder, a `.zip`, or a list of files and of http(s) addresses of images. A
                zip is unpacked, and addresses are fetched, into a private folder that goes with
                the dataset; with a file of a list its caption beside it is taken too. Subfolders
                are left out, except `control`, `control_1` … with control images.
            rename: Tells the name that the server will give to a file; by default as AI
                Toolkit's web UI does. A short way to set it in `demands`.
            demands: The server's limits, and what is to be trained.
            controls: Folders of control images, each named as its image.
            follow_links: Whether links out of the folder are read.
            progress: Called with the bytes looked at, and in all.

        Raises:
            InvalidDataset: there is no such folder or zip, or it cannot be opened.
        """
        asked = demands or Demands()
        origin = _Origin(open_source(source), tuple(controls), follow_links)
        return cls._of(origin, replace(asked, rename=rename) if rename else asked, progress)

    @classmethod
    def _of(
        cls,
        origin: _Origin,
        demands: Demands,
        progress: Progress | None,
        known: Contents | None = None,
    ) -> LocalDataset:
        source = origin.source
        try:
            found = read_contents(
                source,
                origin.controls,
                follow_links=origin.follow_links,
                progress=progress,
                known=known,
            )
        except OSError as exc:  # a folder that lists its files but lets nobody at them
            why = exc.strerror or str(exc)
            raise InvalidDataset(str(source.folder), [f"Its files cannot be read: {why}."]) from exc
        scanned = cls(
            source.folder, found, name=source.name, _always=inherent(found), _origin=origin
        )
        return scanned.against(demands)

    def again(self) -> LocalDataset:
        """Return the dataset as it is now; pictures that have not changed are not decoded again.

        Raises:
            InvalidDataset: it cannot be opened any more.
        """
        if self._origin is None:
            return self
        origin = replace(self._origin, source=self._origin.source.again())
        return self._of(origin, self.demands, None, self.contents)

    @property
    def images(self) -> tuple[Path, ...]:
        """The images in natural order: `a2.png` before `a10.png`."""
        return self.contents.images

    @property
    def media(self) -> tuple[Path, ...]:
        """Videos and sounds."""
        return self.contents.media

    @property
    def videos(self) -> tuple[Path, ...]:
        """The videos."""
        return tuple(path for path in self.media if path.suffix.lower() in VIDEOS)

    @property
    def sounds(self) -> tuple[Path, ...]:
        """The sounds."""
        return tuple(path for path in self.media if path.suffix.lower() in SOUNDS)

    @property
    def caption_files(self) -> tuple[Path, ...]:
        """The captions' files, each beside an image, a video or a sound of its name."""
        return self.contents.caption_files

    @property
    def captions(self) -> Mapping[str, str]:
        """Caption by the image's name; an image without one is missing here."""
        return self.contents.captions

    @property
    def controls(self) -> tuple[Controls, ...]:
        """The folders of control images; each becomes a dataset of its own on the server."""
        return self.contents.controls

    @property
    def looks(self) -> Mapping[Path, Look]:
        """What was seen of each image, and of each control image."""
        return self.contents.looks

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that belong to the dataset: images, videos, sounds and captions."""
        return (*self.images, *self.media, *self.caption_files)

    @property
    def total_bytes(self) -> int:
        """Of all `files`."""
        return sum(self.contents.sizes[path] for path in self.files)

    @property
    def errors(self) -> Checklist[Problem]:
        """The problems that forbid training."""
        return self.problems.problems

    def against(self, demands: Demands) -> LocalDataset:
        """Return this dataset with the problems that it has for `demands`; reads no file.

        Raises:
            BadInput: there is no such architecture.
        """
        found = (*self._always, *demanded(self.contents, demands))
        return replace(self, demands=demands, problems=sorted_problems(dict.fromkeys(found)))

    def check(
        self,
        demands: Demands | None = None,
        *,
        flavour: Flavour | None = None,
        limit: int | None = None,
        resolution: tuple[int, ...] | None = None,
        arch: str | None = None,
        trigger_word: str | None = None,
        rename: Rename | None = None,
    ) -> LocalDataset:
        """Return this dataset with the problems that it has for what is asked, if none is an error.

        What is left out is as in `demands`, and without these as it was scanned.

        Raises:
            InvalidDataset: it has errors.
            BadInput: there is no such architecture.
        """
        asked = demands or self.demands
        given: dict[str, Any] = {
            "flavour": flavour,
            "limit": limit,
            "resolution": resolution,
            "arch": arch,
            "trigger_word": trigger_word,
            "rename": rename,
        }
        asked = replace(asked, **{key: value for key, value in given.items() if value is not None})
        checked = self if asked == self.demands else self.against(asked)
        if checked.errors:
            is_kept = self._origin is not None and self._origin.source.keeper is not None
            what = self.name if is_kept else str(self.folder)
            raise InvalidDataset(what, [f"{problem}." for problem in checked.errors])
        return checked

    def buckets(
        self,
        resolution: Sequence[int] = (),
        *,
        arch: str = "",
        batch_size: int = 1,
        repeats: int = 1,
    ) -> buckets.BucketPlan:
        """Return which size the trainer gives each image, what it crops, and steps per epoch.

        `resolution` and `arch` are those of `demands` when left out, and else 512, 768 and 1024.
        Images that cannot be read are left out; videos are not decoded here.

        Raises:
            BadInput: a number is below 1.
        """
        looks = ((path.name, self.looks[path]) for path in self.images)
        sizes = {name: (look.width, look.height) for name, look in looks if look.is_right}
        return buckets.plan(
            sizes,
            tuple(resolution) or self.demands.resolution or _RESOLUTION,
            divisibility=divisibility(arch or self.demands.arch),
            batch_size=batch_size,
            repeats=repeats,
        )

    def fix(
        self,
        into: str | Path,
        *,
        caption: str = "",
        background: str = "white",
        near_duplicates: Literal["keep", "drop"] = "keep",
        progress: Progress | None = None,
    ) -> fixing.FixReport:
        """Write a corrected copy into the folder `into`, and return what was done.

        Pictures are turned upright, converted to PNG or JPEG of 8 bits, put on `background` where
        they are transparent, and named as the server will call them; exact duplicates and what
        cannot be read are left out; captions are completed from a table such as metadata.jsonl,
        written in UTF-8, given the trigger word if `demands` names one, and where there is none
        they are `caption`. The originals are not touched. The copy appears when it is whole, and
        a second time nothing is done unless something has changed.

        Raises:
            BadInput: `into` cannot be written, lies within the dataset, or holds other files.
        """
        options = fixing.Options(caption.strip(), background, near_duplicates)
        return fixing.fix(self, Path(into).expanduser(), options, progress)

    # -- how it shows itself -------------------------------------------------------------------

    def __repr__(self) -> str:
        warnings = len(self.problems) - len(self.errors)
        return (
            f"<LocalDataset {self.name!r} {len(self.images)} images, "
            f"{len(self.captions)} captions, {len(self.errors)} errors, {warnings} warnings>"
        )

    def summary(self) -> _html.Html:
        """Return a table of what is there, and how much is wrong."""
        return page.summary(self)

    def _repr_html_(self) -> str:
        return page.whole(self)
