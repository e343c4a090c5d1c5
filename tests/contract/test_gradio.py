"""The contract of the Gradio app, case by case, on the embedded app or on a real one.

`AITK_GRADIO_CONTRACT_URL` names a real server, and `AITK_GRADIO_CONTRACT_USER` and `…_PASSWORD` its
login; README.md says more. Gradio 4 and 5 are asked by `make test-gradio`.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from aitk_nb.demo import GradioServer
from tests.contract.gradio_cases import GradioCase, load
from tests.contract.gradio_interface import expected, reduced
from tests.contract.gradio_world import GradioTarget, compare, run
from tests.contract.wire import Reply
from tests.gradio_servers import LOGIN, Caller
from tests.loops import for_each

CASES = load()
# Read here, because the fixture that cleans the environment runs before each test.
_REAL = os.environ.get("AITK_GRADIO_CONTRACT_URL", "")
_USER = os.environ.get("AITK_GRADIO_CONTRACT_USER", "")
_PASSWORD = os.environ.get("AITK_GRADIO_CONTRACT_PASSWORD", "")

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def target(request: pytest.FixtureRequest, case: GradioCase) -> GradioTarget:
    """The server for this case."""
    if _REAL:
        return GradioTarget(_REAL, (_USER, _PASSWORD) if _USER else None, embedded=False)
    if case.server == "login":
        return GradioTarget(request.getfixturevalue("gradio_login_server").url, LOGIN)
    return GradioTarget(request.getfixturevalue("gradio_server").url)


@each_case
def test_the_app_answers_as_the_contract_says(case: GradioCase, target: GradioTarget) -> None:
    """Each case: look, upload, ask, compare."""
    if reason := run(case, target):
        pytest.skip(reason)


def test_the_interface_is_that_of_the_contract(gradio_server: GradioServer) -> None:
    """Names, order, labels, types and defaults of all endpoints, and the numbers of components."""
    login = (_USER, _PASSWORD) if _USER else None
    with Caller(_REAL or gradio_server.url, login) as caller:
        info = caller.http.get(f"{caller.prefix}/info").json()
        assert expected(caller.config["version"][0]) == reduced(info, caller.config)


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    """At least 60, and no name twice."""
    names = [case.name for case in CASES]

    assert len(names) >= 60
    assert sorted(set(names)) == sorted(names)


@for_each("case", CASES, lambda case: case.name)
def test_every_case_can_fail(case: GradioCase) -> None:
    """No expectation is content with an answer that nobody gives."""
    nonsense = Reply(299, {"x": "y"}, b'{"unexpected": [1, 2, 3]}')
    for step in case.steps:
        for expect in step.expect.each():
            assert compare(nonsense, expect)
            for key in expect.keys() - {"status", "hangs"}:
                reply = Reply(_status(expect), {"x": "y"}, b'{"unexpected": [1, 2, 3]}')
                assert compare(reply, {"status": expect["status"], key: _pinned(expect[key])}), key


def _status(expect: dict[str, Any]) -> int:
    status: int | list[int] = expect["status"]
    return status[0] if isinstance(status, list) else status


def _pinned(value: Any) -> Any:
    """A header that must be absent is absent from nonsense too: ask for it instead."""
    if isinstance(value, dict) and value and all(item is None for item in value.values()):
        return dict.fromkeys(value, "<string>")
    return value
