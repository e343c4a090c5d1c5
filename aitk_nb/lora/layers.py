"""How adapters name their tensors: which layer and which factor of it a tensor is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from aitk_nb.lora.safetensors_file import Tensor

Modules: TypeAlias = Mapping[str, Mapping[str, Tensor]]
"""By layer of the base model, the adapter's tensors by their part in it."""

# One of these is zero when training begins; if all of them still are, nothing was learned.
GROWING = frozenset({"up", "lokr_w2", "lokr_w2_b", "hada_w2_a"})

_FACTOR = re.compile(
    r"(?P<module>.+?)[._](?:"
    r"lora(?:_linear_layer)?[._](?P<lora>A|B|down|up)(?:\.[\w-]+)?(?:\.weight)?"
    r"|(?P<lokr>lokr_(?:w[12](?:_[ab])?|t2))"
    r"|(?P<loha>hada_(?:w[12]_[ab]|t[12]))"
    r"|(?P<alpha>alpha)"
    r")",
)
_PARTS = {"A": "down", "B": "up"}
_KINDS = ("LoRA", "LoKr", "LoHa")


def grouped(tensors: Mapping[str, Tensor]) -> tuple[str, Modules]:
    """Return the kind of adapter and, by module, its tensors by their part in it."""
    modules: dict[str, dict[str, Tensor]] = {}
    kinds: list[str] = []
    for key, tensor in tensors.items():
        if len(key) > 1000 or not (match := _FACTOR.fullmatch(key)):
            continue
        part = match["lora"] or match["lokr"] or match["loha"] or "alpha"
        modules.setdefault(match["module"], {})[_PARTS.get(part, part)] = tensor
        kinds += [kind for kind in _KINDS if match[kind.lower()]]
    return " + ".join(dict.fromkeys(kinds)), modules


def rank_of(parts: Mapping[str, Tensor]) -> int | None:
    """Return the rank of a module; None if it is not factored."""
    for part in ("down", "lokr_t2", "lokr_w2_b", "lokr_w1_b", "hada_t1", "hada_w1_b"):
        if (tensor := parts.get(part)) and tensor.shape:
            return tensor.shape[0]
    return None


def misfit(module: str, parts: Mapping[str, Tensor]) -> str | None:
    """Return what is wrong with the shapes of a module."""
    if not {"down", "up"} & set(parts):
        return None
    down, up = parts.get("down"), parts.get("up")
    if down is None or up is None:
        return f"Layer {module[:100]!r} has only one of its two factors."
    if not down.shape or len(up.shape) < 2 or down.shape[0] != up.shape[1]:
        return f"Layer {module[:100]!r} has factors whose shapes don't match."
    return None
