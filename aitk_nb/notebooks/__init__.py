"""The shipped notebooks: their parameters, and running them headless."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
