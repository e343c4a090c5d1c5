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
        return not value or value != value.strip() or bool({*value} & {*f"\"'\\\n{self.delimiter}"})


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
    if other := next((one for one in usual if one != usual[0]), None):
        pairs = zip_longest(usual[0], other, fillvalue=_Row(""))
        first, second = next((a, b) for a, b in pairs if a != b)
        fault = f"can be read as {first.text[:60]!r} or as {second.text[:60]!r}"
        remedy = "put every cell into double quotes, the header too"
        yield _Row(first.where or second.where, fault=f"{fault}: {remedy}")
    elif usual or whole:
        yield from (usual or whole)[0]
    elif found:
        yield found[0].rows[-1]
    elif start := text.strip().partition("\n")[0][:80]:
        fault = f"has no columns called file_name and text: it begins with {start!r}"
        yield _Row("", fault=fault)


def _reading(dialect: _Dialect, text: str) -> _Reading | None:
    """Return the rows as one dialect reads them; None if it finds no columns that are known."""
    lines = list(dialect.rows(text))
    first = (lines and lines[0]) or []
    names = [cell.value.strip().casefold() for cell in first]
    is_named = bool({*names} & {*_FILES} and {*names} & {*TEXTS})
    if not is_named:
        if len(names) < 2 or not is_one_of(Path(names[0]), IMAGES | MEDIA | FOREIGN):
            return None
        names = [_FILES[0], TEXTS[0]]
    body = [line for line in lines[is_named:] if line and (line[0].raw or len(line) > 1)]
    rows = [_row(dialect, names, line, number) for number, line in enumerate(body, 1 + is_named)]
    is_whole = None not in lines
    if not is_whole:
        fault = "has a quotation that does not end as it should"
        rows.append(_Row(f"row {len(rows) + 1 + is_named}", fault=fault))
    is_even = all(len(line) == len(names) and all(c.is_usual for c in line) for line in body)
    is_usual = is_whole and is_even and _is_usual(dialect, rows, body)
    return _Reading(rows, is_whole, is_usual)


def _row(dialect: _Dialect, names: list[str], cells: list[_Cell], number: int) -> _Row:
    last, values = len(names) - 1, [cell.value for cell in cells]
    if len(cells) > len(names) and {*names} & {*TEXTS} == {names[last]}:
        rest = values[last:] if cells[last].is_quoted else [cell.raw for cell in cells[last:]]
        values[last:] = [dialect.delimiter.join(rest)]
    known = {*names[: len(values)]}
    if len(values) > len(names) or not (known & {*_FILES} and known & {*TEXTS}):
        fault = f"has {plural(len(cells), 'cell')}, not {len(names)}: put its caption into quotes"
        return _Row(f"row {number}", fault=fault)
    return _row_of(f"row {number}", dict(zip(names, values, strict=False)))


def _is_usual(dialect: _Dialect, rows: list[_Row], body: list[list[_Cell]]) -> bool:
    """Return whether a program can have put just these cells into these quotation marks."""
    other = _QUOTES[dialect.quote == '"']
    phrases = {row.text for row in rows if " " in row.text.strip(f"{other} ")}
    is_wrapped = all(row.text[:1] == other == row.text[-1:] for row in rows)
    if is_wrapped and len(phrases) >= _PHRASES:
        return False
    # Many captions begin or end with an apostrophe.
    return dialect.quote == '"' or all(
        all(one.is_quoted or not one.raw for one in column)
        or all(not one.is_quoted or dialect.needs_quotes(one.value) for one in column)
        for column in zip(*body, strict=True)
    )
