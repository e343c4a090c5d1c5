"""An imitation of RunPod whose clock is set, and whose every exchange is checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

import aitk_nb
from aitk_nb import demo
from aitk_nb.demo.runpod.api import Exchange

OPENAPI = json.loads((Path(__file__).parent / "openapi.json").read_text(encoding="utf-8"))
KEY = "rpa_planted-5kQ-key"


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0
        self.then: list[Callable[[], None]] = []

    def __call__(self) -> float:
        """Return the seconds of now."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def resolved(part: Any) -> Any:
    """Return what a reference refers to."""
    while isinstance(part, dict) and "$ref" in part:
        _, _, kind, name = part["$ref"].split("/")
        part = OPENAPI["components"][kind][name]
    return part


def problems(schema: Any, value: Any) -> list[str]:
    """Return how a value breaks a schema of the file."""
    whole = {**schema, "components": OPENAPI["components"]}
    checked = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in checked.iter_errors(value)]


def differences(seen: Exchange) -> list[str]:
    """Return how an exchange differs from RunPod's file."""
    path = OPENAPI["paths"].get(seen.route, {})
    operation = path.get(seen.method.lower())
    if operation is None:
        return [f"{seen.method} {seen.route} is not in the file"]
    parameters = [resolved(one) for one in operation.get("parameters", ())]
    known = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    found = [f"unknown parameter {name}" for name in seen.query if name not in known]
    for name, text in seen.query.items():
        schema = resolved(known.get(name, {}))
        found += problems(schema, text.split(",") if schema.get("type") == "array" else text)
    if "requestBody" in operation:
        found += problems(
            operation["requestBody"]["content"]["application/json"]["schema"], seen.body
        )
    elif seen.body is not None:
        found.append("a body that is not in the file")
    answers = operation["responses"]
    answer = resolved(answers.get(str(seen.status), answers["default"]))
    if seen.status >= 400 or str(seen.status) in answers:
        for content in answer.get("content", {}).values():
            found += problems(content["schema"], seen.answer)
        if "content" not in answer and seen.answer is not None:
            found.append("an answer that is not in the file")
        return found
    return [*found, f"status {seen.status} is not in the file"]


@dataclass
class World:
    """An imitation, an account in it, and all that was said."""

    server: demo.RunPodServer
    clock: Clock
    pods: aitk_nb.RunPod
    heard: list[Exchange]

    @property
    def cloud(self) -> Any:
        """The state of the imitation."""
        return self.server.cloud

    def running(self) -> list[str]:
        """Return the names of the pods that cost, whether they show or not."""
        return [pod.name for pod in self.cloud.pods.values() if pod.on is not None]


@pytest.fixture
def world() -> Iterator[World]:
    """An empty account; at the end, every exchange has been as in RunPod's file."""
    clock, heard = Clock(), []
    with demo.RunPodServer(clock=clock, boot=10.0, settle=5.0) as server:
        server.api.heard = heard.append
        pods = aitk_nb.RunPod(server.url, key=KEY, clock=clock, sleep=clock.sleep)
        yield World(server, clock, pods, heard)
        pods.close()
    assert [text for seen in heard for text in differences(seen)] == []
