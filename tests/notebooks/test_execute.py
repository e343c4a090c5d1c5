"""The shipped notebooks run headless with other parameters than their defaults."""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from aitk_nb import demo
from aitk_nb.notebooks import run as notebooks
from aitk_nb.notebooks.parameters import signature

BOOKS = {path.stem: path for path in notebooks.find()}
JOB = "application/vnd.aitk.job+json"
QUICK: dict[str, dict[str, Any]] = {
    "00_quickstart": {"name": "other", "steps": 60, "rank": 4, "learning_rate": 2e-3},
    "01_discover": {},
    "02_check_authentication": {},
    "03_upload_dataset": {"name": "Other Photos"},
    "04_train": {"name": "trained", "steps": 50, "rank": 8, "prompts": [], "save_every": 20},
    "05_plot_loss": {"steps": 40},
    "06_compare_runs": {"steps": 40, "learning_rates": [1e-3, 2e-3]},
}


def test_every_notebook_has_other_parameters_to_run_with() -> None:
    """A new notebook is not forgotten here."""
    assert set(BOOKS) == set(QUICK)


@pytest.fixture(scope="module")
def server() -> Any:
    """One embedded server for all notebooks of this module."""
    with demo.start() as running:
        yield running


def run(book: str, server: Any, tmp_path: Path, /, **given: Any) -> notebooks.NotebookResult:
    """Run a notebook on the server, everything it makes going to `tmp_path`."""
    known = {"url": server.url, "out": str(tmp_path)} | given
    takes = signature(BOOKS[book])
    parameters = {key: value for key, value in known.items() if key in takes}
    return notebooks.run(BOOKS[book], tmp_path / f"{book}.ipynb", parameters)


@pytest.mark.parametrize("name", ["00_quickstart", "04_train"])
def test_training_ends_with_the_job_that_was_asked_for(
    name: str, server: Any, tmp_path: Path
) -> None:
    """The result for machines tells of the parameters; the LoRA lies where it was wanted."""
    given = QUICK[name]
    result = run(name, server, tmp_path, **given)

    assert "" == result.error
    assert JOB == result.mime
    assert given["name"] == result.result["name"]
    assert "completed" == result.result["status"]
    assert given["steps"] == result.result["step"]
    assert 0 < result.result["loss"] < 3
    with safe_open(tmp_path / f"{given['name']}.safetensors", framework="np") as lora:
        assert {given["rank"]} == {
            min(lora.get_slice(key).get_shape())
            for key in lora.keys()  # noqa: SIM118
        }


def test_plotting_leaves_a_picture_and_a_table(server: Any, tmp_path: Path) -> None:
    """The example is trained when no job is named; picture and table lie where they were wanted."""
    result = run("05_plot_loss", server, tmp_path, **QUICK["05_plot_loss"])

    assert "" == result.error
    assert 40 == result.result["step"]
    assert (tmp_path / "plot_the_loss.png").stat().st_size > 5_000
    assert "loss/loss" in (tmp_path / "plot_the_loss.csv").read_text(encoding="utf-8")


def test_comparing_ends_with_a_verdict(server: Any, tmp_path: Path) -> None:
    """Two short jobs, the setting that differs, and a picture of both."""
    result = run("06_compare_runs", server, tmp_path, **QUICK["06_compare_runs"])

    assert "" == result.error
    assert "application/vnd.aitk.comparison+json" == result.mime
    assert ["0.001", "0.002"] == [one["settings"]["train.lr"] for one in result.result["runs"]]
    assert result.result["verdict"]
    assert (tmp_path / "compare.png").stat().st_size > 5_000


def test_uploading_ends_with_the_dataset_under_the_servers_name(
    server: Any, tmp_path: Path
) -> None:
    """The name is the one that the server made of the given one."""
    result = run("03_upload_dataset", server, tmp_path, **QUICK["03_upload_dataset"])

    assert "" == result.error
    assert {"name": "other_photos", "images": 12, "captions": 12} == result.result


def test_asking_ends_with_reports(server: Any, tmp_path: Path) -> None:
    """Discovery and authentication tell their findings to machines."""
    found = run("01_discover", server, tmp_path)
    auth = run("02_check_authentication", server, tmp_path)

    assert "webui" == found.result["flavour"]
    assert "present" == found.result["endpoints"]["job_loss"]
    assert "open" == auth.result["state"]


def test_a_second_run_trains_nothing_again(server: Any, tmp_path: Path) -> None:
    """A notebook run twice against one server finds its job and its files."""
    given = {"url": server.url, "out": str(tmp_path), "name": "twice", "steps": 40}
    first = notebooks.run(BOOKS["00_quickstart"], tmp_path / "a.ipynb", given)
    rows = _rows(server)
    second = notebooks.run(BOOKS["00_quickstart"], tmp_path / "b.ipynb", given)

    assert first.ok
    assert second.ok
    assert dict(first.result) == dict(second.result)
    assert rows == _rows(server)


def _rows(server: Any) -> list[tuple[Any, ...]]:
    """Return what would change if something were started or sent again."""
    with closing(sqlite3.connect(server.data / "aitk_db.db")) as database:
        jobs = database.execute("select name, step, pid, updated_at from Job").fetchall()
    files = [
        (str(path), path.stat().st_mtime_ns)
        for path in sorted((server.data / "datasets").rglob("*"))
        if path.is_file()
    ]
    return jobs + files


def test_a_failing_notebook_is_kept_with_the_reason(server: Any, tmp_path: Path) -> None:
    """What went wrong is told in one line, and the notebook shows where."""
    target = tmp_path / "bad.ipynb"
    result = notebooks.run(
        BOOKS["00_quickstart"], target, {"url": server.url, "steps": 0, "out": str(tmp_path)}
    )

    assert not result.ok
    assert "steps: 0 should be greater than or equal to 1" in result.error
    assert "InvalidParams" in target.read_text(encoding="utf-8")


def test_no_token_of_the_environment_reaches_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every notebook runs on a server with a token, and nothing holds a byte of it afterwards.

    Looked at are outputs and metadata, all files that are made, everything that is logged, and
    the pages that the notebooks become.
    """
    token = "planted-7f3a-token"
    monkeypatch.setenv("AI_TOOLKIT_AUTH", token)
    caplog.set_level(logging.DEBUG)
    with demo.start(token=token) as closed:
        for name, given in QUICK.items():
            result = run(name, closed, tmp_path, **given)

            assert "" == result.error
            as_page(tmp_path / f"{name}.ipynb")
    assert "accepted" == notebook_result(tmp_path / "02_check_authentication.ipynb")["state"]
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) > 2 * len(QUICK)
    assert caplog.text
    for form in (token, base64.b64encode(token.encode()).decode()):
        assert not [path for path in made if form.encode() in path.read_bytes()]
        assert form not in caplog.text


def as_page(path: Path) -> None:
    """Write a notebook as HTML beside it."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_filename(str(path))
    assert "Check authentication" in page or "02_" not in path.name
    path.with_suffix(".html").write_text(page, encoding="utf-8")


def notebook_result(path: Path) -> Any:
    """Return the last result for machines that a notebook holds."""
    found = [
        value
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
        for mime, value in output.get("data", {}).items()
        if mime.startswith("application/vnd.aitk.")
    ]
    return found[-1]


def test_plain_papermill_keeps_no_token_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stores the state of widgets, in which no password of the environment is."""
    token = "planted-7f3a-token"
    monkeypatch.setenv("AI_TOOLKIT_AUTH", token)
    monkeypatch.setenv("AITK_USERNAME", "somebody")
    monkeypatch.setenv("AITK_PASSWORD", token)
    target = tmp_path / "plain.ipynb"
    source = str(BOOKS["02_check_authentication"])
    command = ["-m", "papermill", "--log-level", "DEBUG"]
    with demo.start(token=token) as closed:
        done = subprocess.run(
            [sys.executable, *command, source, str(target), "-p", "url", closed.url],
            check=True,
            capture_output=True,
            cwd=tmp_path,
        )
    text = target.read_text(encoding="utf-8")

    assert "PasswordModel" in text
    assert "accepted" == notebook_result(target)["state"]
    assert token not in text
    assert token.encode() not in done.stdout + done.stderr


def test_the_engine_of_papermill_forgets_widgets(server: Any, tmp_path: Path) -> None:
    """Plain papermill stores the forms' state; with our engine it stores none."""
    source = str(BOOKS["03_upload_dataset"])
    kept = {}
    for engine in ("nbclient", "aitk"):
        target = tmp_path / f"{engine}.ipynb"
        command = ["-m", "papermill", "--engine", engine, source, str(target), "-p", "url"]
        subprocess.run(
            [sys.executable, *command, server.url], check=True, capture_output=True, cwd=tmp_path
        )
        kept[engine] = json.loads(target.read_text(encoding="utf-8"))

    assert "widgets" in kept["nbclient"]["metadata"]
    assert "widgets" not in kept["aitk"]["metadata"]
    assert "widget-view" not in json.dumps(kept["aitk"])
    assert "papermill" in kept["aitk"]["metadata"]
