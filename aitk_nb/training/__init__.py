"""Training parameters, presets and job configs."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
