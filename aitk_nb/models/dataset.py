"""A dataset on the server, and how it compares with local files, as frozen values."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import computed_field

from aitk_nb._display import html
from aitk_nb._units import plural
from aitk_nb.models.report import JsonReport

SHOWN = 20
"""Rows of a long table that are shown."""

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""Suffixes of the images that the trainer reads, as ostris/ai-toolkit's toolkit/data_loader.py."""
VIDEOS = frozenset({".mp4", ".avi", ".mov", ".webm", ".mkv", ".wmv", ".m4v", ".flv"})
"""Suffixes of the videos that the trainer reads."""
SOUNDS = frozenset({".mp3", ".wav", ".flac", ".aac", ".ogg", ".m4a"})
"""Suffixes of the sounds that the trainer reads."""


class FileState(enum.Enum):
    """How far a file was compared, and the result."""

    SAME = "identical"
    SIZE = "same size"
    LISTED = "listed"
    MISSING = "missing"
    DIFFERS = "different"

    @property
    def is_right(self) -> bool:
        """True unless something is wrong with the file."""
        return self not in {FileState.MISSING, FileState.DIFFERS}


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One local file, and how the server's compares."""

    name: str
    """Its name on the server."""
    local: str
    """Its local name."""
    size: int
    """Its local size in bytes."""
    state: FileState


@dataclass(frozen=True, slots=True)
class VerifyReport(JsonReport):
    """A dataset on the server, compared with local files.

    Example:
        >>> dataset = client.datasets.upload(photos, "verified")
        >>> client.datasets.verify(photos, dataset.name, verify="full")
        <dataset 'verified' on the server: 24 identical>
    """

    dataset: str
    files: tuple[FileCheck, ...] = field(default=(), repr=False)
    """Every local file."""
    extra: tuple[str, ...] = ()
    """Files on the server that have no local file; they are left alone."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """True if no file is missing or different."""
        return all(file.state.is_right for file in self.files)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the files that the server lacks."""
        return self._of(FileState.MISSING)

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the files whose content on the server differs."""
        return self._of(FileState.DIFFERS)

    def joined(self, others: Iterable[VerifyReport]) -> VerifyReport:
        """Return the report joined with `others`, whose names prefix their files."""
        files, extra = [*self.files], [*self.extra]
        for other in others:
            files += [replace(file, name=f"{other.dataset}/{file.name}") for file in other.files]
            extra += [f"{other.dataset}/{name}" for name in other.extra]
        return replace(self, files=tuple(files), extra=tuple(extra))

    def _of(self, state: FileState) -> tuple[str, ...]:
        return tuple(file.name for file in self.files if file.state is state)

    @property
    def counts(self) -> dict[str, int]:
        """The number of files in each state, in the order of the states."""
        many = Counter(file.state for file in self.files)
        return {state.value: many[state] for state in FileState if many[state]}

    def __repr__(self) -> str:
        found = ", ".join(f"{count} {what}" for what, count in self.counts.items()) or "no files"
        more = f", {len(self.extra)} extra" if self.extra else ""
        return f"<dataset {self.dataset!r} on the server: {found}{more}>"

    def _repr_html_(self) -> str:
        wrong = [file for file in self.files if not file.state.is_right]
        listed = wrong or self.files
        rows: list[tuple[object, ...]] = [
            (
                html.badge(file.state.value, "ok" if file.state.is_right else "error"),
                file.local,
                file.name,
                f"{file.size:,}",
            )
            for file in listed[:SHOWN]
        ]
        if len(listed) > SHOWN:
            rows.append(("", f"and {len(listed) - SHOWN} more", "", ""))
        rows += [(html.badge("extra", "warning"), "", name, "") for name in self.extra[:SHOWN]]
        wrong_count = f"{plural(len(wrong), 'file')} missing or different"
        caption = f"Dataset {self.dataset} on the server: {'complete' if self.ok else wrong_count}"
        return html.table(("", "local file", "server file", "bytes"), rows, caption=caption)


def media_text(names: Iterable[str]) -> str:
    """Return how many files of each kind there are, by the suffixes of their names."""
    ends = [name.rpartition(".")[2].lower() for name in names]
    kinds = {"video": VIDEOS, "sound": SOUNDS}
    counts = {kind: sum(f".{end}" in known for end in ends) for kind, known in kinds.items()}
    images = len(ends) - sum(counts.values())
    found = [plural(images, "image")] if images or not ends else []
    return ", ".join([*found, *(plural(many, kind) for kind, many in counts.items() if many)])


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A dataset on the server."""

    name: str
    """Its name on the server, which may differ from the one asked for."""
    images: tuple[str, ...] = ()
    """Names of its images, videos and sounds, relative to the dataset."""
    captions: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Caption by image name; an image without one is missing here."""
    sent: int = 0
    """Files sent by the call that returned this."""
    kept: int = 0
    """Files that were already there, byte for byte."""
    controls: tuple[str, ...] = ()
    """Names of the datasets that its control images became, where an upload returned this."""
    report: VerifyReport | None = field(default=None, repr=False, compare=False)
    """What was found of the files that were sent, where an upload returned this."""
    remarks: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """Captions of the folder that the trainer will not read, where an upload returned this."""

    @property
    def media(self) -> str:
        """What `images` holds, by kind: `3 images`, or `2 images, 1 video`."""
        return media_text(self.images)

    def __repr__(self) -> str:
        found = f"{self.media}, {plural(len(self.captions), 'caption')}"
        return f"<dataset {self.name!r}: {'; '.join([found, *self.remarks])}>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        result = {"name": self.name, "images": len(self.images), "captions": len(self.captions)}
        return html.bundle(repr(self), self._repr_html_(), dataset=result)

    def _repr_html_(self) -> html.Html:
        rows = [(image, self.captions.get(image, "")) for image in self.images[:SHOWN]]
        if len(self.images) > SHOWN:
            rows.append((f"and {len(self.images) - SHOWN} more", ""))
        table = html.table(("image", "caption"), rows, caption=f"Dataset {self.name}")
        return html.join([table, *(html.message(one, "warning") for one in self.remarks)])
