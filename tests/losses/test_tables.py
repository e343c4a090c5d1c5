"""Tables of other loggers are read by the names of their columns, or refused by them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory

LOSS = [0.5, 0.25, 0.75]


def read(folder: Path, text: str, name: str = "a.csv", encoding: str = "utf-8") -> LossHistory:
    """Return the history in a file with `text`."""
    (folder / name).write_bytes(text.encode(encoding))
    return LossHistory.read(folder / name)


def rows(header: str, line: str, end: str = "\n") -> str:
    """Return a table of the three losses; a line is filled with its step and its loss."""
    lines = [line.format(step=step, loss=loss) for step, loss in enumerate(LOSS, 10)]
    return end.join([header, *lines, ""])


TABLES = {
    "two columns": rows("step,loss", "{step},{loss}"),
    "the rate last": rows("step,loss,lr", "{step},{loss},0.001"),
    "the loss last": rows("epoch,lr,step,Train_Loss", "1,0.001,{step},{loss}"),
    "weights and biases": rows(
        '"Step","vivid-sun-3 - loss","vivid-sun-3 - loss__MIN","vivid-sun-3 - loss__MAX"',
        '"{step}","{loss}","0.1","0.9"',
    ),
    "a run with delimiters": rows('"Step","a;b,c - d - train/loss"', "{step},{loss}"),
    "tensorboard": rows("Wall time,Step,Value", "1700000000.5,{step},{loss}"),
    "lightning": rows(
        "lr-AdamW,step,train/loss_epoch,train/loss_step,val_loss", "0.001,{step},,{loss},"
    ),
    "semicolons": rows("step;loss", "{step};{loss}").replace(".", ","),
    "tabs": rows("step\tloss", "{step}\t{loss}"),
    "bars": rows("step|loss|reward", "{step}|{loss}|9"),
    "windows": rows("step,loss", "{step},{loss}", "\r\n"),
    "blank lines": rows("\nstep , loss", "{step}, {loss}\n\n"),
    "steps as floats": rows("global_step,loss", "{step}.0,{loss}"),
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_column_called_loss_is_the_loss(tmp_path: Path, text: str, encoding: str) -> None:
    """Whatever else is there, and however it is delimited and encoded."""
    found = read(tmp_path, text, encoding=encoding)
    steps, values = found.columns("loss/loss")
    assert steps.tolist() == [10, 11, 12]
    assert values.tolist() == LOSS
    assert found.columns("learning_rate")[1].tolist() in ([], [0.001] * 3)
    assert read(tmp_path, text, "a.txt", encoding) == found


def test_a_rate_and_a_time_are_read_too(tmp_path: Path) -> None:
    """A time is in seconds; a cell that is empty is no value, and `nan` is one."""
    text = "_timestamp,_step,loss,lr\n7.5,3,nan,1e-4\n8.5,4,,2e-4\n"
    found = read(tmp_path, text)
    assert found.columns("loss/loss")[0].tolist() == [3]
    assert math.isnan(found.last)
    assert found.columns("learning_rate")[1].tolist() == [1e-4, 2e-4]
    assert found.wall_times("learning_rate").tolist() == [7.5, 8.5]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("step,reward,lr\n1,2,3\n", "no column of losses among 'step', 'reward', 'lr'"),
        ("epoch;loss\n1;2\n", "no column of steps among 'epoch', 'loss'"),
        ("step,val_loss\n1,2\n", "no column of losses among 'step', 'val_loss'"),
        ("Step,a - loss,b - loss\n1,2,3\n", "more than one column of losses among 'Step', 'a - l"),
        ("1,0.5\n2,0.4\n", "no column of steps among '1', '0.5'"),
        ("step,loss\n1,0.5\n2,low\n", "row 3: could not convert string to float: 'low'"),
        ("step,loss\n1,0,5\n", "row 2: 3 cells instead of 2"),
        ("step,loss\ninf,1\n", "row 2: cannot convert float infinity"),
        ("", "no column of steps"),
    ],
)
def test_another_table_is_refused_by_its_columns(tmp_path: Path, text: str, problem: str) -> None:
    """Nothing else is taken for the loss."""
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        [[1.7e9, 10, 0.5], [1.7e9, 11, 0.25], [1.7e9, 12, 0.75]],
        [{"step": 10 + n, "loss": loss, "epoch": 1} for n, loss in enumerate(LOSS)],
        [{"step": 10 + n, "train_loss": x} for n, x in enumerate(LOSS)] + [{"step": 12, "f1": 2}],
        {"name": "cat", "losses": {"loss/loss": {"step": [10, 11, 12], "value": LOSS}}},
    ],
    ids=["tensorboard", "objects", "objects with other keys", "our own"],
)
def test_json_is_read(tmp_path: Path, data: object) -> None:
    """TensorBoard's export, lists of objects, and what `aitk-nb losses --json` prints."""
    steps, values = read(tmp_path, json.dumps(data), "a.json").columns()
    assert (steps.tolist(), values.tolist()) == ([10, 11, 12], LOSS)


@pytest.mark.parametrize("text", ["{", "3", '"a"', "[1]", '{"a": 1}', '[{"a": 1}]', "[[1]]", ""])
def test_other_json_is_one_sentence(tmp_path: Path, text: str) -> None:
    """With the name of the file."""
    with pytest.raises(BadInput, match=r"a\.json is not a table of losses: "):
        read(tmp_path, text, "a.json")


@given(
    st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=9),
    st.sampled_from(",;\t|"),
    st.permutations(["step", "loss", "note"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_any_dialect_gives_every_loss(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float],
    delimiter: str,
    header: Sequence[str],
    end: str,
    quoted: bool,
) -> None:
    """Exactly, and at its step."""
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(out, header, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writeheader()
    for step, value in enumerate(values):
        writer.writerow({"step": step, "loss": repr(value), "note": f"a{delimiter} b\n\u2028"})
    steps, found = read(tmp_path_factory.getbasetemp(), out.getvalue()).columns()
    assert steps.tolist() == list(range(len(values)))
    assert found.tolist() == values


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Is said to be that."""
    with pytest.raises(BadInput, match=r"No such file: .*a\.csv\."):
        LossHistory.read(tmp_path / "a.csv")
