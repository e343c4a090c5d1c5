"""`discover` finds what a server has, holds claims against it, and changes nothing on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from aitk_nb import DiscoveryReport, GradioOptions, connect, discover
from aitk_nb.backends.webui.catalog import CATALOG
from aitk_nb.models.checklist import Status
from aitk_nb.models.server import Ability, Flavour
from tests.cli.command import run
from tests.conftest import TOKEN
from tests.gradio_servers import LOGIN
from tests.proxy import FaultProxy

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer, GradioServer


def test_every_endpoint_of_a_current_server_is_present(demo_server: DemoServer) -> None:
    """The embedded server is as young as the newest endpoint that is known."""
    report = discover(demo_server.url)

    assert Flavour.WEBUI is report.flavour
    assert {"present"} == {endpoint.state for endpoint in report.endpoints}
    assert max(entry.since for entry in CATALOG) == report.newest


def test_an_endpoint_that_the_server_lacks_is_absent(demo_server: DemoServer) -> None:
    """A server from before December 2025 answers the loss endpoint with its page."""
    with FaultProxy(demo_server.url) as proxy:
        proxy.answer("PUT", r"/api/jobs/0/loss", 404, {"Content-Type": "text/html"}, b"<html>")
        report = discover(proxy.url)

    absent = [endpoint.name for endpoint in report.endpoints if endpoint.state == "absent"]
    assert ["job_loss"] == absent


def test_without_the_token_endpoints_are_locked(token_server: DemoServer) -> None:
    """What cannot be seen is not called absent."""
    states = {e.name: e.state for e in discover(token_server.url).endpoints}

    assert "locked" == states["list_jobs"]
    assert {"present"} == {e.state for e in discover(token_server.url, token=TOKEN).endpoints}


def test_the_operations_name_known_endpoints(demo_server: DemoServer) -> None:
    """Each call behind an operation is in the table of endpoints."""
    report = discover(demo_server.url)
    names = {endpoint.name for endpoint in report.endpoints}

    assert {"create dataset", "start training", "job status", "download LoRA"} == set(
        report.operations
    )
    assert {call for each in report.operations.values() for call in each.calls} <= names


def test_false_claims_come_with_evidence_and_what_holds(demo_server: DemoServer) -> None:
    """Nothing of what guides say holds for the web UI; each line says what does."""
    claims = discover(demo_server.url).claims
    true = [claim.name for claim in claims if claim.status is Status.OK]

    assert ["A LoRA can be downloaded through the API"] == true
    assert {"true", "false", "no password"} == {claim.message for claim in claims}
    assert all(claim.evidence for claim in claims)
    assert all(bool(claim.remedy) is (claim.message != "true") for claim in claims)


def test_a_password_is_seen_to_protect_the_api(token_server: DemoServer) -> None:
    """The claim that it protects only the page is false."""
    claims = {claim.name: claim for claim in discover(token_server.url, token=TOKEN).claims}
    claim = claims["A password protects only the page, not the API"]

    assert "false" == claim.message
    assert "401" in claim.evidence


def test_an_older_server_shows_its_era_and_its_older_forms(demo_server: DemoServer) -> None:
    """Everything from May 2026 on is taken away: what came later is absent, or in an older form."""
    with FaultProxy(demo_server.url) as proxy:
        for entry in CATALOG:
            if entry.since >= "2026-05-01":
                page = {"Content-Type": "text/html"}
                proxy.answer("PUT", entry.probe_path + "$", 404, page, b"<html>")
        # There, what serves files answers.
        proxy.answer("OPTIONS", "/api/files/delete", 204, {"Allow": "GET, HEAD, OPTIONS"}, b"")
        report = discover(proxy.url)
    by_name = {endpoint.name: endpoint for endpoint in report.endpoints}

    assert "2026-04-09" == report.newest
    assert () == report.lacking
    assert "changed" == by_name["job_log"].state
    assert "2026-07-01" in by_name["job_log"].note
    assert "changed" == by_name["list_images"].state
    assert "present" == by_name["start_job"].state
    assert "absent" == by_name["sample_now"].state
    assert Ability.SAMPLE_NOW not in report.abilities
    assert Ability.LOSSES in report.abilities


def test_a_server_that_lacks_something_old_is_told_from_an_old_one(
    demo_server: DemoServer,
) -> None:
    """A fork, or a proxy that hides an address."""
    with FaultProxy(demo_server.url) as proxy:
        proxy.answer("PUT", "/api/zip", 404, {"Content-Type": "text/html"}, b"<html>")
        report = discover(proxy.url)

    assert ("zip",) == report.lacking
    assert "missing endpoints" in dict(report.summary)


def test_gradio_tells_its_functions(gradio_server: GradioServer) -> None:
    """With the version, what it can do, and the addresses that every app has."""
    report = discover(gradio_server.url)
    by_name = {endpoint.name: endpoint for endpoint in report.endpoints}

    assert Flavour.GRADIO is report.flavour
    assert "6" == report.version[0]
    assert "none" == report.auth
    assert {"present"} == {endpoint.state for endpoint in report.endpoints}
    assert by_name["/run_captioning"].generator
    assert "lr: number = 0.0004" in report.endpoints_table.rows[4][5]
    assert {Ability.UPLOAD, Ability.TRAIN, Ability.LOSSES, Ability.DOWNLOAD} <= report.abilities
    assert Ability.STOP not in report.abilities
    verdicts = {claim.name: claim.message for claim in report.claims}
    assert {
        "The server is a Gradio app": "true",
        "/docs has the OpenAPI documentation": "false",
        "GET /api/ lists the endpoints": "false",
        "POST /api/predict with fn_index runs functions": "false",
        "GET /api/queue/status returns the queue": "false",
        "A password protects only the page, not the API": "no password",
        "gradio_client can be used": "true",
        "A LoRA can be downloaded through the API": "some files",
    } == verdicts


def test_a_login_shows_what_is_behind_it(gradio_login_server: GradioServer) -> None:
    """Without one, or with a wrong one, the addresses that all apps have are all that is known."""
    url = gradio_login_server.url
    inside = discover(url, credentials=LOGIN)
    claims = {claim.name: claim for claim in inside.claims}
    protects = claims["A password protects only the page, not the API"]

    assert "false" == protects.message
    assert "401" in protects.evidence
    assert 14 == len(inside.endpoints)
    for credentials in (None, (LOGIN[0], "wrong")):
        outside = discover(url, credentials=credentials)
        assert "login" == outside.auth
        assert "/gradio_api" == outside.prefix
        assert {"present"} == {endpoint.state for endpoint in outside.endpoints}
        assert not any(operation.calls for operation in outside.operations.values())
        assert "after a login only" in outside.operations["job status"].reasons[0]


def test_the_corrected_operations_are_understood_by_connect(
    gradio_server: GradioServer, tmp_path: Path
) -> None:
    """What `save` writes can be given back."""
    path = tmp_path / "server.yaml"
    discover(gradio_server.url).save(path)

    with connect(gradio_server.url, gradio=GradioOptions(operations=path)) as client:
        assert client.can(Ability.TRAIN)


@pytest.mark.parametrize("answer", [(404, "text/html", b"<html>"), (200, "text/plain", b"hi")])
def test_what_is_no_training_server_is_reported(
    answer: tuple[int, str, bytes], demo_server: DemoServer
) -> None:
    """Not raised: a report without a flavour says why, and what to do."""
    status, kind, body = answer
    with FaultProxy(demo_server.url) as proxy:
        proxy.answer("GET", ".*", status, {"Content-Type": kind}, body)
        report = discover(proxy.url)

    assert report.flavour is None
    assert "port" in report.failure
    assert () == report.endpoints
    assert "<no training server>" == repr(report)
    assert report.failure in report.to_markdown().replace("\\", "")


def test_an_answer_that_does_not_come_is_unknown(demo_server: DemoServer) -> None:
    """The others are there all the same."""
    with FaultProxy(demo_server.url) as proxy:
        proxy.answer("PUT", "/api/cpu", 599, {}, b"")
        proxy.bandwidth = None
        report = discover(proxy.url, seconds=10)
    states = {endpoint.name: endpoint.state for endpoint in report.endpoints}

    assert "unknown" == states["cpu"]
    assert "present" == states["gpus"]


@pytest.mark.slow
def test_a_silent_server_ends_in_time(demo_server: DemoServer) -> None:
    """Nobody waits for the usual hundred seconds."""
    with FaultProxy(demo_server.url) as proxy:
        proxy.latency = 60
        report = discover(proxy.url, seconds=0.5)

    assert report.flavour is None
    assert "did not answer in time" in report.failure


def test_progress_counts_the_questions(demo_server: DemoServer) -> None:
    """Up to all of them."""
    seen: list[tuple[int, int]] = []
    discover(demo_server.url, progress=lambda done, total: seen.append((done, total)))

    assert sorted(seen) == seen
    assert seen[-1][0] == seen[-1][1] > len(CATALOG)


# -- files and the command line -------------------------------------------------------------------


def valid(document: Any) -> Any:
    """Return a JSON document that matches the report's schema, and has all that is in it."""
    schema = DiscoveryReport.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    assert set(schema["properties"]) == set(document)
    return document


def test_json_is_as_the_schema_says(
    demo_server: DemoServer,
    token_server: DemoServer,
    gradio_server: GradioServer,
    gradio_login_server: GradioServer,
) -> None:
    """For either flavour, open, closed and locked, and where nothing answers."""
    urls = [demo_server.url, token_server.url, gradio_server.url, gradio_login_server.url]
    flavours = ["webui", "webui", "gradio", "gradio"]
    for url, flavour in zip(urls, flavours, strict=True):
        assert flavour == valid(json.loads(discover(url).to_json()))["flavour"]
    assert valid(json.loads(discover("http://127.0.0.1:9").to_json()))["failure"]


def test_the_command_writes_what_is_asked_for(token_server: DemoServer, tmp_path: Path) -> None:
    """JSON, Markdown and words on stdout; files beside them; the token nowhere."""
    env = {"AITK_TOKEN": TOKEN, "AITK_URL": token_server.url}
    names = ("page.html", "openapi.json", "server.yaml", "client.ts")
    page, openapi, server, client = (tmp_path / name for name in names)
    files = ["--html", page, "--openapi", openapi, "--save", server, "--typescript", client]

    found = valid(run("discover", "--json", *files, env=env).json)
    words = run("discover", env=env).out
    markdown = run("discover", "--markdown", env=env).out
    code = run("discover", "--snippet", "start training", "--language", "python", env=env).out

    assert ("webui", "token") == (found["flavour"], found["auth"])
    assert {"create dataset", "start training", "job status", "download LoRA"} == set(
        found["operations"]
    )
    assert "46 of 46 known ones" in words
    assert markdown.startswith("# ")
    assert "os.environ['AITK_TOKEN']" in code
    assert "<!doctype html>" in page.read_text(encoding="utf-8")
    assert "3.1.0" == json.loads(openapi.read_text(encoding="utf-8"))["openapi"]
    assert "start training:" in server.read_text(encoding="utf-8")
    assert "class AIToolkitClient" in client.read_text(encoding="utf-8")
    written = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert not any(TOKEN in text for text in [words, markdown, code, json.dumps(found), *written])


def test_a_dash_is_stdout(demo_server: DemoServer, tmp_path: Path) -> None:
    """Instead of the words, for each option that takes a file; no file has that name."""
    begins = {"html": "<!doctype html>", "openapi": "{", "save": "#", "typescript": "// A client"}
    url = ("--url", demo_server.url)

    out = {name: run("discover", f"--{name}", "-", *url, cwd=tmp_path).out for name in begins}

    assert not [name for name, text in out.items() if not text.startswith(begins[name])]
    assert "3.1.0" == json.loads(out["openapi"])["openapi"]
    assert not list(tmp_path.iterdir())
    assert "choose one" in run("discover", "--json", "--html", "-", *url, code=2).err


def test_words_tell_how_to_call_and_since_when(demo_server: DemoServer) -> None:
    """Each endpoint with its parameters and its date, and why a claim is asked about by PUT."""
    words = run("discover", "--url", demo_server.url).out
    upload = discover(demo_server.url).endpoints_table.frame().set_index("endpoint")

    assert f"takes {upload['parameters']['upload_files']}" in words
    assert f"since {upload['since']['upload_files']}" in words
    assert "PUT /api/predict: 404" in words
    assert "PUT shows whether it exists and does nothing" in words


def test_the_command_says_what_is_wrong(demo_server: DemoServer) -> None:
    """With the exit code of any other command."""
    gone = run("discover", "--json", "--url", "http://127.0.0.1:9", code=3)
    assert valid(gone.json)["flavour"] is None
    assert "aitk-nb: " in gone.err
    url = ("--url", demo_server.url)
    assert "choose one" in run("discover", "--json", "--markdown", *url, code=2).err
    assert "no endpoint or operation" in run("discover", "--snippet", "x", *url, code=2).err
