"""`aitk-nb train` without starting anything: checks, and requests that are only listed."""

from __future__ import annotations

from tests.cli.command import run


def test_a_check_tells_all_and_starts_nothing(url: str, dataset: str) -> None:
    """A table for people, one document for machines; remarks are among the checks."""
    given = [
        "--name",
        "checked",
        "--dataset",
        dataset,
        "--steps",
        "100",
        "--preflight",
        "--url",
        url,
    ]
    shown = run("train", *given)
    told = run("train", *given, "--json", "--price-per-hour", "2").json

    assert "No job is called 'checked' yet." in shown.out
    assert "there is no checkpoint before the end" in shown.out.lower()
    assert told["ok"] is True
    assert told["images"]
    assert {"name", "dataset", "needs", "base model", "GPU", "disk", "time"} <= {
        check["about"] for check in told["checks"]
    }
    assert "checked" not in run("jobs", "--url", url).out


def test_a_problem_is_an_exit_code(url: str) -> None:
    """The table comes all the same, and the last line says what is wrong."""
    given = ["--name", "checked", "--dataset", "nowhere", "--preflight", "--url", url]
    ran = run("train", *given, code=1)

    assert "no dataset named 'nowhere'" in ran.out
    assert "Preflight checks failed for checked: dataset." in ran.err


def test_a_dry_run_lists_requests_and_starts_nothing(url: str, dataset: str) -> None:
    """In the order in which they would be sent."""
    given = ["--name", "rehearsed", "--dataset", dataset, "--steps", "5", "--dry-run", "--url", url]
    shown = run("train", *given)
    told = run("train", *given, "--json").json

    assert ["POST /api/jobs", "GET /api/jobs/NEW_ID/start", "GET /api/queue/0/start"] == [
        f"{request['method']} {request['path']}" for request in told["requests"]
    ]
    assert all(request["path"] in shown.out for request in told["requests"])
    assert "rehearsed" == told["requests"][0]["body"]["job_config"]["config"]["name"]
    assert "note: save_every:" in shown.err
    assert "rehearsed" not in run("jobs", "--url", url).out
