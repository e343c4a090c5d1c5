"""Tables of captions: CSV and its kin, JSON and JSON lines, read so that nothing is lost.

A CSV is read in its usual form: cells in double quotes where they need any, and quotes in them
twice. What shows another form, such as backslashes before quotes, is refused with its row.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aitk_nb._units import plural
from aitk_nb.datasets.local.captions import TEXTS, decoded, first_text
from aitk_nb.datasets.local.formats import FOREIGN, IMAGES, MEDIA, is_one_of

_MAX_BYTES = 100_000_000
_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})
_NAMES = frozenset({"metadata", "captions", "meta_cap", "meta_lat", "labels", "prompts"})
"""Names of tables that end in .json or .txt, as other trainers have them."""
_FILES = ("file_name", "file", "filename", "image", "image_path", "image_file", "path", "name")
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class CaptionTable:
    """What was read of a table of captions."""

    path: Path
    captions: Mapping[str, str]
    """By name of the file; by its stem where the table has no suffixes."""
    faults: tuple[str, ...] = ()
    """What could not be read, with the number of the row."""

    def key(self, image: Path) -> str:
        """Return the name that the table has for an image; empty if it has none.

        Args:
            image: The image.
        """
        return next((key for key in (image.name, image.stem) if key in self.captions), "")


class _Row(NamedTuple):
    where: str
    file: str = ""
    text: str = ""
    fault: str = ""
    also: frozenset[str] = frozenset()
    """Other columns in which it has a text."""


def _row_of(where: str, cells: Mapping[str, object]) -> _Row:
    text = first_text(cells, TEXTS)
    also = (name for name in TEXTS if first_text(cells, (name,)).strip() not in ("", text.strip()))
    return _Row(where, first_text(cells, _FILES), text, "", frozenset(also))


def is_table(path: Path, stems: Iterable[str]) -> bool:
    """Return whether a file beside images of these stems is a table of captions."""
    suffix = path.suffix.lower()
    named = suffix in (".json", ".txt") and path.stem.lower() in _NAMES and path.stem not in stems
    return suffix in _SUFFIXES or named


def read_table(path: Path) -> CaptionTable:
    """Return the captions of a table by file name, exactly as they are."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return CaptionTable(path, {}, ("is too large for a table of captions",))
        text = decoded(path.read_bytes())
    except OSError as exc:
        return CaptionTable(path, {}, (f"can't be opened ({exc.strerror or exc})",))
    captions: dict[str, str] = {}
    faults, unused = [], set[str]()
    is_csv, is_refused = path.suffix.lower() in (".csv", ".tsv", ".txt"), False
    for where, file, caption, fault, also in (_csv if is_csv else _json)(text):
        name = file.strip().replace("\\", "/").rpartition("/")[2]
        unused |= also
        if fault or (not name and caption.strip()):
            faults.append(f"{where} {fault or 'names no file'}".strip())
            # Where one row of a CSV is not understood, others may be misunderstood.
            is_refused |= is_csv and bool(fault)
        elif name and captions.setdefault(name, caption) != caption:
            faults.append(f"{where} has another caption of {name!r}")
    faults += [f"has {name} beside its captions, which are not taken" for name in sorted(unused)]
    return CaptionTable(path, {} if is_refused else captions, tuple(faults))


# -- JSON ------------------------------------------------------------------------------------------


def _json(text: str) -> Iterator[_Row]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # Other characters end lines for Python, and may be in a text.
        lines = enumerate(text.split("\n"), 1)
        rows = [(f"line {number}", _loaded(line)) for number, line in lines if line.strip()]
    else:
        rows = [(f"row {n}", row) for n, row in enumerate(_listed(found), 1)]
    for where, row in rows:
        if isinstance(row, dict):
            yield _row_of(where, row)
        else:
            yield _Row(where, fault="is no JSON object")


def _loaded(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _listed(found: object) -> Sequence[object]:
    """Return the rows of a list, or of a mapping such as kohya's: captions by image."""
    if not isinstance(found, dict):
        return found if isinstance(found, list) else [found]
    if first_text(found, _FILES):
        return [found]
    return [
        {**value, _FILES[0]: key} if isinstance(value, dict) else {_FILES[0]: key, TEXTS[0]: value}
        for key, value in found.items()
    ]


# -- CSV -------------------------------------------------------------------------------------------


def _csv(text: str) -> Iterator[_Row]:
    """Yield the rows of a table with double quotes, whatever stands between its cells."""
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # A tab at its start is an empty name.
    head = next((line for line in text.split("\n") if line.strip()), "").strip(" \r")
    for delimiter in _DELIMITERS:
        cells = next(csv.reader([head], delimiter=delimiter), [])
        names = [cell.strip().casefold() for cell in cells]
        if {*names} & {*_FILES} and {*names} & {*TEXTS}:
            return _table(text, delimiter, names, is_named=True)
        if len(names) > 1 and is_one_of(Path(names[0]), IMAGES | MEDIA | FOREIGN):
            return _table(text, delimiter, [_FILES[0], TEXTS[0]], is_named=False)
    fault = f"has no columns called file_name and text: it begins with {head[:80]!r}"
    return iter([_Row("", fault=fault)] if head else [])


def _table(text: str, delimiter: str, names: list[str], *, is_named: bool) -> Iterator[_Row]:
    lines = [f"{line}\n" for line in text.split("\n")]
    is_spaced = re.search(rf'{re.escape(delimiter)} +"', text) is not None
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=is_spaced)
    rows: list[_Row] = []
    number = done = 0
    try:
        for cells in reader:
            raw, done = "".join(lines[done : reader.line_num]), reader.line_num
            number += bool(raw.strip())
            if raw.strip() and (number > 1 or not is_named):
                rows.append(_row(f"row {number}", names, cells, raw.rstrip("\r\n"), delimiter))
    except csv.Error:
        fault = "has a quotation that does not end as it should"
        rows.append(_Row(f"row {number + 1}", fault=fault))
    if rows and all(row.text[:1] == "'" == row.text[1:][-1:] for row in rows):
        rows[0] = rows[0]._replace(fault="is in single quotes: put every cell into double ones")
    yield from rows


def _row(where: str, names: list[str], cells: list[str], raw: str, delimiter: str) -> _Row:
    if re.search(rf"\\([\\\"'\r\n{delimiter}]|\Z)", raw):
        return _Row(where, fault="has a backslash before a special character: quote its cells")
    last, is_last = len(names) - 1, {*names} & {*TEXTS} == {names[-1]}
    if len(cells) > len(names) and is_last and not re.search(rf'(^|[{delimiter}]) *"', raw):
        # A caption without quotes goes on to the end of its line.
        cells = raw.split(delimiter, last)
    known = {*names[: len(cells)]}
    if len(cells) > len(names) or not (known & {*_FILES} and known & {*TEXTS}):
        fault = f"has {plural(len(cells), 'cell')}, not {len(names)}: put its caption into quotes"
        return _Row(where, fault=fault)
    return _row_of(where, dict(zip(names, cells, strict=False)))
