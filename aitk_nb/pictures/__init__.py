"""Pictures by row and column, shown and saved with their captions."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
