"""`fix`: a corrected copy of a dataset, which appears when it is whole, and a report of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from aitk_nb import _html
from aitk_nb.datasets.local.conversion import convert
from aitk_nb.datasets.local.fix_plan import Change, Step, fix_plan
from aitk_nb.datasets.local.image_info import quiet_about_size
from aitk_nb.datasets.local.parallel import in_parallel
from aitk_nb.datasets.local.problems import shown
from aitk_nb.errors import BadInput, InvalidDataset

if TYPE_CHECKING:
    from aitk_nb.datasets.local.scanned import LocalDataset

__all__ = ["MARK", "Change", "FixReport", "Options", "fix"]

MARK = ".aitk-fix.json"
"""Lies in a corrected copy: what it was made of, and its files. Servers get no dot-files."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How a copy is corrected."""

    caption: str = ""
    """For images that have none."""
    background: str = "white"
    """Behind transparent pictures; any colour that Pillow knows."""
    near_duplicates: Literal["keep", "drop"] = "keep"


@dataclass(frozen=True, slots=True)
class FixReport:
    """What was done for a corrected copy."""

    folder: Path
    """Where it is."""
    dataset: LocalDataset = field(repr=False)
    """The copy, scanned."""
    changes: tuple[Change, ...] = field(default=(), repr=False)
    """What is different in it, file by file."""
    is_new: bool = True
    """False when it was there already, and nothing had to be written."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """The files that are not in the copy."""
        return tuple(change.file for change in self.changes if change.name == "")

    def __repr__(self) -> str:
        done = len(self.changes) - len(self.left_out)
        return (
            f"<FixReport {self.folder.name!r}: {len(self.dataset.images)} images, "
            f"{done} changes, {len(self.left_out)} left out, "
            f"{len(self.dataset.errors)} errors remain>"
        )

    def _repr_html_(self) -> str:
        rows = [(one.file, one.name or "—", one.text) for one in self.changes[:40]]
        more = len(self.changes) - len(rows)
        rest = _html.note(f"and {more} more, see .changes") if more else ""
        headers = ("file", "in the copy", "what was done")
        title = f"Corrected copy {self.folder.name}: {len(self.dataset.images)} images"
        nothing = _html.note("Nothing had to be corrected.")
        table = _html.table(headers, rows, title) if rows else nothing
        return _html.join([table, rest, _html.Html(self.dataset._repr_html_())])


def fix(
    dataset: LocalDataset,
    into: Path,
    options: Options,
    progress: Callable[[int, int], None] | None = None,
) -> FixReport:
    """Write a corrected copy of `dataset` into `into`; see `LocalDataset.fix`.

    Raises:
        BadInput: `into` cannot be written, lies within the dataset, or holds other files.
    """
    _check_place(dataset, into)
    _check_colour(options.background)
    steps, changes = fix_plan(
        dataset.contents,
        dataset.demands,
        options.caption,
        drop_near=options.near_duplicates == "drop",
    )
    made_of = _fingerprint(options, steps)
    mark = _mark(into)
    if mark.get("made_of") == made_of and _is_untouched(into, mark):
        return FixReport(into, _scanned(dataset, into), _changes(mark), is_new=False)
    if into.is_dir() and any(into.iterdir()) and not (mark and _is_untouched(into, mark)):
        raise BadInput(
            f"{into} holds files that fix() has not written, or that have been changed since. "
            "Name a new folder."
        )
    with _appearing(into) as draft:
        failed = _write(steps, draft, options.background, progress)
        done = (*changes, *failed)
        _sign(draft, made_of, done)
    return FixReport(into, _scanned(dataset, into), done)


def _scanned(dataset: LocalDataset, folder: Path) -> LocalDataset:
    try:
        return type(dataset).scan(folder, demands=dataset.demands)
    except OSError as exc:
        raise InvalidDataset(str(folder), [f"It cannot be read: {exc}."]) from exc


def _check_place(dataset: LocalDataset, into: Path) -> None:
    target, source = into.resolve(), dataset.folder.resolve()
    inside = target == source or target.is_relative_to(source) or source.is_relative_to(target)
    if inside and dataset.images + dataset.media:
        raise BadInput(f"{into} and the dataset's own folder lie in each other: name another one.")
    if into.exists() and not into.is_dir():
        raise BadInput(f"{into} is a file: name a folder.")


def _check_colour(colour: str) -> None:
    from PIL import ImageColor

    try:
        ImageColor.getrgb(colour)
    except ValueError as exc:
        raise BadInput(f"{colour!r} is no colour; say for example 'white' or '#808080'.") from exc


# -- writing ---------------------------------------------------------------------------------------


def _write(
    steps: tuple[Step, ...],
    draft: Path,
    background: str,
    progress: Callable[[int, int], None] | None,
) -> list[Change]:
    """Carry the steps out in `draft`, and return those that failed."""

    def carry_out(pair: tuple[Path, Path]) -> str:
        return _carried_out(by_target[pair[1]], pair[1], background)

    by_target = {draft / step.name: step for step in steps}
    pairs = [(step.source or draft, target) for target, step in by_target.items()]
    sizes = [step.size for step in by_target.values()]
    with quiet_about_size():
        results = in_parallel(carry_out, pairs, sizes, progress)
    failed = []
    for (_, target), why in zip(pairs, results, strict=True):
        step = by_target[target]
        if why and step.source is not None:
            failed.append(Change(shown(step.source), "", why))
            # A caption without its image would be one more problem.
            target.with_suffix(".txt").unlink(missing_ok=True)
    return failed


def _carried_out(step: Step, target: Path, background: str) -> str:
    """Write one file; return why it could not be, empty when it was."""
    target.parent.mkdir(exist_ok=True)
    try:
        if step.source is None:
            target.write_bytes(f"{step.text}\n".encode("utf-8", "replace"))
        elif step.is_converted:
            convert(step.source, target, background)
        else:
            shutil.copyfile(step.source, target)
    except MemoryError:
        return "is left out: it takes too much memory"
    except OSError as exc:
        if step.is_converted:
            target.unlink(missing_ok=True)
            return f"is left out: it cannot be converted ({str(exc)[:100]})"
        raise BadInput(f"{target.name} cannot be written: {exc.strerror or exc}.") from exc
    except Exception as exc:  # noqa: BLE001 - a damaged picture can raise anything in a decoder
        target.unlink(missing_ok=True)
        return f"is left out: it cannot be converted ({type(exc).__name__})"
    return ""


@contextmanager
def _appearing(into: Path) -> Iterator[Path]:
    """Yield a folder that becomes `into` when the block ends without an error."""
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        room = tempfile.TemporaryDirectory(dir=into.parent, prefix=".fixing-")
    except OSError as exc:
        raise BadInput(f"{into} cannot be written: {exc.strerror or exc}.") from exc
    with room as name:
        draft = Path(name, "copy")
        draft.mkdir()
        yield draft
        old = Path(name, "old")
        try:
            if into.exists():
                into.replace(old)
            draft.replace(into)
        except OSError as exc:
            if old.exists() and not into.exists():
                old.replace(into)
            raise BadInput(f"{into} cannot be written: {exc.strerror or exc}.") from exc
        except BaseException:
            if old.exists() and not into.exists():
                old.replace(into)
            raise


# -- knowing it again ------------------------------------------------------------------------


def _fingerprint(options: Options, steps: tuple[Step, ...]) -> str:
    """Return what changes when the originals, the options or the demands change."""
    entries: list[object] = [asdict(options)]
    for step in steps:
        stamp = (0, 0)
        if step.source is not None:
            about = step.source.stat()
            stamp = (about.st_size, about.st_mtime_ns)
        entries.append([step.name, step.text, step.is_converted, *stamp])
    text = json.dumps(entries, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _sign(folder: Path, made_of: str, changes: tuple[Change, ...]) -> None:
    body = {
        "made_by": "aitk-nb",
        "made_of": made_of,
        "changes": [asdict(change) for change in changes],
        "files": _stamps(folder),
    }
    (folder / MARK).write_text(json.dumps(body, indent=1), encoding="utf-8")


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Return size and time of all files of a copy, by their names."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            about = path.stat()
            name = path.relative_to(folder).as_posix()
            found[name] = [about.st_size, about.st_mtime_ns]
    return found


def _mark(folder: Path) -> Mapping[str, Any]:
    try:
        body = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _is_untouched(folder: Path, mark: Mapping[str, Any]) -> bool:
    return bool(mark.get("files") == _stamps(folder))


def _changes(mark: Mapping[str, Any]) -> tuple[Change, ...]:
    try:
        return tuple(Change(**entry) for entry in mark.get("changes", ()))
    except TypeError:
        return ()
