"""`discover` under each generation of Gradio."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitk_nb import demo, discover
from aitk_nb.models.checklist import Check
from tests.discovery.programs import run
from tests.gradio_servers import LOGIN

LANGUAGES = ("curl", "python", "gradio_client", "javascript")

ENV = {"AITK_USERNAME": LOGIN[0], "AITK_PASSWORD": LOGIN[1]}


def claims(url: str, login: tuple[str, str] | None = None) -> dict[str, Check]:
    """Return the claims held against a server, by their first words."""
    return {claim.name: claim for claim in discover(url, credentials=login).claims}


def test_version_prefix_functions_and_operations(any_server: demo.GradioServer, major: str) -> None:
    """Six functions everywhere; the prefix came with version 5."""
    report = discover(any_server.url)
    named = [endpoint for endpoint in report.endpoints if endpoint.name.startswith("/")]

    assert major == report.version[0]
    assert ("" if major == "4" else "/gradio_api") == report.prefix
    assert 6 == len(named)
    assert {"info and config"} == {endpoint.known_by for endpoint in named}
    assert {"present"} == {endpoint.state for endpoint in report.endpoints}
    assert {1.0} == {operation.confidence for operation in report.operations.values()}


def test_the_claims(any_server: demo.GradioServer, major: str) -> None:
    """Of what people were told, only `fn_index` holds, and under version 4 only."""
    found = claims(any_server.url)

    predict = found["POST /api/predict with fn_index runs functions"]
    assert ("true" if major == "4" else "false") == predict.message
    for claim in ("/docs has the OpenAPI documentation", "GET /api/ lists the endpoints",
                  "GET /api/queue/status returns the queue"):  # fmt: skip
        assert "false" == found[claim].message
        assert "404" in found[claim].evidence
        assert found[claim].remedy
    assert "true" == found["gradio_client can be used"].message
    assert "some files" == found["A LoRA can be downloaded through the API"].message


def test_a_password_protects_the_api_too(any_login_server: demo.GradioServer) -> None:
    """With and without the login, and the prefix is found behind it."""
    inside, outside = (
        discover(any_login_server.url, credentials=LOGIN),
        discover(any_login_server.url),
    )
    for report in (inside, outside):
        told = {claim.name: claim for claim in report.claims}
        protects = told["A password protects only the page, not the API"]
        assert ("false", True) == (protects.message, "401" in protects.evidence)
        assert "login" == report.auth
    assert inside.prefix == outside.prefix
    assert {"present"} == {endpoint.state for endpoint in outside.endpoints}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_training_by_the_printed_program(
    language: str, any_login_server: demo.GradioServer, photos: Path, tmp_path: Path, major: str
) -> None:
    """From photographs to a LoRA, in each language and under each generation."""
    report = discover(any_login_server.url, credentials=LOGIN)
    name = f"{language.replace('_', '-')}-{major}"
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in sorted(photos.iterdir())[:4]:
        (folder / path.name).write_bytes(path.read_bytes())

    def do(operation: str, **given: object) -> str:
        return run(report.snippet(operation, language, given), language, tmp_path, ENV).out

    started = do("start training", name=name, folder="photos", steps=4)
    assert "Training completed successfully" in started
    do("download LoRA", name=name, results=started.split()[-1])
    assert b"{" == (tmp_path / f"{name}.safetensors").read_bytes()[8:9]
