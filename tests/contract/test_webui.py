"""The contract of the web UI, case by case, on the embedded server or on a real one.

`AITK_CONTRACT_URL` (and `AITK_TOKEN`) name a real server; README.md says more.
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import TOKEN
from tests.contract.cases import Case, load
from tests.contract.runner import run, skip_reason
from tests.contract.world import Target

CASES = load()
# Read here, because the fixture that cleans the environment runs before each test.
_REAL = os.environ.get("AITK_CONTRACT_URL", "")
_REAL_TOKEN = os.environ.get("AITK_TOKEN", "")


@pytest.fixture
def target(request: pytest.FixtureRequest, case: Case) -> Target:
    """The server for this case."""
    if _REAL:
        return Target(_REAL, _REAL_TOKEN)
    if case.server == "token":
        server = request.getfixturevalue("token_server")
        return Target(server.url, TOKEN, server.data)
    server = request.getfixturevalue("demo_server")
    return Target(server.url, "", server.data)


PATIENT = {
    "jobs-active-list-is-cached-for-five-seconds",
    "poison-config-blocks-its-queue-until-marked-stopped",
    "job-goes-back-to-the-queue-when-the-queue-stops",
    "job-that-is-complete-keeps-its-status-when-stopped",
}
"""Cases that take seconds."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name, marks=pytest.mark.slow if case.name in PATIENT else ())
        for case in CASES
    ],
)
def test_the_server_answers_as_the_contract_says(case: Case, target: Target) -> None:
    """Each case: prepare, ask, compare, clean up."""
    if reason := skip_reason(case, target):
        pytest.skip(reason)
    run(case, target)
