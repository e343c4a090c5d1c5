"""How adapters name their tensors, and whether the factors of each layer belong together."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from aitk_nb.lora.safetensors_file import Tensor

Modules: TypeAlias = Mapping[str, Mapping[str, Tensor]]
"""By layer of the base model, the adapter's tensors by their part in it."""

_UP, _DOWN, _MAGNITUDE = "up (B)", "down (A)", "magnitude"

# Each changed matrix is stored whole, or as two factors with a core between them (Tucker), so as
# whole, left, right, core; what a kind has not is empty.
_Matrix: TypeAlias = tuple[str, str, str, str]
_MATRICES: Mapping[str, tuple[_Matrix, ...]] = {
    "LoRA": (("", _UP, _DOWN, "lora_mid"),),
    "LoKr": tuple((f"lokr_w{n}", f"lokr_w{n}_a", f"lokr_w{n}_b", f"lokr_t{n}") for n in (1, 2)),
    "LoHa": tuple(("", f"hada_w{n}_a", f"hada_w{n}_b", f"hada_t{n}") for n in (1, 2)),
}
FACTORS = frozenset(part for kind in _MATRICES.values() for names in kind for part in names)
"""What is multiplied by each other."""
SCALES = frozenset({_MAGNITUDE, "alpha", "scalar"})
"""What a layer of any kind is multiplied by."""
_CORES = frozenset(core for kind in _MATRICES.values() for *_, core in kind)

# What follows a layer's name, by kind; `number` holds what scales a layer of any kind.
_SUFFIXES = {
    "LoRA": (
        r"lora(?:_linear_layer|_embedding)?(?P<nth>\d*)[._](?P<factor>A|B|down|up|mid)"
        r"(?:\.(?!bias$)[\w-]+)?(?:\.weight)?"
    ),
    "LoKr": r"lokr_(?:w[12](?:_[ab])?|t[12])",
    "LoHa": r"hada_(?:w[12]_[ab]|t[12])",
    "DoRA": r"(?P<magnitude>dora_scale|(?:lora_)?magnitude(?:_vector)?)(?:\.[\w-]+)*",
    "IA3": r"ia3_l(?:\.[\w-]+)?|on_input",
    "GLoRA": r"[ab][12]\.weight",
    "OFT": r"oft_(?:blocks|diag|[Rrs])(?:\.[\w-]+)*",
    "BOFT": r"boft_[Rs](?:\.[\w-]+)*",
    "VeRA": r"vera_lambda_[bd](?:\.[\w-]+)?",
    "full_difference": r"diff(?:_b)?|[wb]_norm|set_(?:weight|bias)",
    "number": r"alpha|scalar",
}
_KEY = re.compile(
    r"(?P<module>.+?)[._](?:"
    + "|".join(f"(?P<{kind}>{suffix})" for kind, suffix in _SUFFIXES.items())
    + ")"
)
_NAMES = {"A": _DOWN, "down": _DOWN, "B": _UP, "up": _UP, "mid": "lora_mid"}
CHECKED = frozenset({*_MATRICES, "DoRA"})
"""The kinds whose factors are checked."""


def grouped(tensors: Mapping[str, Tensor]) -> tuple[tuple[str, ...], Modules]:
    """Return the kinds of adapter and, by module, its tensors by their part in it."""
    modules: dict[str, dict[str, Tensor]] = {}
    kinds: set[str] = set()
    for key, tensor in tensors.items():
        if len(key) > 1000 or not (match := _KEY.fullmatch(key)):
            continue
        kind = str(match.lastgroup)
        factor = match["factor"] or (_MAGNITUDE if kind == "DoRA" else match[kind])
        parts = modules.setdefault(match["module"] + (match["nth"] or ""), {})
        parts[_NAMES.get(factor, factor)] = tensor
        # LyCORIS calls both so; the factors of a butterfly have a dimension more.
        kinds.add("BOFT" if match["OFT"] and len(tensor.shape) == 4 else kind)
    found = [kind for kind in _SUFFIXES if kind in kinds and kind != "number"]
    return tuple(kind.replace("_", " ") for kind in found), modules


def rank_of(parts: Mapping[str, Tensor]) -> int | None:
    """Return the rank of a module; None if it is not factored."""
    for part in (_DOWN, "lokr_w2_b", "lokr_w1_b", "hada_w1_b"):
        if (tensor := parts.get(part)) and tensor.shape:
            return tensor.shape[0]
    return None


def faults(modules: Modules) -> Mapping[str, Sequence[str]]:
    """Return the modules whose factors are incomplete or don't fit each other, by what is wrong."""
    cores: dict[str, set[str]] = defaultdict(set)
    for module, parts in modules.items():
        # LoHa has a core in both of its matrices, or in none.
        have = _CORES & parts.keys()
        cores[_pattern(module)] |= have | {f"hada_t{n}" for n in "12" if "hada_t" in str(have)}
    scaled = any(_MAGNITUDE in parts for parts in modules.values())
    found: dict[str, list[str]] = defaultdict(list)
    for module, parts in modules.items():
        if why := _fault(parts, cores[_pattern(module)], scaled=scaled):
            found[why].append(module)
    return found


def _pattern(module: str) -> str:
    """Return what the names of layers in the same place of several blocks have in common."""
    return re.sub(r"\d+", "#", module)


def _fault(parts: Mapping[str, Tensor], cores: set[str], *, scaled: bool) -> str:
    """Return what is wrong with the factors of a module, to follow its name, else nothing."""
    if parts.keys() <= SCALES:
        return "without any factor"
    for kind, matrices in _MATRICES.items():
        if not {part for names in matrices for part in names} & parts.keys():
            continue
        missing = [part for names in matrices for part in _missing(parts, names, cores)]
        if scaled and _MAGNITUDE not in parts:
            missing.append(f"{_MAGNITUDE} (DoRA)")
        if missing:
            return f"without {' and '.join(missing)}"
        shapes = [_shape(parts, names) for names in matrices]
        if kind == "LoHa":  # its matrices are multiplied value by value
            shapes = shapes[:1] if shapes[0] == shapes[1] else [None]
        if not _magnitude_fits(parts, shapes):
            return "whose factors' shapes don't match"
    return ""


def _missing(parts: Mapping[str, Tensor], names: _Matrix, cores: set[str]) -> list[str]:
    whole, left, right, core = names
    if whole in parts:
        return []
    if whole and not {left, right} & parts.keys():
        return [whole]
    return [part for part in (left, right, *({core} & cores)) if part not in parts]


def _shape(parts: Mapping[str, Tensor], names: _Matrix) -> tuple[int, int] | None:
    """Return rows and columns of a matrix; None if its factors don't fit each other."""
    whole, left, right, core = (parts[name].shape if name in parts else None for name in names)
    if whole:
        return whole[0], math.prod(whole[1:])
    if left is None or right is None or min(len(left), len(right)) < 2:
        return None
    if core is None:
        return (left[0], math.prod(right[1:])) if left[1] == right[0] else None
    # LoRA's left factor has the rank last also around a core, those of LyCORIS have it first.
    rows, rank = left[:2] if names[1] == _UP else left[1::-1]
    fits = core[:2] == (rank, right[0])
    return (rows, math.prod((*right[1:], *core[2:]))) if fits else None


def _magnitude_fits(parts: Mapping[str, Tensor], shapes: list[tuple[int, int] | None]) -> bool:
    """Return whether there is one magnitude for each row, or input, of what the shapes make."""
    known = [shape for shape in shapes if shape]
    if len(known) < len(shapes):
        return False
    count = parts[_MAGNITUDE].count if _MAGNITUDE in parts else 0
    rows, columns = (math.prod(sizes) for sizes in zip(*known, strict=True))
    # Behind an input stand the values of a kernel.
    return count in {0, rows} or columns % count == 0
