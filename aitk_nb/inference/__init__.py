"""Pictures that a server makes with its own inference engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.inference.api import Inference as Inference

__getattr__, __dir__, __all__ = lazy(__name__)
