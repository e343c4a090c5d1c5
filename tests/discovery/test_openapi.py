"""The OpenAPI document is valid, agrees with the contract, and the server with the document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from aitk_nb import demo, discover
from aitk_nb.backends.webui.catalog import (
    CATALOG,
    document,
    endpoints,
    operation_objects,
    resolved,
)
from aitk_nb.discovery.report import DiscoveryReport
from aitk_nb.errors import NotSupported
from aitk_nb.models.server import Ability, Flavour
from tests.contract.cases import ERAS, load, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aitk_nb.demo import DemoServer, GradioServer
    from aitk_nb.models.endpoint import Endpoint

CASES = load()

NO_ENDPOINTS = {"/", "/proxy-8866/x", "/jobs", "/settings", "/api/inference/outputs/delete"}
"""Pages in the contract, and what belongs to the inference engine or to no part of the API."""

TYPES = {"<string>": "x", "<int>": 1, "<bool>": True, "<number>": 1.5}


OBJECTS = {operation["operationId"]: operation for _, _, operation in operation_objects()}


def test_the_catalog_is_an_openapi_document() -> None:
    """As it stands, with a date for each endpoint, and abilities and operations that there are."""
    validate(document())
    names = [endpoint.name for endpoint in CATALOG]

    assert sorted(set(names)) == sorted(names)
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", each["x-since"]) for each in OBJECTS.values())
    assert document()["info"]["version"] == max(each["x-since"] for each in OBJECTS.values())
    abilities = {name for each in OBJECTS.values() for name in each.get("x-ability", ())}
    assert abilities <= set(Ability.__members__)
    assert {call for calls in document()["x-operations"].values() for call in calls} <= set(names)


def test_the_exported_document_is_valid(demo_server: DemoServer) -> None:
    """By an OpenAPI validator, and each endpoint that is there is in it."""
    report = discover(demo_server.url)
    made = report.openapi()

    validate(made)
    ids = {each["operationId"] for path in made["paths"].values() for each in path.values()}
    assert {endpoint.name for endpoint in report.endpoints} == ids
    assert [{"url": demo_server.url}] == made["servers"]


def test_the_exported_document_is_of_the_server_at_hand() -> None:
    """An absent endpoint is left out, an older form is described, and nothing else changes."""
    states = {e.name: "absent" if e.since > "2026-01-01" else "present" for e in CATALOG}
    found = endpoints(states, "none")
    report = DiscoveryReport("http://x", Flavour.WEBUI, newest="2025-12-18", endpoints=found)
    made = report.openapi()

    assert "/api/scripts" not in made["paths"]
    assert "2025-12-18" == made["info"]["version"]
    log = made["paths"]["/api/jobs/{id}/log"]["get"]
    assert log["description"].startswith("before 2026-07-01: offset was ignored")
    assert "description" not in OBJECTS["job_log"]


def test_a_gradio_app_has_a_document_of_its_own(gradio_server: GradioServer) -> None:
    """And is told where."""
    with pytest.raises(NotSupported, match=r"GET /gradio_api/openapi\.json"):
        discover(gradio_server.url).openapi()


# -- the contract ---------------------------------------------------------------------------------


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """Return the endpoint for a request of the contract; None when there is none."""
    wanted = {"HEAD": "GET"}.get(method, method)
    fits = [
        endpoint
        for endpoint in CATALOG
        if endpoint.method == wanted and re.fullmatch(_pattern(endpoint.path), path)
    ]
    # Of /api/img/{path} and /api/img/delete the longer one is meant.
    return max(fits, key=lambda endpoint: len(endpoint.path.replace("{path}", "")), default=None)


def _pattern(path: str) -> str:
    return re.sub(r"\\\{path\\\}", ".+", re.sub(r"\\\{(?!path)\w+\\\}", "[^/]+", re.escape(path)))


def test_the_catalog_has_every_route_of_the_contract_and_no_other() -> None:
    """Each endpoint is in a case that expects something of it, and each route is an endpoint."""
    asked = set(routes(CASES))
    seen = {found.name for method, path in asked if (found := endpoint_of(method, path))}

    assert {endpoint.name for endpoint in CATALOG} == seen
    good = {
        (step.request.get("method", "GET"), path)
        for case in CASES
        for step in case.steps
        for path in [re.sub(r"\{[^}]*\}", "*", step.request["path"]).split("?")[0]]
        if step.expect["status"] == 200 and path not in NO_ENDPOINTS
    }
    assert all(endpoint_of(method, path) for method, path in good)


def test_every_answer_of_the_contract_is_documented() -> None:
    """Status by status; what a whole JSON answer holds is what its schema says."""
    checked = 0
    newest = [case for case in CASES if ERAS[-1] in case.eras]
    for case in newest:
        for step in case.steps:
            method = step.request.get("method", "GET")
            path = re.sub(r"\{[^}]*\}", "*", step.request["path"]).split("?")[0]
            endpoint = endpoint_of(method, path)
            status = step.expect["status"]
            if endpoint is None or not isinstance(status, int) or _is_general(step.request, status):
                continue
            responses = OBJECTS[endpoint.name]["responses"]
            assert str(status) in responses, (case.name, endpoint.name, status)
            checked += 1
            content = resolved(responses[str(status)]).get("content", {})
            if status == 200 and isinstance(step.expect.get("json"), dict):
                _conforms(step.expect["json"], content["application/json"]["schema"])
    assert checked > 150


def _is_general(request: dict[str, Any], status: int) -> bool:
    """True for what holds for every endpoint: redirects, conditions, ranges, no token."""
    headers = {name.lower() for name in request.get("headers", {})}
    return status in {206, 304, 308, 401} or bool(headers & {"range", "if-none-match"})


def _conforms(answer: dict[str, Any], schema: dict[str, Any]) -> None:
    """Hold an answer of the contract against a schema; a placeholder may stand for anything."""
    whole = {**schema, "components": document()["components"]}
    errors = jsonschema.Draft202012Validator(whole).iter_errors(answer)
    firm = [error for error in errors if "{" not in str(error.instance)[:2]]
    assert not firm, (answer, firm)


# -- the server -----------------------------------------------------------------------------------

# What may be called with any values at all, on a server of ours that is thrown away: nothing
# that runs a script, and no stream without an end.
SAFE = sorted(set(OBJECTS) - {"run_script", "monitor"})

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """A server that nobody else uses: schemathesis changes settings and deletes what it finds."""
    with demo.start(tmp_path_factory.mktemp("fuzzed")) as server:
        yield server


@pytest.fixture(scope="module")
def described(own_server: DemoServer) -> dict[str, Any]:
    """The document of that server."""
    return discover(own_server.url).openapi()


@pytest.mark.parametrize("name", SAFE)
def test_the_server_answers_as_the_document_says(
    name: str, own_server: DemoServer, described: dict[str, Any]
) -> None:
    """Schemathesis calls each endpoint with a few values of its own."""
    schema = schemathesis.openapi.from_dict(described).include(operation_id=name)
    (operation,) = [result.ok() for result in schema.get_all_operations()]

    @settings(
        max_examples=8,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def call(case: Any) -> None:
        case.call_and_validate(base_url=own_server.url, checks=CHECKS)

    call()
