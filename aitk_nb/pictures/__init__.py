"""Pictures by row and column, shown and saved with their captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.pictures.drawing import Tile as Tile
    from aitk_nb.pictures.grid import PictureGrid as PictureGrid

__getattr__, __dir__, __all__ = lazy(__name__)
