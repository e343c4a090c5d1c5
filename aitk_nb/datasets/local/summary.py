"""How a local dataset shows itself on a page: what is there, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb import _html

if TYPE_CHECKING:
    from aitk_nb.datasets.local.scanned import LocalDataset

__all__ = ["summary", "whole"]

_SHOWN = 20


def summary(dataset: LocalDataset) -> _html.Html:
    """Return a table of what is there, and how much is wrong."""
    counts: list[tuple[object, object]] = [
        ("folder", dataset.name),
        ("images", len(dataset.images)),
        ("captions", len(dataset.captions)),
        ("size", f"{dataset.total_bytes / 1e6:.1f} MB"),
    ]
    for what, files in (("sounds", dataset.sounds), ("videos", dataset.videos)):
        if files:
            counts.insert(2, (what, len(files)))
    counts += [
        ("control images", f"{len(controls.files)} in {controls.folder.name}")
        for controls in dataset.controls
    ]
    return _html.definition([*counts, ("problems", _verdict(dataset))])


def whole(dataset: LocalDataset) -> _html.Html:
    """Return the table of what is there, and below it one of the first problems."""
    if not dataset.problems:
        return summary(dataset)
    return _html.join([summary(dataset), dataset.problems.html(shown=_SHOWN)])


def _verdict(dataset: LocalDataset) -> _html.Html:
    if not dataset.problems:
        return _html.badge("none", "ok")
    errors = len(dataset.errors)
    warnings = len(dataset.problems) - errors
    badges = []
    if errors:
        badges.append(_html.badge(f"{errors} error{'s' * (errors > 1)}", "error"))
    if warnings:
        badges.append(_html.badge(f"{warnings} warning{'s' * (warnings > 1)}", "warning"))
    return _html.join(badges, " ")
