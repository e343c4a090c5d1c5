"""Runs one case on one server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psutil

from tests.contract.cases import Case, Step, fill
from tests.contract.matching import of_era
from tests.contract.replies import judge
from tests.contract.world import Target, World

if TYPE_CHECKING:
    from tests.contract.wire import Reply

_PATIENCE = 10
"""What a case waits for takes longer on a busy machine."""
_PAUSE = 0.1


def skip_reason(case: Case, target: Target) -> str:
    """Return why the case cannot run on this server; empty when it can."""
    if case.server == "open" and target.token:
        return "needs a server without a token"
    if case.server == "token" and not target.token:
        return "needs a server with a token (AITK_TOKEN)"
    if target.embedded:
        return ""
    if case.real:
        return f"not on a real server: {case.real}"
    if "job_files" in case.needs:
        return "not on a real server: files in a job's folder cannot be made by the API"
    return "not on a real server: it would train there" if "trainer" in case.needs else ""


def run(case: Case, target: Target) -> None:
    """Prepare, send every request, compare, and clean up; raises AssertionError on a difference."""
    world = World(target)
    try:
        world.open(case.needs)
        for number, step in enumerate(case.steps, 1):
            problems = _perform(step, world)
            label = f"{case.name}, step {number}, {step.request.get('method', 'GET')} "
            label += step.request["path"]
            assert not problems, hide(label + "\n  " + "\n  ".join(problems), world)
    finally:
        for raw in case.cleanup:
            world.call(fill(raw, world.values))
        world.close()


def _perform(step: Step, world: World) -> list[str]:
    time.sleep(step.after)
    if step.gone:
        _wait_gone(int(fill(step.gone, world.values)))
    expect = step.expect
    if world.target.embedded and step.expect_embedded is not None:
        expect = step.expect_embedded
    expect = of_era(fill(expect, world.values), world.target.era)
    request = fill(step.request, world.values)
    deadline = time.monotonic() + step.poll * _PATIENCE
    while True:
        reply = world.call(request)
        problems = judge(reply, expect)
        if not problems or time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
    if not problems:
        for name, place in step.capture.items():
            world.values[name] = pick(reply, place)
    return problems


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(_PAUSE)


def pick(reply: Reply, place: str) -> Any:
    """Return a value of the reply: `$` (its JSON), `jobs.0.id`, `size`, or `header:etag`."""
    if place == "size":
        return len(reply.body)
    if place.startswith("header:"):
        return reply.headers[place.removeprefix("header:")]
    value = reply.json()
    for part in place.split(".") if place != "$" else []:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def hide(text: str, world: World) -> str:
    """Return the text without the server's secrets, so that a failure may be shown to anybody."""
    secrets = (world.target.token, world.values.get("settings", {}).get("HF_TOKEN", ""))
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text
