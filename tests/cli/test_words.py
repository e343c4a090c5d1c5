"""Words that a newcomer stumbled over, and that now say what to do."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from tests.cli.command import run


def test_the_version() -> None:
    """For reports of faults."""
    assert f"aitk-nb {version('aitk-nb')}" == run("--version").out.strip()


def test_a_mistyped_notebook(tmp_path: Path) -> None:
    """The sentence lists those that there are."""
    ran = run("run", "04_trian", "out.ipynb", code=2, cwd=tmp_path)
    assert "There are: 00_quickstart" in ran.err
