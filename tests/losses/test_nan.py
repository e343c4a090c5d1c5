"""A loss of NaN as the trainer writes it: 0.0, with `loss is nan` in the log."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from aitk_nb.demo.trainer.loss_log import LossLog
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossPoint

BAR = "\rmy_lora:  30%|###  | {}/200 [00:{:02}<01:00,  1.00s/it, lr: 1.0e-04 loss: {:.3e}]"
WELL = (0.45 - 0.002 * np.arange(60) + np.random.default_rng(1).uniform(-0.05, 0.05, 60)).tolist()
LOST = [*WELL, *[0.0] * 140]


def history(*values: float, key: str = "loss/loss") -> LossHistory:
    """Return a history of `values` from step 0 on."""
    return LossHistory({key: [LossPoint(step, 0.0, loss) for step, loss in enumerate(values)]})


def database(path: Path, values: list[float]) -> Path:
    """Write the trainer's database."""
    log = LossLog(path)
    for step, value in enumerate(values):
        log.commit(step, {"learning_rate": 1e-4, "loss/loss": value})
    log.close()
    return path


def test_a_run_of_zeros_has_diverged_at_the_first_of_them(tmp_path: Path) -> None:
    """The same out of the database and out of a log with a bar for each step."""
    log = tmp_path / "log.txt"
    parts = [
        ("\nloss is nan\n" if loss == 0 else "") + BAR.format(step + 1, step % 60, loss)
        for step, loss in enumerate(LOST)
    ]
    log.write_text("Running  1 process\n" + "".join(parts), encoding="utf-8")
    for path in (database(tmp_path / "loss_log.db", LOST), log):
        found = LossHistory.read(path).summary()
        assert (found.points, found.diverged_step, found.trend) == (200, 60, "diverged")
        assert math.isnan(found.end)
        assert str(found).endswith(" → diverged at step 60")
        assert found.best >= 0.3
        assert "diverged at step 60" in LossHistory.read(path)._repr_html_()


@pytest.mark.parametrize(
    "values",
    [
        [loss if step % 10 else 0.0 for step, loss in enumerate(WELL)],
        [*WELL[:20], *[0.0] * 12, *WELL[20:]],
        [*WELL, 0.0, 0.0],
        [loss / 2 if step % 3 else loss for step, loss in enumerate(WELL)],
    ],
    ids=["isolated", "a run that is over", "two at the end", "means with zeros in them"],
)
def test_other_zeros_are_left_out(values: list[float]) -> None:
    """They are no losses, and nothing has diverged."""
    found = history(*values).summary()
    assert found.diverged_step is None
    assert found.end > 0.15
    assert found.best > 0.1
    assert np.isnan(history(*values).columns()[1]).sum() == values.count(0.0)


def test_zeros_of_other_metrics_are_values() -> None:
    """A learning rate warms up from 0, and rises tenfold without having diverged."""
    rates = history(*np.linspace(0, 1e-3, 200), key="learning_rate")
    assert rates.columns("learning_rate")[1][0] == 0
    assert rates.summary("learning_rate").diverged_step is None
    assert len(rates) == 0
    assert str(rates.summary()) == "no losses"


def test_a_validation_loss_without_a_number(tmp_path: Path) -> None:
    """SQLite keeps NaN as NULL: the main loss is not touched, and the validation has diverged."""
    path = database(tmp_path / "loss_log.db", WELL)
    with closing(sqlite3.connect(path)) as db, db:
        for step in range(0, 60, 10):
            value = 0.5 if step < 20 else None
            db.execute("INSERT INTO metrics VALUES (?, 'val/loss', ?, NULL)", (step, value))
    found = LossHistory.read(path)
    assert found.summary().diverged_step is None
    assert found.summary("val/loss").diverged_step == 20
    assert found.columns("val/loss")[1][:2].tolist() == [0.5, 0.5]


def test_each_step_of_a_log_has_its_own_loss(tmp_path: Path) -> None:
    """The trainer draws the bar twice a step: with the new loss, and when the step is counted.

    A step that ran out of memory has no loss; its bar repeats the one before.
    """
    bars: list[str] = []
    shown = 1.0
    for step, loss in enumerate([1.0, 0.9, None, 0.7, 0.6, 0.0]):
        if loss is None:
            bars.append("\n\n####\n# OOM during training step, skipping batch 1/3 #\n####\n\n")
        else:
            shown = loss
            bars += ["loss is nan\n"] * (not loss) + [BAR.format(step, step, loss)]
        bars.append(BAR.format(step + 1, step, shown))
    (tmp_path / "log.txt").write_text("".join(bars), encoding="utf-8")
    steps, values = LossHistory.read(tmp_path / "log.txt").columns()
    assert steps.tolist() == [0, 1, 3, 4, 5]
    assert values.tolist() == pytest.approx([1.0, 0.9, 0.7, 0.6, math.nan], nan_ok=True)
