"""`LocalDataset`: the images and captions of a folder: checked, fixed, sorted into buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from aitk_nb._display import html
from aitk_nb._units import plural, size, some
from aitk_nb.backends.base import Progress
from aitk_nb.datasets.local.buckets import BucketPlan, plan
from aitk_nb.datasets.local.fix import Options, fix
from aitk_nb.datasets.local.fix_plan import Change
from aitk_nb.datasets.local.problems import Code, Problem, by_image, shown
from aitk_nb.datasets.local.requirements import Requirements
from aitk_nb.datasets.local.scanned import Scanned
from aitk_nb.errors import InvalidDataset
from aitk_nb.training.effective import divisibility

_RESOLUTION = (512, 768, 1024)
_SHOWN = 20
_CHANGES = 40


class LocalDataset(Scanned):
    """Images with captions on this machine, as they were when they were first read.

    Example:
        >>> aitk_nb.LocalDataset(photos).check()
        <LocalDataset 'photos' 12 images, 12 captions, 0 errors, 0 warnings>
    """

    def check(
        self, requirements: Requirements | None = None, *, progress: Progress | None = None
    ) -> LocalDataset:
        """Find what is wrong with the dataset before it is sent; nothing is changed.

        Args:
            requirements: The server's limits, and what is to be trained; those of the last check
                if omitted.
            progress: Called with the bytes read and the bytes in total, if files are read.

        Returns:
            The dataset with its `problems`. Checking it again with other requirements reads no
            file.

        Raises:
            InvalidDataset: There is no such folder or zip, or it can't be opened.
            BadInput: Unknown architecture.
        """
        self._scan(progress)
        return self._checked(requirements or self.requirements)

    def raise_for_errors(self) -> LocalDataset:
        """Return the dataset if nothing prevents training.

        Raises:
            InvalidDataset: It has errors.
        """
        if self.errors:
            what = self.name if self._opened().keeper else str(self.folder)
            raise InvalidDataset(what, [f"{problem}." for problem in self.errors])
        return self

    def usable(self) -> LocalDataset:
        """Return the part without errors.

        Images that an error is about are left out, also if it is about their captions; for each
        the part has a warning. Nothing is changed on the disk, and `fix` of the whole dataset may
        save them.

        Raises:
            InvalidDataset: The errors are not about single images, or nothing is left.

        Example:
            >>> aitk_nb.LocalDataset(photos).usable().left_out
            ()
        """
        part = self
        while part.errors:
            images, unopened = part.contents.trained, part._opened().problems
            found = by_image(part.errors, images)
            # What was not even unpacked or fetched is not among the files.
            why = {problem.file: problem for problem in part.errors if problem in unopened}
            why |= {shown(path): problems[0] for path, problems in found.items()}
            if not why or len(found) == len(images):
                self.raise_for_errors()
            said = (problem for problem in unopened if why.get(problem.file) != problem)
            warnings = (_left_out(file, problem) for file, problem in why.items())
            source = replace(part._without(found), problems=(*said, *warnings))
            part = part._of(source)
        return part

    def buckets(
        self,
        resolution: Sequence[int] = (),
        *,
        arch: str = "",
        batch_size: int = 1,
        repeats: int = 1,
    ) -> BucketPlan:
        """Compute the size that the trainer gives each image, and the steps per epoch.

        Args:
            resolution: Training resolutions in pixels; by default those of `requirements`, or
                else 512, 768 and 1024.
            arch: Architecture; by default that of `requirements`.
            batch_size: Images per step.
            repeats: How often an epoch uses each image.

        Returns:
            The buckets. Images that can't be read are left out; videos are not decoded.

        Raises:
            BadInput: A number is below 1.
        """
        found = ((path.name, self.image_info[path]) for path in self.images)
        return plan(
            {name: (info.width, info.height) for name, info in found if info.is_readable},
            tuple(resolution) or self.requirements.resolution or _RESOLUTION,
            divisibility=divisibility(arch or self.requirements.arch),
            batch_size=batch_size,
            repeats=repeats,
        )

    def fix(
        self,
        out_dir: str | Path,
        *,
        caption: str = "",
        background: str = "white",
        near_duplicates: Literal["keep", "drop"] = "keep",
        progress: Progress | None = None,
    ) -> FixReport:
        """Write a corrected copy of the dataset; the originals are not touched.

        Images are turned upright, converted to 8-bit PNG or JPEG in sRGB, put on `background` if
        they are transparent, and named in plain letters, which the server keeps. Of an animation
        the first frame is kept. Copies of a file and unreadable files are left out. Captions are
        completed from a table such as metadata.jsonl, converted to UTF-8 and given the trigger
        word of `requirements`. The copy appears when it is complete; a second call writes nothing
        unless something has changed.

        Args:
            out_dir: Folder for the copy.
            caption: Caption for images that have none.
            background: Color behind transparent images.
            near_duplicates: Whether to keep or drop images that look alike.
            progress: Called with the bytes read and the bytes in total.

        Returns:
            The copy, and what is different in it.

        Raises:
            BadInput: `out_dir` can't be written, overlaps the dataset, or holds other files.
        """
        folder = Path(out_dir).expanduser()
        options = Options(caption.strip(), background, near_duplicates)
        changes, is_new = fix(self, folder, options, progress)
        copied = LocalDataset(folder).check(self.requirements)
        return FixReport(folder, copied, changes, is_new)

    # -- how it shows itself -------------------------------------------------------------------

    def __repr__(self) -> str:
        if self._contents is None:
            return f"<LocalDataset {str(self._given)[:80]!r}, not checked yet>"
        return (
            f"<LocalDataset {self.name!r} {self.media_text}, "
            f"{plural(len(self.captions), 'caption')}, {self.verdict}"
            f"{f', {len(self.left_out)} left out' if self.left_out else ''}>"
        )

    def summary(self) -> html.Html:
        """Return an HTML table of what the dataset holds, and how much is wrong."""
        others = ("videos", self.videos), ("sounds", self.sounds)
        counts: list[tuple[object, object]] = [
            ("folder", self.name),
            ("images", len(self.images)),
            *((what, len(files)) for what, files in others if files),
            ("captions", len(self.captions)),
            ("size", size(self.total_bytes)),
            *(("control images", f"{len(c.files)} in {c.folder.name}") for c in self.controls),
        ]
        if self.left_out:
            counts.append(("left out", some(self.left_out)))
        kind: html.Kind = "error" if self.errors else "warning" if self.problems else "ok"
        return html.definition(
            [*counts, ("problems", html.badge(self.verdict if self.problems else "none", kind))]
        )

    @property
    def verdict(self) -> str:
        """How much is wrong, as `1 error, 0 warnings`."""
        warnings = len(self.problems) - len(self.errors)
        return f"{plural(len(self.errors), 'error')}, {plural(warnings, 'warning')}"

    def _repr_html_(self) -> str:
        if self._contents is None:
            return html.note(repr(self))
        table = self.problems.html(shown=_SHOWN) if self.problems else ""
        return html.join([self.summary(), table])


def _left_out(file: str, error: Problem) -> Problem:
    own, why = f"{file!r} ", error.message
    why = f"it {why.removeprefix(own)}" if why.startswith(own) else why
    return Problem(Code.LEFT_OUT, file, f"is left out: {why}", error.remedy)


@dataclass(frozen=True, slots=True)
class FixReport:
    """What was done for a corrected copy."""

    folder: Path
    """Where the copy is."""
    dataset: LocalDataset = field(repr=False)
    """The copy, checked."""
    changes: tuple[Change, ...] = field(default=(), repr=False)
    """What is different in it, file by file."""
    is_new: bool = True
    """False if it was there already, and nothing had to be written."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """The files that are not in the copy."""
        return tuple(change.file for change in self.changes if not change.name)

    def __repr__(self) -> str:
        done = len(self.changes) - len(self.left_out)
        return (
            f"<FixReport {self.folder.name!r}: {self.dataset.media_text}, "
            f"{plural(done, 'change')}, {len(self.left_out)} left out, "
            f"{plural(len(self.dataset.errors), 'error')} left>"
        )

    def _repr_html_(self) -> str:
        rows = [(one.file, one.name or "—", one.text) for one in self.changes[:_CHANGES]]
        more = len(self.changes) - len(rows)
        rest = html.note(f"and {more} more, see .changes") if more else ""
        title = f"Corrected copy {self.folder.name}: {self.dataset.media_text}"
        table = html.table(("file", "in the copy", "change"), rows, title)
        parts = [table, rest] if rows else [html.note("Nothing had to be corrected.")]
        return html.join([*parts, html.Html(self.dataset._repr_html_())])
