"""What a server offers: its endpoints, operations and era."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
