"""Captions that are there, and that the trainer does not read: in tables and other files."""

from collections.abc import Iterator
from pathlib import Path

from aitk_nb._units import plural
from aitk_nb.datasets.local.caption_tables import CaptionTable
from aitk_nb.datasets.local.contents import Contents
from aitk_nb.datasets.local.problems import Code, Problem, shown

_FAULTS = 5
"""Rows of a table that are named."""


def caption_problems(found: Contents) -> Iterator[Problem]:
    """Yield the captions that the trainer does not read, and the files that hold none.

    Args:
        found: What was read of the dataset.
    """
    yield from _beside(found)
    for table in found.tables:
        yield from _of_table(table, found)


def _beside(found: Contents) -> Iterator[Problem]:
    many: dict[str, list[Path]] = {}
    for path in found.trained:
        if file := found.sidecar(path):
            many.setdefault(file.suffix if file.stem == path.stem else "", []).append(file)
    for ending, files in many.items():
        kind = f"{ending} files" if ending else f"files such as {shown(files[0])!r}"
        how = {
            "": "which the trainer does not read",
            ".json": "of which the trainer takes all as the caption with caption_ext: json",
        }.get(ending, f"which the trainer reads only with caption_ext: {ending[1:]}")
        remedy = Code.CAPTION_TABLE.remedy + (
            f", or set caption_ext: {ending[1:]} in the job" if ending == ".caption" else ""
        )
        text = f"{plural(len(files), 'caption')} in {kind}, {how}"
        yield Problem(Code.CAPTION_SUFFIX, "", text, remedy)
    if blank := found.blank:
        more = f", as in {plural(len(blank) - 1, 'other file')}" if blank[1:] else ""
        yield Problem(Code.CAPTION_LOST, shown(blank[0]), f"holds no caption{more}")


def _of_table(table: CaptionTable, found: Contents) -> Iterator[Problem]:
    name, images = shown(table.path), (*found.trained, *found.foreign)
    for fault in table.faults[:_FAULTS]:
        yield Problem(Code.CAPTION_LOST, name, fault)
    if table.faults[_FAULTS:]:
        text = f"has {plural(len(table.faults) - _FAULTS, 'more row')} like these"
        yield Problem(Code.CAPTION_LOST, name, text)
    used = {
        path: found.captions.get(path.name) or found.elsewhere.get(path, ("",))[0]
        for path in images
    }
    texts = {path: table.captions.get(table.key(path), "").strip() for path in images}
    if others := [path for path, text in texts.items() if text not in ("", used[path])]:
        text = f"has other captions of {plural(len(others), 'image')} than those that are used"
        yield Problem(Code.CAPTION_LOST, name, text)
    useful = [
        path
        for path in images
        if texts[path] and not found.captions.get(path.name) and path not in others
    ]
    if useful:
        text = (
            f"has captions of {plural(len(useful), 'image')}, which the trainer does not read there"
        )
        yield Problem(Code.CAPTION_TABLE, name, text)
    keys = {table.key(path) for path in images}
    if absent := [key for key, text in table.captions.items() if text.strip() and key not in keys]:
        text = f"names {plural(len(absent), 'file')} not found here, e.g. {absent[0]!r}"
        yield Problem(Code.CAPTION_LOST, name, text)
    elif not (table.faults or any(text.strip() for text in table.captions.values())):
        yield Problem(Code.CAPTION_LOST, name, "has no caption")
