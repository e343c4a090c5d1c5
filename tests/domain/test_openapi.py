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
from aitk_nb.backends.webui.catalogue import CATALOGUE, document
from aitk_nb.discovery.openapi import describe
from aitk_nb.errors import NotSupported
from tests.contract.cases import load, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aitk_nb.demo import DemoServer, GradioServer

CASES = load()

NO_ENDPOINTS = {"/", "/proxy-8866/x", "/jobs", "/settings"}
"""Pages in the contract, and a passage that is no endpoint of the API."""

TYPES = {"<string>": "x", "<int>": 1, "<bool>": True, "<number>": 1.5}


def newest() -> dict[str, Any]:
    """Return the document of a server that has everything."""
    return describe("http://x", {e.name: e.endpoint for e in CATALOGUE}, "2026-08-14")


def test_the_document_is_valid(demo_server: DemoServer) -> None:
    """By an OpenAPI validator, and each endpoint that is there is in it."""
    report = discover(demo_server.url)
    made = report.openapi()

    validate(made)
    ids = {each["operationId"] for path in made["paths"].values() for each in path.values()}
    assert {endpoint.name for endpoint in report.endpoints} == ids
    assert [{"url": demo_server.url}] == made["servers"]


def test_an_absent_endpoint_is_left_out() -> None:
    """The document is of the server at hand."""
    there = {e.name: e.endpoint for e in CATALOGUE if e.name != "job_loss"}

    assert "/api/jobs/{id}/loss" not in describe("http://x", there, "")["paths"]


def test_a_gradio_app_has_a_document_of_its_own(gradio_server: GradioServer) -> None:
    """And is told where."""
    with pytest.raises(NotSupported, match=r"GET /gradio_api/openapi\.json"):
        discover(gradio_server.url).openapi()


# -- the contract ---------------------------------------------------------------------------------


def entry_of(method: str, path: str) -> Any:
    """Return the catalogue's entry for a request of the contract; None when there is none."""
    wanted = {"HEAD": "GET"}.get(method, method)
    fits = [
        entry
        for entry in CATALOGUE
        if entry.method == wanted and re.fullmatch(_pattern(entry.endpoint.path), path)
    ]
    # Of /api/img/{path} and /api/img/delete the longer one is meant.
    return max(fits, key=lambda entry: len(entry.endpoint.path.replace("{path}", "")), default=None)


def _pattern(path: str) -> str:
    return re.sub(r"\\\{path\\\}", ".+", re.sub(r"\\\{(?!path)\w+\\\}", "[^/]+", re.escape(path)))


def test_the_catalogue_has_every_route_of_the_contract_and_no_other() -> None:
    """Each endpoint is in a case that expects something of it, and each route is an endpoint."""
    asked = set(routes(CASES))
    seen = {entry.name for method, path in asked if (entry := entry_of(method, path))}

    assert {entry.name for entry in CATALOGUE} == seen
    good = {
        (step.request.get("method", "GET"), path)
        for case in CASES
        for step in case.steps
        for path in [re.sub(r"\{[^}]*\}", "*", step.request["path"]).split("?")[0]]
        if step.expect["status"] == 200 and path not in NO_ENDPOINTS
    }
    assert all(entry_of(method, path) for method, path in good)


def test_every_answer_of_the_contract_is_documented() -> None:
    """Status by status; what a whole JSON answer holds is what its schema says."""
    checked = 0
    for case in CASES:
        for step in case.steps:
            method = step.request.get("method", "GET")
            path = re.sub(r"\{[^}]*\}", "*", step.request["path"]).split("?")[0]
            entry = entry_of(method, path)
            status = step.expect["status"]
            if entry is None or not isinstance(status, int) or _is_general(step.request, status):
                continue
            assert status == 200 or status in entry.errors, (case.name, entry.name, status)
            checked += 1
            if status == 200 and "json" in step.expect and isinstance(step.expect["json"], dict):
                _conforms(step.expect["json"], entry.ok)
    assert checked > 150


def _is_general(request: dict[str, Any], status: int) -> bool:
    """True for what holds for every endpoint: redirects, conditions, ranges, no token."""
    headers = {name.lower() for name in request.get("headers", {})}
    return status in {206, 304, 308, 401} or bool(headers & {"range", "if-none-match"})


def _schema(ok: Any) -> dict[str, Any]:
    return {**ok, "components": {"schemas": document()["schemas"]}} if "media" not in ok else {}


def _conforms(answer: dict[str, Any], ok: Any) -> None:
    """Hold an answer of the contract against a schema; a placeholder may stand for anything."""
    errors = jsonschema.Draft202012Validator(_schema(ok)).iter_errors(answer)
    firm = [error for error in errors if "{" not in str(error.instance)[:2]]
    assert not firm, (answer, firm)


# -- the server -----------------------------------------------------------------------------------

# What may be called with any values at all, on a server of ours that is thrown away: nothing
# that runs a script, and no stream without an end.
SAFE = sorted({entry.name for entry in CATALOGUE} - {"run_script", "monitor"})

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
