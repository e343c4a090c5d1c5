"""A dataset on the server, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aitk_nb import _html

if TYPE_CHECKING:
    from aitk_nb.models.verify_report import VerifyReport

SHOWN = 20
"""Rows of a long table that are shown."""


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

    def __repr__(self) -> str:
        return f"<dataset {self.name!r}: {len(self.images)} images, {len(self.captions)} captions>"

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        result = {"name": self.name, "images": len(self.images), "captions": len(self.captions)}
        return _html.bundle(repr(self), self._repr_html_(), dataset=result)

    def _repr_html_(self) -> _html.Html:
        rows = [(image, self.captions.get(image, "")) for image in self.images[:SHOWN]]
        if len(self.images) > SHOWN:
            rows.append((f"and {len(self.images) - SHOWN} more", ""))
        return _html.table(("image", "caption"), rows, caption=f"Dataset {self.name}")
