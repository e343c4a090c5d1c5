"""`VerifyReport`: what was found of each file of a dataset on the server."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from aitk_nb import _html

__all__ = ["FileCheck", "FileState", "VerifyReport"]

SHOWN = 20


class FileState(enum.Enum):
    """How far a file was compared, and what came of it."""

    SAME = "same content"
    SIZE = "right size"
    LISTED = "listed"
    MISSING = "missing"
    DIFFERS = "differs"

    @property
    def is_right(self) -> bool:
        """True unless something is wrong with the file."""
        return self not in {FileState.MISSING, FileState.DIFFERS}


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of ours, and what the server has of it."""

    name: str
    """Its name on the server."""
    local: str
    """Its name here."""
    size: int
    """Bytes it has here."""
    state: FileState
    remote_size: int | None = None
    """Bytes it has on the server; None where it was not measured, or is not there."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """A dataset on the server, held against the files here."""

    dataset: str
    files: tuple[FileCheck, ...] = field(default=(), repr=False)
    """Every file of ours."""
    foreign: tuple[str, ...] = ()
    """Files on the server that are none of ours; they are left alone."""

    @property
    def ok(self) -> bool:
        """True when nothing is missing and nothing differs."""
        return all(file.state.is_right for file in self.files)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the files that the server lacks."""
        return self._of(FileState.MISSING)

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the files that the server has with other content."""
        return self._of(FileState.DIFFERS)

    def joined(self, others: Iterable[VerifyReport]) -> VerifyReport:
        """Return the report with those of other datasets, whose names stand before their files."""
        files, foreign = [*self.files], [*self.foreign]
        for other in others:
            files += [replace(file, name=f"{other.dataset}/{file.name}") for file in other.files]
            foreign += [f"{other.dataset}/{name}" for name in other.foreign]
        return replace(self, files=tuple(files), foreign=tuple(foreign))

    def _of(self, state: FileState) -> tuple[str, ...]:
        return tuple(file.name for file in self.files if file.state is state)

    @property
    def counts(self) -> dict[str, int]:
        """How many files there are of each state, in the order of the states."""
        many = Counter(file.state for file in self.files)
        return {state.value: many[state] for state in FileState if many[state]}

    def __repr__(self) -> str:
        found = ", ".join(f"{count} {what}" for what, count in self.counts.items()) or "no files"
        more = f", {len(self.foreign)} not ours" if self.foreign else ""
        return f"<dataset {self.dataset!r} on the server: {found}{more}>"

    def as_dict(self) -> dict[str, object]:
        """Return what is in it, for machines."""
        files = [
            {"name": f.name, "local": f.local, "size": f.size, "state": f.state.value}
            for f in self.files
        ]
        return {"dataset": self.dataset, "ok": self.ok, "files": files, "foreign": [*self.foreign]}

    def _repr_html_(self) -> str:
        wrong = [file for file in self.files if not file.state.is_right]
        shown = (wrong or self.files)[:SHOWN]
        rows: list[tuple[object, ...]] = [
            (
                _html.badge(file.state.value, "ok" if file.state.is_right else "error"),
                file.local,
                file.name,
                f"{file.size:,}",
            )
            for file in shown
        ]
        more = len(wrong or self.files) - len(shown)
        if more:
            rows.append(("", f"and {more} more", "", ""))
        rows += [
            (_html.badge("not ours", "warning"), "", name, "") for name in self.foreign[:SHOWN]
        ]
        caption = f"Dataset {self.dataset} on the server: " + (
            "all there" if self.ok else f"{len(wrong)} files are wrong"
        )
        return _html.table(("", "file here", "file there", "bytes"), rows, caption=caption)
