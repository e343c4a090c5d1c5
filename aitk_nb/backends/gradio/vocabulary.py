"""How apps call the values of a training: which parameter of a function takes which of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aitk_nb.models.endpoint import Parameter

__all__ = ["TRAINING_WORDS", "arguments_of", "words_of"]

TRAINING_WORDS: Mapping[str, tuple[str, ...]] = {
    "name": ("lora name", "name of your lora", "output name", "project name", "model output name",
             "run name", "job name", "lora title", "name"),
    "trigger_word": ("trigger", "concept sentence", "instance prompt", "instance token",
                     "activation"),
    "dataset": ("dataset folder", "dataset path", "data dir", "train data", "image folder",
                "dataset"),
    "steps": ("max train steps", "training steps", "num steps", "iterations", "steps"),
    "learning_rate": ("learning rate", "lr", "unet lr"),
    "rank": ("network dim", "lora rank", "network rank", "rank", "dim"),
    "alpha": ("network alpha", "lora alpha", "alpha"),
    "batch_size": ("batch size", "train batch size"),
    "resolution": ("resolution", "image size", "max resolution"),
    "base_model": ("model to train", "base model", "pretrained model", "model name or path",
                   "checkpoint to train"),
    "save_every": ("save every", "save steps", "checkpointing steps"),
    "sample_every": ("sample every", "sample steps", "validation steps"),
    "seed": ("seed",),
    "prompts": ("test prompt", "sample prompt", "validation prompt", "sample"),
    "low_vram": ("low vram",),
    "use_advanced": ("use more advanced options", "use advanced"),
    "advanced": ("more advanced options", "advanced options", "config yaml", "extra config"),
}  # fmt: skip
"""Our word for a training value, and how apps call it; the longer a phrase the surer."""


def arguments_of(parameters: Sequence[Parameter]) -> dict[str, str | tuple[str, ...]]:
    """Return which parameter takes which of our values, where the words tell it."""
    found: dict[str, str | tuple[str, ...]] = {}
    free = [
        parameter
        for parameter in parameters
        if not parameter.hidden and "file" not in parameter.type
    ]
    files = [parameter.name for parameter in parameters if "file" in parameter.type]
    if files:
        found["files"] = files[0]
    ranked = sorted(
        (
            (-_closeness(parameter, phrase), field, place)
            for field, phrases in TRAINING_WORDS.items()
            for phrase in phrases
            for place, parameter in enumerate(free)
            if _closeness(parameter, phrase)
        ),
    )
    taken: set[int] = set()
    for _, field, place in ranked:
        if place in taken or (field in found and field != "prompts"):
            continue
        taken.add(place)
        if field == "prompts":
            earlier = found.get("prompts", ())
            names = (*((earlier,) if isinstance(earlier, str) else earlier), free[place].name)
            order = [parameter.name for parameter in free]
            found["prompts"] = tuple(sorted(names, key=order.index))
        else:
            found[field] = free[place].name
    return {field: found[field] for field in ("files", *TRAINING_WORDS) if field in found}


def words_of(text: str) -> set[str]:
    """Return the words of a name or a label, in lower case."""
    return set(_split(text))


def _split(text: str) -> list[str]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+", split.lower())


def _closeness(parameter: Parameter, phrase: str) -> int:
    """Return how surely `parameter` is what `phrase` says; 0 for not at all."""
    wanted = phrase.split()
    best = 0
    for text, weight in ((parameter.name, 2), (parameter.about, 1)):
        words = _split(text)
        spots = range(len(words) - len(wanted) + 1)
        if any(words[spot : spot + len(wanted)] == wanted for spot in spots):
            whole = words == wanted
            best = max(best, 10 * len(wanted) + weight + (5 if whole else 0))
    return best
