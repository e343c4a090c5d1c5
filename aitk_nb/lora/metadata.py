"""What trainers record of a LoRA beside its tensors, each under names of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# PEFT and diffusers, Kohya, others and LyCORIS.
_ALPHAS = frozenset({"lora_alpha", "ss_network_alpha", "network_alpha", "linear_alpha"})
_LONGEST = 1_000_000
"""Characters of a JSON text that is still read."""


def recorded(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return fields of a `LoraReport` that the trainer recorded.

    They stand under AI Toolkit's names, else under others'.
    """

    def first(*keys: str) -> str:
        return next((metadata[key][:200] for key in keys if metadata.get(key)), "")

    info = plain(metadata.get("training_info"))
    info = info if isinstance(info, dict) else {}
    step = _number(info.get("step", first("ss_steps")))
    epoch = _number(info.get("epoch", first("ss_epoch")))
    entries = [("lora_alpha", metadata.get("alpha")), *_entries(metadata)]
    alphas = (_number(value) for name, value in entries if name in _ALPHAS)
    return {
        "alphas": tuple(sorted({alpha for alpha in alphas if alpha is not None})),
        "root_scaled": any(name == "use_rslora" and value is True for name, value in entries),
        "base_model": first("ss_base_model_version", "ss_base_model", "modelspec.architecture"),
        "name": first("name", "ss_output_name"),
        "step": None if step is None else int(step),
        "epoch": None if epoch is None else int(epoch),
    }


def recorded_beside(path: Path, ranks: Collection[int]) -> dict[str, Any]:
    """Return the alphas that PEFT's `adapter_config.json` beside a LoRA of these ranks has."""
    text = ""
    with suppress(OSError, ValueError):
        text = path.with_name("adapter_config.json").read_text(encoding="utf-8")
    config = plain(text)
    fits = isinstance(config, dict) and config.get("r") in ranks
    found = recorded({"adapter_config": text} if fits else {})
    return {name: found[name] for name in ("alphas", "root_scaled")}


def _entries(metadata: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the last part of each name, and its value; also those within JSON texts."""
    left: list[tuple[str, object]] = list(metadata.items())
    while left:
        name, value = left.pop()
        last = name.rpartition(".")[2]
        value = plain(value) if isinstance(value, str) and last not in _ALPHAS else value
        if isinstance(value, dict):
            # In a pattern the names are those of layers.
            pattern = last == "alpha_pattern"
            left += [("lora_alpha" if pattern else key, inner) for key, inner in value.items()]
        else:
            yield last, value


def plain(value: object) -> object:
    """Return what a JSON text says; the value itself if it is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(value) if isinstance(value, str) and len(value) < _LONGEST else value
    return value


def _number(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
