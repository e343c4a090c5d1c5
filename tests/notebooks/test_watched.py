"""A notebook that watched a long job: what is stored of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

from aitk_nb import demo
from aitk_nb.notebooks import run as notebooks

TOKEN = "planted-token-0815-of-the-server"
STEPS = 1000
CELLS = (
    "url: str = ''  # Address\nfolder: str = ''  # Photos\nname: str = ''  # Job",
    "import aitk_nb\nfrom aitk_nb.views import JobMonitor\nclient = aitk_nb.connect(url)",
    "dataset = client.datasets.upload(folder, 'watched').name",
    f"params = aitk_nb.TrainingParams(name=name, dataset=dataset, steps={STEPS}, rank=2,"
    " resolution=64, sample_every=250, prompts=('a photograph',))",
    "job = client.jobs.start(params)",
    "await JobMonitor(job, price_per_hour=0.5).watch(every=0.5)",
    "job",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An embedded server that wants a token."""
    with demo.start(tmp_path_factory.mktemp("closed"), token=TOKEN) as server:
        yield server


def by_us(source: Path, out: Path, parameters: dict[str, Any]) -> None:
    """Run it as `aitk-nb run` does."""
    assert notebooks.run(source, out, parameters).error == ""


def by_papermill(source: Path, out: Path, parameters: dict[str, Any]) -> None:
    """Run it as somebody does who knows nothing of us."""
    papermill.execute_notebook(source, out, parameters, progress_bar=False, kernel_name="python3")


@pytest.mark.parametrize("how", [pytest.param(by_us, marks=pytest.mark.slow), by_papermill])
def test_a_notebook_that_watched_stores_one_plot_and_no_secret(
    how: Callable[[Path, Path, dict[str, Any]], None],
    server: demo.DemoServer,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it drew; of the widgets nothing is left that they showed."""
    monkeypatch.setenv("AITK_TOKEN", TOKEN)
    source, out = tmp_path / "watched.ipynb", tmp_path / "out.ipynb"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    book.cells[0].metadata.tags = ["parameters"]
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, source)
    how(source, out, {"url": server.url, "folder": str(photos), "name": how.__name__})

    stored = out.read_text(encoding="utf-8")
    run = nbformat.reads(stored, as_version=4)
    watched = next(cell for cell in run.cells if "JobMonitor(job" in cell.source)
    plots = [
        one for cell in run.cells for one in cell.get("outputs", ()) if "image/png" in one.data
    ]
    assert plots == watched.outputs[:1]
    assert set(plots[0].data) == {"text/html", "image/png", "text/plain"}
    assert f"{STEPS} of {STEPS}" in watched.outputs[1].data["text/html"]
    assert "completed" in watched.outputs[1].data["text/html"]
    assert TOKEN not in stored
    assert len(stored) < 300_000
    state = json.dumps(run.metadata.get("widgets", {}))
    assert ("widgets" in run.metadata) == (how is by_papermill)
    for shown in ("Running job", "GPU 0", "data:image", "steps/s"):
        assert shown not in state
