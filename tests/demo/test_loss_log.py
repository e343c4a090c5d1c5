"""`loss_log.db`: what is written when, and what a resumed run removes."""

from __future__ import annotations

import math
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from aitk_nb.demo.trainer.loss_log import LossLog


def _read(path: Path, sql: str) -> list[Any]:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def _filled(path: Path, steps: range) -> None:
    log = LossLog(path)
    for step in steps:
        log.commit(step, {"learning_rate": 1e-4, "loss/loss": 1 / (step + 1)})
    log.close()


def test_tables_are_those_of_the_real_logger(tmp_path: Path) -> None:
    """Tables, columns and index as the web UI reads them, in WAL mode."""
    path = tmp_path / "loss_log.db"
    _filled(path, range(1, 4))
    assert _read(path, "PRAGMA journal_mode") == [("wal",)]
    assert _read(path, "SELECT step, typeof(wall_time) FROM steps") == [
        (1, "real"),
        (2, "real"),
        (3, "real"),
    ]
    assert _read(path, "SELECT * FROM metric_keys ORDER BY key") == [
        ("learning_rate", 1, 3),
        ("loss/loss", 1, 3),
    ]
    assert _read(path, "SELECT * FROM metrics WHERE key = 'loss/loss' AND step = 1") == [
        (1, "loss/loss", 0.5, None)
    ]
    assert ("idx_metrics_key_step",) in _read(path, "SELECT name FROM sqlite_master")


def test_a_resumed_run_removes_what_lies_ahead_and_keeps_the_rest(tmp_path: Path) -> None:
    """The first commit deletes the rows above it, and only the first."""
    path = tmp_path / "loss_log.db"
    _filled(path, range(1, 40))
    log = LossLog(path)
    log.commit(21, {"loss/loss": 7.0})
    log.close()
    assert _read(path, "SELECT max(step), count(*) FROM steps") == [(21, 21)]
    assert _read(path, "SELECT key, last_seen_step FROM metric_keys ORDER BY key") == [
        ("learning_rate", 21),
        ("loss/loss", 21),
    ]
    assert _read(path, "SELECT count(*) FROM metrics WHERE step > 21") == [(0,)]
    assert _read(path, "SELECT value_real FROM metrics WHERE key = 'loss/loss' AND step = 21") == [
        (7.0,)
    ]


def test_rows_come_in_batches_and_soon(tmp_path: Path) -> None:
    """256 metrics are written at once; fewer are written with the first commit 0.25 s later."""
    path = tmp_path / "loss_log.db"
    log = LossLog(path)
    for step in range(128):
        log.commit(step, {"a": 1, "b": 2})
    assert _read(path, "SELECT count(*) FROM metrics") == [(256,)]
    log.commit(128, {"a": 1, "b": 2})
    time.sleep(0.3)
    log.commit(129, {"a": 1, "b": 2})
    assert _read(path, "SELECT count(*) FROM metrics") == [(260,)]
    log.close()


@pytest.mark.parametrize(("value", "stored"), [(math.nan, None), (math.inf, math.inf)])
def test_what_is_no_number_is_kept_as_none(tmp_path: Path, value: float, stored: object) -> None:
    """A loss that diverged leaves a row without a value; infinity SQLite can hold."""
    path = tmp_path / "loss_log.db"
    log = LossLog(path)
    log.commit(1, {"loss/loss": value})
    log.close()
    assert _read(path, "SELECT value_real FROM metrics") == [(stored,)]


def test_a_deleted_folder_comes_back(tmp_path: Path) -> None:
    """Deleting a job does not stop its trainer."""
    path = tmp_path / "job" / "loss_log.db"
    path.parent.mkdir()
    log = LossLog(path)
    log.commit(1, {"loss/loss": 1})
    log.flush()
    shutil.rmtree(path.parent)
    log.commit(2, {"loss/loss": 2})
    log.close()
    assert _read(path, "SELECT step FROM steps") == [(2,)]
