"""What can be looked at in a notebook: forms, monitors and plots, one view per file."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
