"""The LoRA files on a server."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
