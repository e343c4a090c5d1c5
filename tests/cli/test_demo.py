"""`aitk-nb demo`: what somebody sees who runs it for the first time."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest

from aitk_nb._display.html import RESULT
from aitk_nb.notebooks import run as notebooks
from aitk_nb.notebooks.run import NotebookResult
from tests.cli.command import run

QUICK = "00_quickstart"


@pytest.mark.slow
def test_against_a_server_that_runs(url: str, tmp_path: Path) -> None:
    """A line of progress, a table, and the paths of all that was made; then as JSON."""
    ran = run("demo", QUICK, "--out", "my runs", "--url", url, cwd=tmp_path)
    again = run("demo", QUICK, "--out", "my runs", "--json", cwd=tmp_path, env={"AITK_URL": url})

    assert f"Server at {url}\n[1/1] {QUICK} … ok (" in ran.err
    assert 2 == len(ran.err.splitlines())
    assert max(map(len, (ran.out + ran.err).splitlines())) <= 80
    assert re.search(rf"^{QUICK} +[\d.]+  ok: quickstart, 600 steps, loss 0\.\d+$", ran.out, re.M)
    made = {
        what
        for what, path in _paths(ran.out.partition("\n\nNext:")[0])
        if (tmp_path / path).is_file()
    }
    assert {"LoRA", "loss plot", "notebook"} == made
    assert "\nNext: `make lab`" in ran.out
    (result,) = again.json
    assert (QUICK, True, "", "quickstart") == (
        result["name"], result["ok"], result["error"], result["result"]["name"])  # fmt: skip
    assert [] == list((tmp_path / "my runs").glob(".*"))


def test_an_unknown_notebook(tmp_path: Path) -> None:
    """The sentence lists those that there are."""
    assert QUICK in run("demo", "nonsense", code=2, cwd=tmp_path).err


def _paths(shown: str) -> list[tuple[str, str]]:
    return [tuple(re.split("  +", line)) for line in shown.split("\n\n")[-1].splitlines()]  # type: ignore[misc]


def test_a_server_that_wants_a_token(closed_url: str, tmp_path: Path) -> None:
    """It is told once, before any notebook runs."""
    ran = run("demo", "--url", closed_url, "--out", tmp_path / "runs", code=4)

    assert "requires a token" in ran.err
    assert not (tmp_path / "runs").exists()


def test_a_folder_of_another_server(tmp_path: Path) -> None:
    """An address `demo:PATH` that cannot be used is bad input."""
    file = tmp_path / "file"
    file.write_text("")

    assert "cannot start" in run("demo", "--url", f"demo:{file}", code=2).err


def _book(path: Path, *cells: str) -> Path:
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}},
    )
    nbformat.write(book, path)
    return path


def test_the_kernel_says_nothing_on_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither that it is reached by TCP, nor that it was interrupted at its end."""
    for number in range(3):
        book = _book(tmp_path / f"{number}.ipynb", "1 + 1")
        assert notebooks.run(book, tmp_path / "out" / book.name, {}).ok

    out, err = capfd.readouterr()
    assert "" == out
    assert "TCP" not in err
    assert "KeyboardInterrupt" not in err


@pytest.mark.skipif(os.name != "posix", reason="a signal ends it")
def test_a_kernel_that_dies(tmp_path: Path) -> None:
    """It is a failure of its notebook, which is kept."""
    book = _book(
        tmp_path / "dies.ipynb", "import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"
    )

    result = notebooks.run(book, tmp_path / "out" / "dies.ipynb", {})

    assert "Kernel died" in result.error
    assert 2 <= len(nbformat.read(result.notebook, as_version=4).cells)


def test_the_table_fits_a_terminal(tmp_path: Path) -> None:
    """A long reason is cut in the table; the line of progress and the notebook have it whole."""
    results = [
        NotebookResult(
            "00_quickstart",
            12.345,
            tmp_path / "00.ipynb",
            mime=RESULT.format("job"),
            result={"name": "cat", "status": "completed", "step": 600, "loss": 0.25},
        ),
        NotebookResult(
            "02_check_authentication", 1.0, tmp_path / "02.ipynb", "Error: " + "why " * 40
        ),
    ]
    (tmp_path / "cat.png").write_bytes(b"")

    shown = notebooks.report(results, tmp_path)

    table, made = shown.split("\n\n")
    assert "00_quickstart               12.3  ok: cat, 600 steps, loss 0.25" in table
    assert table.endswith("…")
    assert max(map(len, table.splitlines())) <= 80
    assert [f"loss plot                {tmp_path / 'cat.png'}"] == made.splitlines()
