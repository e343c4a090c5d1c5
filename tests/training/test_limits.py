"""What each field may be, in words that the checks agree with, and where AI Toolkit says so."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.errors import InvalidParams
from aitk_nb.training.fields import schema
from aitk_nb.training.params import TrainingParams
from aitk_nb.training.validation import allowed, limits

TOOLKIT = os.environ.get("AITK_TOOLKIT", "")
"""A checkout of AI Toolkit, where one is at hand."""
SCHEMA = schema()
FIELDS = TrainingParams.model_fields
NUMBERS = [name for name, entry in SCHEMA.items() if limits(entry)]
SOURCES = {name: entry["source"] for name, entry in SCHEMA.items()}
UNSEEN = {"dataset", "extra"}
"""Fields whose source is a folder or a whole file."""


def test_every_field_has_a_source() -> None:
    """In the schema, which programs read: a file of AI Toolkit, and words in it."""
    assert FIELDS.keys() == SOURCES.keys()
    assert SCHEMA == TrainingParams.model_json_schema()["properties"]
    assert all(
        re.fullmatch(r"[\w./]+: .+|ui/src/app/api/datasets: .+", w) for w in SOURCES.values()
    )


@pytest.mark.skipif(not TOOLKIT, reason="AITK_TOOLKIT names no checkout of AI Toolkit")
@pytest.mark.parametrize("name", sorted(SOURCES.keys() - UNSEEN))
def test_the_source_says_so(name: str) -> None:
    """The file is there, and the words are in it."""
    path, _, words = SOURCES[name].partition(": ")
    text = (Path(TOOLKIT) / path).read_text(encoding="utf-8")

    assert re.split("[,;]", words)[0] in text


@pytest.mark.parametrize("name", NUMBERS)
def test_the_limits_in_words_are_the_limits(name: str) -> None:
    """The ends are valid unless they are exclusive; what is beyond them is not."""
    low, _, high = limits(SCHEMA[name]).partition("..")
    entry = SCHEMA[name].get("items", SCHEMA[name])
    kind: Any = int if entry["type"] == "integer" else float
    fields = {"name": "cat", "dataset": "cats"}

    assert allowed(SCHEMA[name]).endswith(f" {low}..{high}")
    assert usable({**fields, name: kind(low)}) is ("minimum" in entry)
    assert not usable({**fields, name: kind(low) - 1})
    if high:
        assert usable({**fields, name: kind(high)}) is ("maximum" in entry)
        assert not usable({**fields, name: kind(high) + 1})


def problems(fields: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong by field."""
    try:
        TrainingParams.model_validate(fields)
    except InvalidParams as exc:
        return exc.problems
    return {}


def usable(fields: dict[str, Any]) -> bool:
    """Return whether the parameters can be used."""
    return not problems(fields)


@given(st.sampled_from(sorted(FIELDS)), st.text(max_size=30))
def test_a_text_from_a_shell_is_used_or_named(name: str, text: str) -> None:
    """The command line hands texts over; what cannot be used is told by its own field, shortly."""
    found = problems({"name": "cat", "dataset": "cats", "base_model": "x", name: text})

    assert found.keys() <= {name}
    assert all(len(why) < 400 for why in found.values())
