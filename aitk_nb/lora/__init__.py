"""LoRA files: what they contain, and whether they are sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.lora.api import LoraReport as LoraReport
    from aitk_nb.lora.api import inspect_lora as inspect_lora
    from aitk_nb.lora.comparison import LoraComparison as LoraComparison
    from aitk_nb.lora.comparison import compare_loras as compare_loras

__getattr__, __dir__, __all__ = lazy(__name__)
