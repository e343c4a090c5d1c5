"""The committed excerpt of RunPod's OpenAPI file, and that it refuses what is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aitk_nb.demo.runpod.api import Exchange
from tests.runpod.conftest import OPENAPI, World, differences
from tests.runpod.make_excerpt import excerpt

FILE = os.environ.get("AITK_RUNPOD_OPENAPI", "")
"""RunPod's own file, where it is at hand."""


@pytest.mark.skipif(not FILE, reason="AITK_RUNPOD_OPENAPI does not name RunPod's file")
def test_the_excerpt_is_of_the_file() -> None:
    """Nothing was changed by hand."""
    assert excerpt(json.loads(Path(FILE).read_text(encoding="utf-8"))) == OPENAPI


def test_the_excerpt_is_whole() -> None:
    """An excerpt of the excerpt is the same."""
    assert excerpt(OPENAPI) == OPENAPI


@pytest.mark.parametrize(
    "seen",
    [
        Exchange("GET", "/v2/pods", {"name": "x"}, None, 200, {"pods": []}),
        Exchange("GET", "/v2/pods", {}, None, 200, {"pods": [{"id": "x"}]}),
        Exchange("POST", "/v2/pods", {}, {"gpu": {"id": "x", "many": 2}, "name": "a"}, 400, {}),
        Exchange("POST", "/v2/pods/{id}/action", {}, {"action": "pause"}, 204, None),
        Exchange("GET", "/v2/pods/{id}", {}, None, 404, {"error": "not found"}),
        Exchange("PUT", "/v2/pods", {}, None, 200, {}),
        Exchange("GET", "/v2/billing/pods", {"bucketSize": "minute"}, None, 200, {}),
    ],
)
def test_what_is_wrong_is_found(seen: Exchange) -> None:
    """The check that every test of this folder ends with can fail."""
    assert differences(seen)


def test_an_answer_of_the_imitation_is_checked(world: World) -> None:
    """Also the pods in it."""
    world.pods.create("one", gpu="RTX 4090")
    world.pods.list()
    assert len(world.heard[-1].answer["pods"]) == 1
    assert differences(world.heard[-1]) == []
    del world.heard[-1].answer["pods"][0]["cost"]
    assert "'cost' is a required property" in differences(world.heard.pop())[0]
