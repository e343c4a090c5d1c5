"""The LoRA files on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.loras.api import Loras as Loras

__getattr__, __dir__, __all__ = lazy(__name__)
