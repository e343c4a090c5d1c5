"""The contract of the Gradio app under each generation of Gradio."""

from __future__ import annotations

import pytest

from aitk_nb.demo import GradioServer
from tests import gradio_servers
from tests.contract.gradio_cases import GradioCase, load
from tests.contract.gradio_interface import expected, reduced
from tests.contract.gradio_world import GradioTarget, run
from tests.gradio_servers import LOGIN, Caller


@pytest.mark.parametrize("case", load(), ids=lambda case: case.name)
def test_the_app_answers_as_the_contract_says(
    case: GradioCase, major: str, request: pytest.FixtureRequest
) -> None:
    """Each case that holds for this generation: look, upload, ask, compare."""
    if major not in case.only:
        pytest.skip(f"says nothing of Gradio {major}")
    if case.server == "disposable":
        with gradio_servers.server(major) as server:
            assert not run(case, GradioTarget(server.url))
        return
    name, login = ("any_login_server", LOGIN) if case.server == "login" else ("any_server", None)
    url = request.getfixturevalue(name).url
    assert not run(case, GradioTarget(url, login))


def test_the_interface_is_that_of_the_contract(any_server: GradioServer, major: str) -> None:
    """Names, order, labels, types and defaults of all endpoints, and the numbers of components."""
    with Caller(any_server.url) as caller:
        info = caller.http.get(f"{caller.prefix}/info").json()
        assert expected(major) == reduced(info, caller.config)
