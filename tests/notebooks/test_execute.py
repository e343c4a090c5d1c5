"""The shipped notebooks run headless with other parameters than their defaults."""

from __future__ import annotations

import base64
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TextIO

import nbformat
import pytest
from safetensors import safe_open

from aitk_nb import demo
from aitk_nb.notebooks import run as notebooks
from aitk_nb.notebooks.parameters import signature

BOOKS = {path.stem: path for path in notebooks.find()}
JOB = "application/vnd.aitk.job+json"
TOKEN = "planted-7f3a-token"
FORM = """
import aitk_nb
from aitk_nb.views import ConnectionForm
form = ConnectionForm({url!r})
display(form)
aitk_nb.check_auth(form.value)  # not by another cell, so that the form stays
"""
QUICK: dict[str, dict[str, Any]] = {
    "00_quickstart": {"name": "other", "steps": 60, "rank": 4, "learning_rate": 2e-3},
    "01_discover": {},
    "02_check_authentication": {},
    "03_upload_dataset": {"name": "Other Photos"},
    "04_train": {"name": "trained", "steps": 50, "rank": 8, "prompts": [], "save_every": 20},
    "05_plot_loss": {"steps": 40},
    "06_compare_runs": {"steps": 40, "learning_rates": [1e-3, 2e-3]},
    "07_choose_a_checkpoint": {"steps": 20, "prompts": ["a cap"], "strengths": [0.0, 1.0]},
}


def test_every_notebook_has_other_parameters_to_run_with() -> None:
    """A new notebook is not forgotten here."""
    assert set(BOOKS) == set(QUICK)


class Runs:
    """An embedded server that wants a token, and each notebook run on it once."""

    def __init__(self, server: demo.DemoServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._ran: dict[str, notebooks.NotebookResult] = {}

    def ran(self, book: str) -> notebooks.NotebookResult:
        """Return what came of a notebook with other parameters; all it made is in `of(book)`."""
        if book not in self._ran:
            self.of(book).mkdir(exist_ok=True)
            with (self.of(book) / "log.txt").open("w", encoding="utf-8") as log, logged(log):
                self._ran[book] = self.run(book, "out", **QUICK[book])
        return self._ran[book]

    def of(self, book: str) -> Path:
        """Return the folder of a notebook."""
        return self.folder / book

    def run(self, book: str, name: str, /, **given: Any) -> notebooks.NotebookResult:
        """Run a notebook, with the token in the environment."""
        self.of(book).mkdir(exist_ok=True)
        known = {"url": self.server.url, "out": str(self.of(book))} | given
        takes = signature(BOOKS[book])
        parameters = {key: value for key, value in known.items() if key in takes}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AI_TOOLKIT_AUTH", TOKEN)
            return notebooks.run(BOOKS[book], self.of(book) / f"{name}.ipynb", parameters)


@contextmanager
def logged(file: TextIO) -> Iterator[None]:
    """Write all that is logged to a file."""
    root, handler = logging.getLogger(), logging.StreamHandler(file)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """One for all tests of this module."""
    with demo.start(token=TOKEN) as server:
        yield Runs(server, tmp_path_factory.mktemp("notebooks"))


EACH = [pytest.param(book, marks=pytest.mark.slow if book >= "04" else ()) for book in QUICK]
"""The long ones are slow; with their defaults `make test` has run them already."""


@pytest.mark.parametrize("book", EACH)
def test_it_ends_well_and_keeps_no_token_of_the_environment(book: str, runs: Runs) -> None:
    """No byte of the token is in what the notebook made, in what was logged, or in its page.

    Looked at are outputs and metadata, all files, the log, and the page that it becomes; and of
    widgets no state is left.
    """
    result = runs.ran(book)

    assert "" == result.error
    as_page(result.notebook)
    made = [path for path in runs.of(book).rglob("*") if path.is_file()]
    assert len(made) >= 3
    assert (runs.of(book) / "log.txt").stat().st_size
    for form in (TOKEN, base64.b64encode(TOKEN.encode()).decode()):
        assert not [path for path in made if form.encode() in path.read_bytes()]
    run = nbformat.read(result.notebook, as_version=4)
    assert "papermill" in run.metadata
    assert "widgets" not in run.metadata
    assert "widget-view" not in json.dumps(run)


def as_page(path: Path) -> None:
    """Write a notebook as HTML beside it."""
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_filename(str(path))
    assert "</html>" in page
    path.with_suffix(".html").write_text(page, encoding="utf-8")


@pytest.mark.parametrize("book", [EACH[0], EACH[4]])
def test_training_ends_with_the_job_that_was_asked_for(book: str, runs: Runs) -> None:
    """The result for machines tells of the parameters; the LoRA lies where it was wanted."""
    given = QUICK[book]
    result = runs.ran(book)

    assert JOB == result.mime
    assert given["name"] == result.result["name"]
    assert "completed" == result.result["status"]
    assert given["steps"] == result.result["step"]
    assert 0 < result.result["loss"] < 3
    with safe_open(runs.of(book) / f"{given['name']}.safetensors", framework="np") as lora:
        assert {given["rank"]} == {
            min(lora.get_slice(key).get_shape())
            for key in lora.keys()  # noqa: SIM118
        }


@pytest.mark.slow
def test_plotting_leaves_a_picture_and_a_table(runs: Runs) -> None:
    """The example is trained when no job is named; picture and table lie where they were wanted."""
    result, folder = runs.ran("05_plot_loss"), runs.of("05_plot_loss")

    assert 40 == result.result["step"]
    assert (folder / "plot_the_loss.png").stat().st_size > 5_000
    assert "loss/loss" in (folder / "plot_the_loss.csv").read_text(encoding="utf-8")


@pytest.mark.slow
def test_comparing_ends_with_a_verdict(runs: Runs) -> None:
    """Two short jobs, the setting that differs, and a picture of both."""
    result = runs.ran("06_compare_runs")

    assert "application/vnd.aitk.comparison+json" == result.mime
    assert ["0.001", "0.002"] == [one["settings"]["train.lr"] for one in result.result["runs"]]
    assert result.result["verdict"]
    assert (runs.of("06_compare_runs") / "compare.png").stat().st_size > 5_000


@pytest.mark.slow
def test_choosing_leaves_the_pictures(runs: Runs) -> None:
    """One of the base model and one of each checkpoint, and the grid of the samples."""
    result, folder = runs.ran("07_choose_a_checkpoint"), runs.of("07_choose_a_checkpoint")

    assert 20 == result.result["step"]
    assert (folder / "choose_samples.png").stat().st_size > 5_000
    assert 1 + 4 == len(list((folder / "choose_tried").iterdir()))


def test_uploading_ends_with_the_dataset_under_the_servers_name(runs: Runs) -> None:
    """The name is the one that the server made of the given one."""
    result = runs.ran("03_upload_dataset")

    assert {"name": "other_photos", "images": 12, "captions": 12} == result.result


def test_asking_ends_with_reports(runs: Runs) -> None:
    """Discovery and authentication tell their findings to machines."""
    found, auth = runs.ran("01_discover"), runs.ran("02_check_authentication")

    assert "webui" == found.result["flavour"]
    assert "present" == found.result["endpoints"]["job_loss"]
    assert "accepted" == auth.result["state"]


def test_a_second_run_trains_nothing_again(runs: Runs) -> None:
    """A notebook run twice against one server finds its job and its files."""
    first = runs.ran("00_quickstart")
    rows = _rows(runs.server)
    second = runs.run("00_quickstart", "again", **QUICK["00_quickstart"])

    assert second.ok
    assert dict(first.result) == dict(second.result)
    assert rows == _rows(runs.server)


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


def test_a_failing_notebook_is_kept_with_the_reason(runs: Runs) -> None:
    """What went wrong is told in one line, and the notebook shows where."""
    result = runs.run("00_quickstart", "bad", steps=0)

    assert not result.ok
    assert "steps: 0 should be greater than or equal to 1" in result.error
    assert "InvalidParams" in result.notebook.read_text(encoding="utf-8")


@pytest.mark.parametrize("engine", ["nbclient", "aitk"])
def test_plain_papermill_keeps_no_token_either(engine: str, runs: Runs, tmp_path: Path) -> None:
    """It stores the state of widgets, in which no password of the environment is.

    With our engine it stores none.
    """
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(FORM.format(url=runs.server.url))],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}},
    )
    source, target = tmp_path / "source.ipynb", tmp_path / "target.ipynb"
    nbformat.write(book, source)
    told = {"AI_TOOLKIT_AUTH": TOKEN, "AITK_USERNAME": "somebody", "AITK_PASSWORD": TOKEN}
    papermill = [sys.executable, "-m", "papermill", "--log-level", "DEBUG", "--engine", engine]
    done = subprocess.run(
        [*papermill, str(source), str(target)],
        env={**os.environ, **told},
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    text = target.read_text(encoding="utf-8")

    assert "accepted" in text
    assert ("PasswordModel" in text) == (engine == "nbclient")
    assert ("widget-view" in text) == (engine == "nbclient")
    assert ("widgets" in json.loads(text)["metadata"]) == (engine == "nbclient")
    assert TOKEN not in text
    assert TOKEN.encode() not in done.stdout + done.stderr
