"""Losses out of files: the trainer's database, our own table, and the log."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.demo.trainer.loss_log import LossLog
from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossPoint

BAR = "\rcat:  18%|█▊        | {}/60 [00:{:02}<00:06,  8.01it/s, lr: 1.0e-04 loss: {}]"


def test_a_database_is_read_with_what_is_no_number(tmp_path: Path) -> None:
    """Infinite and missing values and texts keep their steps; a text may be a number."""
    path = tmp_path / "loss_log.db"
    log = LossLog(path)
    for step, value in enumerate((1.0, math.inf, math.nan, 2.0)):
        log.commit(step, {"loss/loss": value})
    log.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE metrics SET value_real = NULL, value_text = '7.5' WHERE step = 3")
    read = LossHistory.read(path, "cat")
    assert read.name == "cat"
    assert read.columns()[1] == pytest.approx([1.0, math.inf, math.nan, 7.5], nan_ok=True)


@given(
    st.lists(st.builds(LossPoint, st.integers(0, 50), st.floats(0, 2e9), st.floats()), min_size=1)
)
def test_our_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory, points: list[LossPoint]
) -> None:
    """With its restarts, to the last digit."""
    later = [LossPoint(60, 1e9, 1.0)]
    whole = LossHistory({"loss/loss": points}).extended("loss/loss", later, restart_after=25)
    path = whole.to_csv(tmp_path_factory.mktemp("csv") / "losses.csv")
    assert LossHistory.read(path).frame().equals(whole.frame())


def test_a_log_tells_what_its_bars_say(tmp_path: Path) -> None:
    """Losses and learning rates; a bar of an earlier step begins a new stretch."""
    bars = [(11, 1, "1.5e+00"), (12, 1, "nan"), (13, 2, "1.2"), (12, 0, "1.1"), (13, 1, "1.0")]
    text = "Loading\n" + "".join(BAR.format(*bar) for bar in bars) + "\nSaving at step 10\n"
    (tmp_path / "log.txt").write_text(text, encoding="utf-8")
    read = LossHistory.read(tmp_path / "log.txt", "cat")
    assert read.keys == ("loss/loss", "learning_rate")
    assert read.columns()[0].tolist() == [10, 11, 12]
    assert read.columns()[1].tolist() == [1.5, 1.1, 1.0]
    assert read.restarts == (10,)
    assert read.columns("learning_rate")[1].tolist() == [1e-4] * 3


@given(st.text(max_size=300))
def test_any_text_is_a_log(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Without bars there is nothing in it."""
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(f"log\n{text}", encoding="utf-8")
    assert len(LossHistory.read(path)) == 0


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """A missing file, a table without its columns, and a broken database."""
    (tmp_path / "bad.csv").write_text("step,wall_time,loss/loss\n1,2\n")
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"x" * 100)
    for name in ("missing.csv", "bad.csv", "bad.db"):
        with pytest.raises(BadInput, match=name):
            LossHistory.read(tmp_path / name)
