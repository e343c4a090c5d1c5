"""Addresses, credentials and the embedded server behind `demo:`."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
