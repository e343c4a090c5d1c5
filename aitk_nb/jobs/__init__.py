"""Training jobs: starting, watching, stopping and comparing them."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
