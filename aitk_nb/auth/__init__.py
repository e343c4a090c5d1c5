"""Authentication of a server: whether it lets you in, and what is unsafe about it."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
