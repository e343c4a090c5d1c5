"""`Requirements`: what a dataset has to satisfy: a server's limits, and what is to be trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from aitk_nb.backends.webui import names
from aitk_nb.errors import BadInput
from aitk_nb.models.server import Flavour
from aitk_nb.training import presets

if TYPE_CHECKING:
    from aitk_nb.training.params import TrainingParams

Rename: TypeAlias = Callable[[str], str]
"""Returns the name that the server will give to a file."""

GRADIO_FILES = 150
"""Entries, images and captions together, that the Gradio app accepts (contracts/gradio.md)."""


def resolutions(text: str) -> tuple[int, ...]:
    """Return the resolutions in a text such as `512, 768`.

    Raises:
        BadInput: It holds something else.
    """
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as exc:
        raise BadInput(f"Invalid resolutions {text!r}; use e.g. 512 or 512, 768.") from exc


def _gradio_name(name: str) -> str:
    """Return what the Gradio app makes of a file name, by the strictest of its generations.

    Generations 4 and 5 drop all but letters, digits, dots, dashes, underscores and spaces, and
    cut at 200 bytes; 6 keeps names as they are (contracts/gradio.md).
    """
    kept = "".join(char for char in name if char.isalnum() or char in "._- ")
    return kept.encode("utf-8", "ignore")[:200].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class Requirements:
    """What is required of a dataset; what is omitted is not checked.

    Example:
        >>> required = aitk_nb.Requirements(arch="flux", limit=95_000_000)
        >>> aitk_nb.LocalDataset(photos).check(required).verdict
        '0 errors, 0 warnings'
    """

    flavour: Flavour = Flavour.WEBUI
    """Flavour of the server that gets the dataset."""
    rename: Rename | None = None
    """The server's own renaming of files; by default that of the flavour."""
    limit: int | None = None
    """Bytes of the largest file that reaches the server, such as 95_000_000 behind RunPod's
    proxy."""
    resolution: tuple[int, ...] = ()
    """Training resolutions in pixels."""
    arch: str = ""
    """Architecture to train."""
    trigger_word: str | None = None
    """Trigger word of the training job: empty for none, None if it is not known."""

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense.

        Raises:
            BadInput: A resolution or the limit is below 1.
        """
        if any(pixels < 1 for pixels in self.resolution):
            raise BadInput(f"A resolution must be at least 1 pixel, not {self.resolution}.")
        if self.limit is not None and self.limit < 1:
            raise BadInput(f"The limit must be at least 1 byte, not {self.limit}.")

    @classmethod
    def of(cls, params: TrainingParams, *, limit: int | None = None) -> Requirements:
        """Return what a training job with these parameters requires of its dataset.

        Args:
            params: The training parameters.
            limit: Bytes of the largest file that reaches the server; None if unknown.
        """
        return cls(
            limit=limit,
            resolution=params.resolution,
            arch=params.arch if params.arch in presets.load() else "",
            trigger_word=params.trigger_word,
        )

    @property
    def stored(self) -> Rename:
        """The renaming that the server does."""
        usual = _gradio_name if self.flavour is Flavour.GRADIO else names.file_name
        return self.rename or usual

    @property
    def preset(self) -> presets.Preset | None:
        """The preset of the architecture; None if none is given.

        Raises:
            BadInput: Unknown architecture.
        """
        if not self.arch:
            return None
        known = presets.load()
        if self.arch not in known:
            raise BadInput(f"Unknown architecture {self.arch!r}; choose from {', '.join(known)}.")
        return known[self.arch]
