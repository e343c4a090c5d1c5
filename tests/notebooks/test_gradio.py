"""The first shipped notebook on a Gradio server, as it is: `url="demo:gradio"`.

What that flavour lacks is told in the cell, and the notebook still ends well. The others are in
`tests/gradio`.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest

from aitk_nb.notebooks import run as notebooks
from aitk_nb.notebooks.parameters import signature
from tests import gradio_servers
from tests.proxy import FaultProxy

BOOKS = {path.stem: path for path in notebooks.find()}
QUICK: dict[str, dict[str, Any]] = {
    "00_quickstart": {"name": "other", "steps": 60, "rank": 4, "learning_rate": 2e-3},
    "01_discover": {},
    "02_check_authentication": {},
    "03_upload_dataset": {"name": "Other Photos"},
    "04_train": {"name": "trained", "steps": 50, "rank": 8, "prompts": [], "save_every": 20},
    "05_plot_loss": {"steps": 40},
    "06_compare_runs": {"name": "compared", "steps": 30, "learning_rates": [1e-3, 2e-3]},
    "07_choose_a_checkpoint": {"steps": 20},
}


def run(book: str, tmp_path: Path) -> notebooks.NotebookResult:
    """Run a notebook on an embedded Gradio server of its own kernel."""
    known = {"url": "demo:gradio", "out": str(tmp_path)} | QUICK[book]
    takes = signature(BOOKS[book])
    parameters = {key: value for key, value in known.items() if key in takes}
    return notebooks.run(BOOKS[book], tmp_path / f"{book}.ipynb", parameters)


def text(path: Path) -> str:
    """Return what the cells of a notebook have shown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return html.unescape(json.dumps([cell.get("outputs", ()) for cell in cells]))


@pytest.mark.slow
def test_all_jobs_train_behind_a_proxy_with_a_time_limit(tmp_path: Path) -> None:
    """Each training takes longer than the limit, and the others wait meanwhile."""
    with (
        gradio_servers.server("6", tmp_path / "data", step_seconds=0.02) as server,
        FaultProxy(server.url, cut_seconds=2.0) as proxy,
    ):
        given = {"url": proxy.url, "out": str(tmp_path), "name": "cut", "steps": 150}
        result = notebooks.run(BOOKS["06_compare_runs"], tmp_path / "06.ipynb", given)
        loras = list((tmp_path / "data" / "gradio").glob("aitk-*/cut-*/cut-*.safetensors"))

    assert "" == result.error
    assert [150] * 3 == [run["checkpoint"] for run in result.result["runs"]]
    assert 3 == len([path for path in loras if path.stem == path.parent.name])


@pytest.mark.parametrize("book", ["00_quickstart"])
def test_a_notebook_ends_well(book: str, tmp_path: Path) -> None:
    """With its result, and with nothing that looks like a failure."""
    result = run(book, tmp_path)

    assert "" == result.error
    shown = text(tmp_path / f"{book}.ipynb")
    assert "Traceback" not in shown
    if book in {"00_quickstart", "04_train", "05_plot_loss"}:
        assert ("completed", QUICK[book]["steps"]) == (
            result.result["status"],
            result.result["step"],
        )
        assert "gradio" == result.result["flavour"]
        assert 0 < result.result["loss"] < 3
        assert "image/png" in shown
        # What is missing is said where the client shows itself.
        assert "list a job's samples" in shown
    if book == "03_upload_dataset":
        assert {"name": "Other Photos", "images": 12, "captions": 12} == result.result
    if book in {"00_quickstart", "04_train"}:
        assert (tmp_path / f"{QUICK[book]['name']}.safetensors").is_file()
