"""Pictures that a server makes with its own inference engine."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
