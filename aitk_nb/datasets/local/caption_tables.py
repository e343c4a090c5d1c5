"""Tables of captions: CSV and its kin, JSON and JSON lines, read so that nothing is lost.

A CSV does not say how it is written. It is read in every way in which a program can have written
it; where two ways give different captions, it is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, zip_longest
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
_QUOTES = "\"'"
_PHRASES = 3
"""So many different phrases, all in quotation marks, do not happen to begin and end with them."""


@dataclass(frozen=True, slots=True)
class CaptionTable:
    """What was read of a table of captions."""

    path: Path
    captions: Mapping[str, str]
    """By name of the file; by its stem where the table has no suffixes."""
    faults: tuple[str, ...] = ()
    """What could not be read, with the number of the row."""

    def key(self, image: Path) -> str:
        """Return the name that the table has for an image; empty if it has none."""
        return next((key for key in (image.name, image.stem) if key in self.captions), "")


class _Row(NamedTuple):
    where: str
    file: str
    text: str
    fault: str = ""


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
    faults = []
    for where, file, caption, fault in (_csv if _is_csv(path) else _json)(text):
        name = file.strip().replace("\\", "/").rpartition("/")[2]
        if fault or (not name and caption.strip()):
            faults.append(f"{where} {fault or 'names no file'}".strip())
        elif name and captions.setdefault(name, caption) != caption:
            faults.append(f"{where} has another caption of {name!r}")
    return CaptionTable(path, captions, tuple(faults))


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".txt")


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
            yield _Row(where, first_text(row, _FILES), first_text(row, TEXTS))
        else:
            yield _Row(where, "", "", "is no JSON object")


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


class _Cell(NamedTuple):
    raw: str
    value: str
    is_quoted: bool
    is_usual: bool
    """False for what people write, and no program does."""


class _Dialect(NamedTuple):
    quote: str
    escapes: bool
    """Whether a backslash protects the character after it."""
    delimiter: str

    def rows(self, text: str) -> Iterator[list[_Cell] | None]:
        """Yield the cells of each row, and None where a quotation does not end as it should."""
        q, d = self.quote, self.delimiter
        slash, pair = (r"\\", r"\\.") if self.escapes else ("", r"(?!)")
        # In a file whose lines end in LF, CR is a character as others.
        end, stop = ("\r?\n", "\r\n") if text.partition("\n")[0].endswith("\r") else ("\n", "\n")
        inner = rf"(?:[^{q}{slash}]++|{q}{q}|{pair})*+"
        bare = rf"(?:[^{d}{stop}{slash}]++|\r(?!\n)|{pair})*+"
        cell = re.compile(rf"( *{q}({inner}){q} *|(?! *{q}){bare})([{d}]|{end}|\Z)", re.DOTALL)
        row: list[_Cell] = []
        at = 0
        while at < len(text) or row:
            found = cell.match(text, at)
            if found is None:
                yield None
                return
            row.append(self._cell(found[1], found[2]))
            at = found.end()
            if found[3] != d:
                yield row
                row = []

    def _cell(self, raw: str, quoted: str | None) -> _Cell:
        q, inner = self.quote, raw if quoted is None else quoted
        value = inner if quoted is None else inner.replace(q + q, q)
        rest = inner
        if self.escapes:
            doubled = "" if quoted is None else rf"|{q}(?={q})"
            value = re.sub(rf"(?s)(?:\\{doubled})(.)", r"\1", inner)
            known = rf"{self.delimiter}\r\n" if quoted is None else ""
            rest = re.sub(rf"\\[{q}\\{known}]", "", inner)
        odd = ("\\" if self.escapes else "") + (q if quoted is None else "")
        return _Cell(raw, value, quoted is not None, not set(odd) & set(rest))

    def needs_quotes(self, value: str) -> bool:
        """Return whether some program puts a value into quotation marks for what is in it."""
        return (
            value != value.strip()
            or not value
            or bool(set(f"\"'\\\r\n{self.delimiter}") & {*value})
        )


class _Columns(NamedTuple):
    file: int
    texts: tuple[int, ...]
    width: int
    is_named: bool


class _Reading(NamedTuple):
    rows: list[_Row]
    is_whole: bool
    is_usual: bool
    """Whether a program writes such a table."""


def _csv(text: str) -> Iterator[_Row]:
    if "\n" not in text:
        text = text.replace("\r", "\n")
    styles = product(_QUOTES, (False, True) if "\\" in text else (False,), _DELIMITERS)
    found = [one for style in styles if (one := _reading(_Dialect(*style), text))]
    usual = [one.rows for one in found if one.is_usual]
    whole = [one.rows for one in found if one.is_whole]
    for other in usual[1:]:
        if other != usual[0]:
            yield _disagreement(usual[0], other)
            return
    if not found and text.strip():
        first = text.partition("\n")[0].strip()[:80]
        fault = f"has no columns called file_name and text: it begins with {first!r}"
        yield _Row("", "", "", fault)
    elif usual or whole:
        yield from (usual or whole)[0]
    elif found:
        yield found[0].rows[-1]


def _disagreement(one: list[_Row], other: list[_Row]) -> _Row:
    pairs = zip_longest(one, other, fillvalue=_Row("", "", ""))
    first, second = next((a, b) for a, b in pairs if a != b)
    texts = " or as ".join(repr(row.text[:60]) for row in (first, second))
    fault = f"can be read as {texts}: put every cell into double quotes, the header too"
    return _Row(first.where or second.where, "", "", fault)


def _columns(first: Sequence[_Cell]) -> _Columns | None:
    names = [cell.value.strip().casefold() for cell in first]
    files, texts = ([names.index(one) for one in all_ if one in names] for all_ in (_FILES, TEXTS))
    if files and texts:
        return _Columns(files[0], tuple(texts), len(names), is_named=True)
    if len(first) > 1 and is_one_of(Path(names[0]), IMAGES | MEDIA | FOREIGN):
        return _Columns(0, (1,), 2, is_named=False)
    return None


def _reading(dialect: _Dialect, text: str) -> _Reading | None:
    """Return the rows as one dialect reads them; None if it finds no columns that are known."""
    lines = dialect.rows(text)
    first = next(lines, None)
    columns = _columns(first) if first else None
    if columns is None or first is None:
        return None
    cells = [] if columns.is_named else [first]
    rows: list[_Row] = []
    is_whole = True
    for line in lines:
        if line is None:
            is_whole = False
        elif line[0].raw or len(line) > 1:
            cells.append(line)
    rows = [_row(dialect, columns, one, n) for n, one in enumerate(cells, 1 + columns.is_named)]
    if not is_whole:
        fault = "has a quotation that does not end as it should"
        rows.append(_Row(f"row {len(rows) + 1 + columns.is_named}", "", "", fault))
    return _Reading(rows, is_whole, is_whole and _is_usual(dialect, columns, [first, *cells]))


def _row(dialect: _Dialect, columns: _Columns, cells: list[_Cell], number: int) -> _Row:
    where, last, many = f"row {number}", columns.width - 1, plural(len(cells), "cell")
    if len(cells) <= max(columns.file, columns.texts[0]):
        return _Row(where, "", "", f"has {many}, not {columns.width}")
    if len(cells) > columns.width:
        if columns.texts[0] != last:
            return _Row(where, "", "", f"has {many}, not {columns.width}: quote its caption")
        surplus = [one.value if cells[last].is_quoted else one.raw for one in cells[last:]]
        return _Row(where, cells[columns.file].value, dialect.delimiter.join(surplus))
    values = [cells[at].value for at in columns.texts if at < len(cells)]
    text = next((value for value in values if value.strip()), values[0])
    return _Row(where, cells[columns.file].value, text)


def _is_usual(dialect: _Dialect, columns: _Columns, rows: list[list[_Cell]]) -> bool:
    if not all(len(row) == columns.width and all(one.is_usual for one in row) for row in rows):
        return False
    body = list(zip(*rows[1:], strict=True))
    texts = [one.value for one in (body[columns.texts[0]] if body else ())]
    other = _QUOTES[dialect.quote == '"']
    phrases = {one for one in texts if " " in one.strip(f"{other} ")}
    is_wrapped = all(one[:1] == other == one[-1:] for one in texts)
    if len(phrases) >= _PHRASES and is_wrapped:
        return False
    # Many captions begin or end with an apostrophe.
    return dialect.quote == '"' or all(
        all(one.is_quoted or not one.raw for one in column)
        or all(not one.is_quoted or dialect.needs_quotes(one.value) for one in column)
        for column in body
    )
