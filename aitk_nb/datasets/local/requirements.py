"""`Demands`: what a dataset has to satisfy: a server's limits, and what is to be trained."""

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

__all__ = ["GRADIO_FILES", "Demands", "Rename", "divisibility", "gradio_name"]

Rename: TypeAlias = Callable[[str], str]
"""Returns the name that the server will give to a file."""

GRADIO_FILES = 150
"""Entries, images and captions together, that the Gradio app takes (contracts/gradio.md)."""

_DIVISIBILITY = {
    "anima": 32,
    "chroma": 32,
    "ernie_image": 32,
    "flex1": 32,
    "flux": 32,
    "hidream_o1": 32,
    "ltx2": 32,
    "ltx2.3": 32,
    "ltx2.5": 32,
    "minimax_h3": 32,
    "minimax_h3_ref2va": 32,
    "nucleus_image": 32,
    "qwen_image": 32,
    "qwen_image_edit": 32,
    "qwen_image_edit_plus": 32,
    "wan22_5b": 32,
    "zeta_chroma": 32,
}
_USUAL = 16


def divisibility(arch: str) -> int:
    """Return the pixels of which both sides of a bucket are multiples, for an architecture.

    From `get_bucket_divisibility` of each model of ostris/ai-toolkit 0.12.26.
    """
    return _DIVISIBILITY.get(arch.partition(":")[0], _USUAL)


def gradio_name(name: str) -> str:
    """Return what the Gradio app makes of a file name, by the strictest of its generations.

    Generations 4 and 5 drop all but letters, digits, dots, dashes, underscores and spaces, and
    cut at 200 bytes; 6 keeps names as they are (contracts/gradio.md).
    """
    kept = "".join(char for char in name if char.isalnum() or char in "._- ")
    return kept.encode("utf-8", "ignore")[:200].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of a dataset; what is left out is not asked."""

    flavour: Flavour = Flavour.WEBUI
    """Of the server that is to take it."""
    rename: Rename | None = None
    """The server's own renaming; the flavour's usual one when left out."""
    limit: int | None = None
    """Bytes of the largest file that gets through to the server, such as 95_000_000 behind
    RunPod's proxy."""
    resolution: tuple[int, ...] = ()
    """The resolutions that are to be trained on, in pixels."""
    arch: str = ""
    """The architecture that is to be trained."""
    trigger_word: str | None = None
    """The trigger word of the training: empty when it has none, None when that is not known."""

    def __post_init__(self) -> None:
        if any(pixels < 1 for pixels in self.resolution):
            raise BadInput(f"A resolution is a number of pixels above 0, not {self.resolution}.")
        if self.limit is not None and self.limit < 1:
            raise BadInput(f"The largest file has a size in bytes, not {self.limit}.")

    @classmethod
    def of(cls, params: TrainingParams, *, limit: int | None = None) -> Demands:
        """Return what a training with these parameters asks of its dataset."""
        return cls(
            limit=limit,
            resolution=params.resolution,
            arch=params.arch,
            trigger_word=params.trigger_word,
        )

    @property
    def stored(self) -> Rename:
        """The renaming that the server does."""
        if self.rename is not None:
            return self.rename
        return gradio_name if self.flavour is Flavour.GRADIO else names.file_name

    @property
    def preset(self) -> presets.Preset | None:
        """What is known of the architecture; None when none was named.

        Raises:
            BadInput: there is no such architecture.
        """
        if not self.arch:
            return None
        known = presets.load()
        if self.arch not in known:
            raise BadInput(f"{self.arch!r} is no architecture; there are {', '.join(known)}.")
        return known[self.arch]
