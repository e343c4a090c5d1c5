"""`aitk-nb auth` and `aitk-nb doctor`: words, JSON by its schema, and exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from aitk_nb import connect
from aitk_nb.auth.api import check_auth
from aitk_nb.auth.report import AuthReport
from aitk_nb.doctor import DoctorReport
from aitk_nb.models.access import AuthState
from aitk_nb.models.checklist import Status
from aitk_nb.models.report import JsonReport
from tests.auth import foreign_sites as sites
from tests.backends.canned import Asked, Reply, canned, nobody
from tests.cli.command import run
from tests.conftest import TOKEN
from tests.gradio_servers import LOGIN

if TYPE_CHECKING:
    from aitk_nb.demo import DemoServer, GradioServer


def valid(document: Any, kind: type[JsonReport]) -> Any:
    """Return a JSON document that matches the schema of its report, and has all that is in it."""
    schema = kind.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    assert set(schema["properties"]) == set(document)
    return document


def doctor(url: str, **options: Any) -> DoctorReport:
    """Return what the doctor finds, given what `connect` takes."""
    with connect(url, **options) as client:
        return client.doctor()


@pytest.mark.parametrize(
    ("token", "state", "code"),
    [
        (TOKEN, "accepted", 0),
        ("wrong", "rejected", 4),
        (f"{TOKEN} ", "rejected", 4),
        ("", "credentials-missing", 4),
    ],
)
def test_auth_of_a_closed_server(
    token_server: DemoServer, token: str, state: str, code: int
) -> None:
    """State, sentences, matrix and findings; on stdout as words, or as JSON by its schema."""
    env = {"AITK_TOKEN": token}
    words = run("auth", "--url", token_server.url, env=env, code=code).out
    ran = run("auth", "--url", token_server.url, "--json", env=env, code=code)
    found = valid(ran.json, AuthReport)

    assert state == found["state"]
    assert f"{state}: {found['diagnosis']}" in words
    assert found["next_step"] in words
    assert "public (403)" in words
    assert "! public-files: Anyone who guesses a path can read" in words
    assert TOKEN not in words + ran.out + ran.err


def test_auth_of_something_else() -> None:
    """A foreign page is 3, as for every command."""
    with canned(sites.jupyter_closed) as site:
        ran = run("auth", "--url", site.url, "--json", code=3)

    assert "not-aitk" == valid(ran.json, AuthReport)["state"]
    assert "unreachable" == run("auth", "--url", nobody(), "--json", code=3).json["state"]


def test_auth_of_a_gradio_app(gradio_login_server: GradioServer) -> None:
    """The login comes from two variables, or the name from an option."""
    user, password = LOGIN
    url = gradio_login_server.url
    both = {"AITK_USERNAME": user, "AITK_PASSWORD": password}
    found = valid(run("auth", "--url", url, "--json", env=both).json, AuthReport)
    named = ["auth", "--url", url, "--user", user, "--json"]

    assert ("accepted", "gradio") == (found["state"], found["flavour"])
    assert {"none", "wrong", "cookie", "basic"} == {c["credential"] for c in found["checks"]}
    assert "accepted" == run(*named, env={"AITK_PASSWORD": password}).json["state"]
    assert "accepted" == run(*named, env={"AITK_TOKEN": password}).json["state"]
    own = {"AITK_PASSWORD": password, "AITK_TOKEN": "of-another-server"}
    assert "accepted" == run(*named, env=own).json["state"]
    by_name = run(*named, "--token-env", "MINE", env={"MINE": password})
    assert "accepted" == by_name.json["state"]
    assert password not in by_name.out


def test_a_login_without_a_password(gradio_login_server: GradioServer) -> None:
    """Each command names the same variables; where nobody can be asked, the lacking one."""
    url = gradio_login_server.url
    asked = run("auth", "--url", url, "--user", "anna", code=2).err
    told = [run("auth", "--url", url, code=4).out, run("jobs", "--url", url, code=4).err]

    assert "Set AITK_PASSWORD" in asked
    assert "AITK_TOKEN" not in asked
    assert all("Set AITK_USERNAME and AITK_PASSWORD" in text for text in told)
    assert all("--user" in text for text in told)
    assert not any("AITK_TOKEN" in text for text in told)


def test_a_header_for_a_gateway_comes_from_a_variable() -> None:
    """Its value is never an argument."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("x-gateway") != "value-of-the-header":
            return sites.BASIC
        return Reply(200, {"isAuthenticated": True})

    with canned(answer) as site:
        found = run(
            *("auth", "--url", site.url, "--json", "--header-env", "X-Gateway=GATE"),
            env={"GATE": "value-of-the-header"},
        ).json
        wrong = run("auth", "--url", site.url, "--header-env", "X=value-of-the-header", code=2)

    assert "open" == found["state"]
    assert "value-of-the-header" not in wrong.err


def test_the_schema_describes_every_field() -> None:
    """In the words of the docstrings, with the possible states."""
    schema = AuthReport.json_schema()

    assert all(
        field.get("description") or "$ref" in field for field in schema["properties"].values()
    )
    assert [state.value for state in AuthState] == schema["$defs"]["AuthState"]["enum"]


def test_doctor_of_a_sound_server(demo_server: DemoServer) -> None:
    """All the way to the GPU; a warning is no problem."""
    ran = run("doctor", "--url", demo_server.url)
    lines = ran.out.splitlines()
    found = valid(run("doctor", "--url", demo_server.url, "--json").json, DoctorReport)

    assert found["ok"]
    assert [line.split(":")[0].split(" ", 1)[1] for line in lines] == [
        "reachability",
        "flavour",
        "auth",
        "security",
        "abilities",
        "disk",
        "GPU",
        "clock",
        "proxy limits",
    ]
    assert "✓ GPU: Embedded demo" in ran.out
    assert "- disk: This server doesn't report" in ran.out


def test_doctor_of_a_closed_server(token_server: DemoServer) -> None:
    """Without the token it goes as far as the door."""
    ran = run("doctor", "--url", token_server.url, "--json", code=4)
    steps = {step["name"]: step["status"] for step in valid(ran.json, DoctorReport)["checks"]}

    assert "problem" == steps["auth"]
    assert "abilities" not in steps
    assert "✗ auth: A token is required, and none was given. Set AITK_TOKEN" in ran.err
    assert 0 == run("doctor", "--url", token_server.url, env={"AITK_TOKEN": TOKEN}).code


def test_doctor_of_a_gradio_app(gradio_login_server: GradioServer) -> None:
    """It goes as far as there; what the app does not tell is skipped, and no problem."""
    steps = {step.name: step for step in doctor(gradio_login_server.url, credentials=LOGIN).checks}
    valid(doctor(gradio_login_server.url, credentials=LOGIN).as_dict(), DoctorReport)

    assert {"GPU", "disk"} == {n for n, step in steps.items() if step.status is Status.SKIPPED}
    assert Status.OK is steps["abilities"].status
    assert "list its GPUs" in steps["abilities"].message
    without = {step.name: step.status for step in doctor(gradio_login_server.url).checks}
    assert Status.PROBLEM is without["auth"]


def test_doctor_of_nobody_and_of_somebody_else() -> None:
    """What stands in the way is the last step but the limits of the line."""
    assert "✗ reachability" in run("doctor", "--url", nobody(), code=3).out
    with canned(sites.BAD_GATEWAY) as site:
        ran = run("doctor", "--url", site.url, code=3)

    assert "✗ flavour: A gateway answers with status 502" in ran.out
    assert "behind Nginx" in ran.out


def served(asked: Asked, gpu: dict[str, Any], jobs: list[dict[str, Any]]) -> Reply:
    """Answer as a web UI with these GPUs and jobs."""
    pages: dict[str, Any] = {
        "/api/auth": {"isAuthenticated": True},
        "/api/gpu": gpu,
        "/api/jobs": {"jobs": jobs},
    }
    found = pages.get(asked.path)
    return Reply(200, found) if found else Reply(404, "<html></html>", sites.HTML)


def gpu_of(used: int, temperature: int) -> dict[str, Any]:
    """Return what a web UI tells of one GPU."""
    gpu = {
        "index": 0,
        "name": "RTX 9000",
        "temperature": temperature,
        "utilization": {"gpu": 3, "memory": 1},
        "memory": {"total": 24000, "free": 24000 - used, "used": used},
    }
    return {"hasNvidiaSmi": True, "gpus": [gpu]}


@pytest.mark.parametrize(
    ("gpu", "state", "words"),
    [
        (gpu_of(1000, 40), Status.OK, "RTX 9000"),
        (gpu_of(23900, 40), Status.WARNING, "No free memory"),
        (gpu_of(1000, 93), Status.WARNING, "93 °C"),
        ({"hasNvidiaSmi": False, "gpus": []}, Status.WARNING, "reports no GPU"),
        ({}, Status.PROBLEM, "Request failed"),
    ],
)
def test_the_gpu_is_looked_at(gpu: dict[str, Any], state: Status, words: str) -> None:
    """Its memory and its temperature; an answer that nobody knows is a problem."""
    with canned(lambda asked: served(asked, gpu, [])) as site:
        steps = {step.name: step for step in doctor(site.url).checks}

    assert state is steps["GPU"].status
    assert words in steps["GPU"].message


def test_a_full_disk_is_told_by_the_job_that_met_it() -> None:
    """The web UI does not say how full the disk is; the last failed job does."""
    row = {"id": "1", "name": "cat", "status": "error", "job_config": "{}", "gpu_ids": "0"}
    row["info"] = "[Errno 28] No space left on device: 'output/cat/optimizer.pt'"
    with canned(lambda asked: served(asked, gpu_of(1, 40), [row])) as site:
        steps = {step.name: step for step in doctor(site.url).checks}

    assert Status.WARNING is steps["disk"].status
    assert "cat" in steps["disk"].message
    assert "Delete old checkpoints" in steps["disk"].remedy


def test_a_clock_that_is_wrong_is_found() -> None:
    """By the Date of an answer; the finding says by how much."""

    def in_the_past(asked: Asked) -> Reply:
        reply = served(asked, gpu_of(1, 40), [])
        return Reply(
            reply.status, reply.body, {**reply.headers, "Date": "Thu, 01 Jan 2015 00:00:00 GMT"}
        )

    with canned(in_the_past) as site:
        report = doctor(site.url)

    steps = {step.name: step for step in report.checks}
    assert Status.WARNING is steps["clock"].status
    assert "days" in steps["clock"].message
    assert "clock" in {finding.name for finding in report.auth.findings}
    assert report.ok


def test_an_report_shows_itself(demo_server: DemoServer) -> None:
    """As a table with signs, and for machines without what cannot repeat."""
    report = doctor(demo_server.url)
    bundle = report._repr_mimebundle_()

    assert "<DoctorReport ready to train>" == bundle["text/plain"]
    assert "✓" in bundle["text/html"]
    assert demo_server.url not in str(bundle["application/vnd.aitk.doctor+json"])
    assert 9 == len(report.checks)


def test_the_matrix_of_an_open_server_alarms(demo_server: DemoServer) -> None:
    """Whoever shows nothing or something wrong is let in, which no tick praises."""
    words = run("auth", "--url", demo_server.url).out
    matrix = check_auth(demo_server.url).matrix
    page = str(matrix._repr_html_())
    cells = [str(cell) for row in matrix.rows for cell in row[1:]]

    assert 14 == len(cells)
    assert all(cell.startswith("let in (") for cell in cells)
    assert "✓" not in page
    for text in (words, page):
        assert "405: reached; the endpoint lacks that method" in text
        assert "403 with a word other than refused: reached" in text


def test_the_report_is_a_page_by_itself(token_server: DemoServer, tmp_path: Path) -> None:
    """With the matrix, the findings and the address, and nothing to be fetched from elsewhere."""
    report: AuthReport = check_auth(token_server.url, token=TOKEN)
    page = report.to_html()

    assert page.startswith("<!doctype html>")
    assert token_server.url in page
    assert "public (403)" in page
    assert "src=" not in page.replace("default-src", "").replace("style-src", "").replace(
        "img-src", ""
    )
    assert 7 == len(report.matrix.frame())
    assert {"endpoints", "none", "wrong", "given"} == set(report.matrix.frame().columns)
