"""`layer_norms`: how strongly a LoRA changes each layer of the base model."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from aitk_nb.errors import BadInput
from aitk_nb.lora.api import LoraReport, inspect_lora, reader
from aitk_nb.lora.layers import grouped, rank_of
from aitk_nb.lora.metadata import recorded
from aitk_nb.lora.safetensors_file import array, read_header

_Matrix: TypeAlias = npt.NDArray[np.float64]


def layer_norms(file: str | Path) -> dict[str, float]:
    """Return the size of the change that a LoRA makes to each layer at strength 1.

    Args:
        file: A local file with a LoRA or a LoKr.

    Returns:
        By layer, in the order of the file, the Frobenius norm of what is added to its weight. A
        layer of another kind, or with a core or a magnitude, is left out.

    Raises:
        BadInput: The file can't be read, or has no such layer.
    """
    report = inspect_lora(file)
    norms: dict[str, float] = {}
    with Path(file).expanduser().open("rb") as stream:
        read = reader(stream)
        named, _ = read_header(read, report.size, report.path)
        for module, parts in grouped(named)[1].items():
            values = {
                part: found.astype(np.float64)
                for part, tensor in parts.items()
                if (found := array(read, tensor, report.path)) is not None
            }
            if len(values) == len(parts) and (norm := _norm(values)) is not None:
                norms[module] = norm * _scale(values, rank_of(parts), report)
    if not norms:
        raise BadInput(f"{report.path} has no layer of a LoRA or LoKr that can be measured.")
    return norms


def _norm(parts: Mapping[str, _Matrix]) -> float | None:
    """Return the norm of a layer's change before it is scaled; None of another kind."""
    factors = parts.keys() - {"alpha", "scalar"}
    if factors == {"up (B)", "down (A)"}:
        return _product_norm(parts["up (B)"], parts["down (A)"])
    norm = 1.0
    for whole in ("lokr_w1", "lokr_w2"):
        # The norm of a Kronecker product is that of both, multiplied.
        if whole in factors:
            norm *= float(np.linalg.norm(parts[whole]))
        elif {f"{whole}_a", f"{whole}_b"} <= factors:
            norm *= _product_norm(parts[f"{whole}_a"], parts[f"{whole}_b"])
        else:
            return None
    return norm if not any("lokr_t" in part or "mag" in part for part in factors) else None


def _product_norm(left: _Matrix, right: _Matrix) -> float:
    """Return the norm of a product without the product, which has as many values as the layer."""
    left, right = left.reshape(left.shape[0], -1), right.reshape(right.shape[0], -1)
    return math.sqrt(max(0.0, float(((left.T @ left) * (right @ right.T)).sum())))


def _scale(parts: Mapping[str, _Matrix], rank: int | None, report: LoraReport) -> float:
    """Return what a layer's change is multiplied by: by its own alpha, else the recorded one."""
    alphas = parts["alpha"].flat if "alpha" in parts else recorded(report.metadata)["alphas"]
    if not rank or len(alphas) != 1:
        return 1.0
    return float(alphas[0]) / (math.sqrt(rank) if report.root_scaled else rank)
