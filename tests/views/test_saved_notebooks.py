"""A notebook with all forms and a monitor: what it shows without widgets, and that it repeats."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from aitk_nb import demo
from tests.views.conftest import stored

TOKEN = "planted-token-4711"
CELLS = (
    "import aitk_nb\nfrom aitk_nb.views import *",
    "connection = ConnectionForm({url!r})\nconnection",
    "client = aitk_nb.connect(connection.value)",
    "choose = DatasetForm({photos!r}, name='saved')\nchoose",
    "dataset = client.datasets.upload(choose.value.folder, choose.value.name)\ndataset",
    "params = aitk_nb.TrainingParams(name={name!r}, dataset=dataset.name, steps=60)\n"
    "form = TrainingForm(params, on_start=client.jobs.start)\nform",
    "job = await form.started()",
    "await JobMonitor(job).watch(every=0.1)",
    "job",
)


@pytest.mark.slow
def test_it_shows_all_without_widgets_and_repeats(
    execute: Any, demo_server: demo.DemoServer, photos: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Every form has a table; strict nbval finds the same in a second run."""
    monkeypatch.setenv("AITK_TOKEN", TOKEN)
    given = {"url": demo_server.url, "photos": str(photos), "name": "saved"}
    book = execute(*(cell.format(**given) for cell in CELLS))

    forms = [book.cells[number].outputs[0]["data"] for number in (1, 3, 5)]
    for form in forms:
        assert "<table" in form["text/html"]
        assert "object at" not in form["text/plain"]
        assert ["text/html", "text/plain"] == sorted(form)
    assert ["display_data", "execute_result"] == [o.output_type for o in book.cells[7].outputs]
    assert TOKEN not in stored(book)

    book.metadata.pop("widgets")
    path = tmp_path / "saved.ipynb"
    nbformat.write(book, path)
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(
        [*command, "--nbval-current-env", f"--rootdir={tmp_path}", "-c", os.devnull],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert f"{len(CELLS)} passed" in done.stdout, done.stdout + done.stderr
