"""What comes of a training: its checkpoints, and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.results.api import TriesLoras as TriesLoras

__getattr__, __dir__, __all__ = lazy(__name__)
