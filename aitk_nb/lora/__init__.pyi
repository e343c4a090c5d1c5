"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.lora.api import LoraReport as LoraReport
from aitk_nb.lora.api import inspect_lora as inspect_lora
from aitk_nb.lora.comparison import LoraComparison as LoraComparison
from aitk_nb.lora.comparison import compare_loras as compare_loras
