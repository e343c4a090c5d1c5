"""`losses` and `compare` on files: what is not there, and what diverged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run


@pytest.mark.parametrize("name", ["a.csv", "a.log", "runs/a.txt", "a.db", "a.json", "A.CSV"])
@pytest.mark.parametrize("command", ["losses", "compare"])
def test_a_missing_file_is_no_job(command: str, name: str, tmp_path: Path) -> None:
    """Nothing is asked of any server, and none is started, whatever stands before it."""
    ran = run(command, "cat", name, "--url", "demo:", code=2, cwd=tmp_path)
    assert f"aitk-nb: No such file: {name}." == ran.err.strip()


def test_files_are_compared_without_a_server(tmp_path: Path, nobody: str) -> None:
    """A loss of zeros has no place; two files without an end are said to be that."""
    lines = [f"{step},{0.4 + step % 2 / 10 if step < 60 else 0.0}" for step in range(100)]
    (tmp_path / "nan.csv").write_text("\n".join(["step,loss", *lines]), "utf-8")
    (tmp_path / "well.csv").write_text("\n".join(["step,loss", *lines[:50]]), "utf-8")
    env = {"AITK_URL": nobody}
    told = run("compare", "nan.csv", "well.csv", cwd=tmp_path, env=env).out
    assert "Only well can be ranked. Left out: nan (diverged at step 60)." in told
    told = run("compare", "nan.csv", "nan.csv", cwd=tmp_path, env=env).out
    assert "Nothing to compare: nan (diverged at step 60), nan (diverged at step 60)." in told
    shown = run("losses", "nan.csv", "--json", cwd=tmp_path, env=env)
    assert 60 == shown.json["diverged_step"]
    (tmp_path / "again.json").write_text(shown.out, "utf-8")
    for name in ("nan.csv", "again.json"):
        assert "→ diverged at step 60" in run("losses", name, cwd=tmp_path, env=env).out


def test_a_table_without_a_loss_is_refused(tmp_path: Path) -> None:
    """With the names of its columns."""
    (tmp_path / "a.csv").write_text("step,reward\n1,2\n", "utf-8")
    refused = run("losses", "a.csv", code=2, cwd=tmp_path).err
    assert "a.csv is not a table of losses: no column of losses among 'step', 'reward'." in refused
