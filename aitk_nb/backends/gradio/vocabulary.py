"""How Gradio apps name training parameters: which parameter of a function takes which of ours."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aitk_nb._yaml import facts
from aitk_nb.models.endpoint import Parameter

WORDS: Mapping[str, Any] = facts("aitk_nb.backends.gradio", "vocabulary")
"""All that is known of how people name things in such apps."""

TRAINING_WORDS: Mapping[str, Sequence[str]] = WORDS["parameters"]
"""A training parameter, and how apps name it; a longer phrase is a surer match.

These are words of other people's apps, so they stand here and not at the field: a field that no
app has needs none.
"""


def arguments_of(parameters: Sequence[Parameter]) -> dict[str, str | tuple[str, ...]]:
    """Return which parameter takes which of our values, as far as the words show it."""
    free = [one for one in parameters if not one.hidden and "file" not in one.type]
    ranked = sorted(
        (-closeness, field, place)
        for field, phrases in TRAINING_WORDS.items()
        for phrase in phrases
        for place, parameter in enumerate(free)
        if (closeness := _closeness(parameter, phrase))
    )
    taken: dict[int, str] = {}
    for _, field, place in ranked:
        if place not in taken and (field == "prompts" or field not in taken.values()):
            taken[place] = field
    found: dict[str, str | tuple[str, ...]] = {}
    if files := [one.name for one in parameters if "file" in one.type]:
        found["files"] = files[0]
    for field in TRAINING_WORDS:
        names = tuple(free[place].name for place in sorted(taken) if taken[place] == field)
        if names:
            found[field] = names if field == "prompts" else names[0]
    return found


def words_of(text: str) -> set[str]:
    """Return the words of a name or a label, in lower case."""
    return set(_split(text))


def _split(text: str) -> list[str]:
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z]+", split.lower())


def _closeness(parameter: Parameter, phrase: str) -> int:
    """Return how surely `parameter` is what `phrase` says; 0 for not at all."""
    wanted, best = phrase.split(), 0
    for text, weight in ((parameter.name, 2), (parameter.about, 1)):
        words = _split(text)
        spots = range(len(words) - len(wanted) + 1)
        if any(words[spot : spot + len(wanted)] == wanted for spot in spots):
            whole = words == wanted
            best = max(best, 10 * len(wanted) + weight + (5 if whole else 0))
    return best
