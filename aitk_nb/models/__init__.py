"""Frozen values that pass between the backends and everything above them."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
