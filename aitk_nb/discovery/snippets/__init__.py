"""Programs that call what a server offers, in five languages, ready to run."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
