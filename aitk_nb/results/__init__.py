"""What comes of a training: its checkpoints, and what they do."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
