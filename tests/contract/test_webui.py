"""The contract of the web UI, case by case, on each version of the embedded server or a real one.

`AITK_CONTRACT_URL` (and `AITK_TOKEN`) name a real server; README.md says more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from aitk_nb import demo
from aitk_nb.demo import EraName
from tests.conftest import TOKEN
from tests.contract.cases import Case, load
from tests.contract.runner import run, skip_reason
from tests.contract.world import Target
from tests.versions import FOREIGN

CASES = load()


@pytest.fixture(scope="session")
def embedded(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[EraName, str], Target]]:
    """Embedded servers, one of each version with and without a token, started when wanted."""
    targets: dict[tuple[EraName, str], Target] = {}
    with ExitStack() as started:

        def target(era: EraName, token: str) -> Target:
            if (era, token) not in targets:
                server = demo.start(tmp_path_factory.mktemp("contract"), era=era, token=token)
                started.callback(server.stop)
                targets[era, token] = Target(server.url, token, era, server.data)
            return targets[era, token]

        yield target


PATIENT = {
    "jobs-active-list-is-cached-for-five-seconds",
    "poison-config-blocks-its-queue-until-marked-stopped",
    "job-goes-back-to-the-queue-when-the-queue-stops",
    "job-that-is-complete-keeps-its-status-when-stopped",
}
"""Cases that take seconds."""


def _asked() -> list[object]:
    """Return each case with each version that answers so; the newest of them is asked always."""
    if FOREIGN is not None:
        era = FOREIGN.era()
        return [pytest.param(case, era, id=case.name) for case in CASES if era in case.eras]
    return [
        pytest.param(
            case,
            era,
            id=f"{case.name}-{era}",
            marks=pytest.mark.slow if case.name in PATIENT or era != case.eras[-1] else (),
        )
        for case in CASES
        for era in case.eras
    ]


@pytest.mark.parametrize(("case", "era"), _asked())
def test_the_server_answers_as_the_contract_says(
    case: Case, era: EraName, embedded: Callable[[EraName, str], Target]
) -> None:
    """Each case: prepare, ask, compare, clean up."""
    if FOREIGN is not None:
        target = Target(FOREIGN.url, FOREIGN.token, era)
    else:
        target = embedded(era, TOKEN if case.server == "token" else "")
    if reason := skip_reason(case, target):
        pytest.skip(reason)
    run(case, target)
