"""Pods on RunPod: created, followed, paid for and stopped."""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
