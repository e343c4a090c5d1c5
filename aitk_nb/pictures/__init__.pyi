"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.pictures.drawing import Tile as Tile
from aitk_nb.pictures.grid import PictureGrid as PictureGrid
