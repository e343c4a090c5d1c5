"""Tables of losses as text: our own CSV and JSON, and what other loggers export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Row: TypeAlias = tuple[int, float | None, str, float | str | None]
"""Step, time, metric and value."""

_STEP = (
    *("step", "steps", "_step", "global_step", "trainer/global_step", "train/global_step"),
    *("iteration", "iter"),
)
_TIME = ("wall_time", "wall time", "_timestamp", "timestamp")
_LOSS = (
    *("loss/loss", "loss", "train/loss", "train_loss", "train/loss_step", "train_loss_step"),
    *("loss_step", "step_loss", "train/step_loss", "loss/current", "loss/average", "avr_loss"),
    *("avg_loss", "loss_avg", "train/loss_epoch", "train_loss_epoch"),
    "value",  # TensorBoard, whose file has the name of the metric
)
_RATE = ("learning_rate", "lr", "train/learning_rate", "train/lr")
"""Names of columns, lower case; the first that a table has counts."""


def from_csv(text: str) -> Iterable[Sequence[Row]]:
    """Return the rows of a table with any usual delimiter, a sequence for each segment.

    Raises:
        ValueError: A column is missing, or a cell is not a number.
    """
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header, *lines = [line for line in reader if any(map(str.strip, line))] or [[]]
    if delimiter == ";":  # where the comma is the decimal point
        lines = [[cell.replace(",", ".") for cell in line] for line in lines]
    return _rows(header, lines)


def has_header(text: str) -> bool:
    """Return whether the first line names a column of steps or of losses, among others."""
    header = _header(text, _delimiter(text))
    return len(header) > 1 and not {*_STEP, *_LOSS}.isdisjoint(map(_plain, header))


def from_json(text: str) -> Iterable[Sequence[Row]]:
    """Return the rows of what `aitk-nb losses --json` prints, of TensorBoard's export, or objects.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is something else.
    """
    data = json.loads(text)
    if isinstance(data, dict) and "losses" in data:
        return [
            [
                (step, None, key, value)
                for key, one in data["losses"].items()
                for step, value in zip(one["step"], one["value"], strict=True)
            ]
        ]
    if isinstance(data, dict):
        data = data.get("log_history", [data])  # of transformers' trainer_state.json
    if not isinstance(data, list):
        raise ValueError("expected a list")
    if all(isinstance(line, list) for line in data):
        return _rows(["wall time", "step", "value"], [[*map(str, line)] for line in data])
    header = list(dict.fromkeys(key for line in data for key in line))
    cells = [[line.get(key) for key in header] for line in data]
    return _rows(header, [["" if cell is None else str(cell) for cell in line] for line in cells])


def _rows(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterable[Sequence[Row]]:
    if header[:2] == ["step", "wall_time"]:  # our own
        step, time, first = 0, 1, 3 if header[2:3] == ["segment"] else 2
        metrics = list(enumerate(header))[first:]
    else:
        step, loss = _column(header, _STEP, "steps"), _column(header, _LOSS, "the loss")
        time, first = _column(header, _TIME), 0
        rate = _column(header, _RATE)
        metrics = [(loss, "loss/loss"), *([(rate, "learning_rate")] if rate >= 0 else [])]
    segments: dict[int, list[Row]] = {}
    for number, line in enumerate(lines, 2):
        try:
            if len(line) != len(header):
                raise ValueError(f"{len(line)} cells instead of {len(header)}")
            wall = float(line[time]) if time >= 0 else None
            segments.setdefault(int(line[2]) if first == 3 else 0, []).extend(
                (int(float(line[step])), wall, key, float(line[at]))
                for at, key in metrics
                if line[at]
            )
        except (ValueError, OverflowError) as exc:
            raise ValueError(f"row {number}: {exc}") from exc
    return segments.values()


def _column(header: Sequence[str], names: Sequence[str], what: str = "") -> int:
    """Return the place of the column that has one of `names`; -1 if there is none.

    Raises:
        ValueError: There is more than one, or none although `what` says that one is required.
    """
    plain = [*map(_plain, header)]
    name = next((name for name in names if name in plain), "")
    if plain.count(name) == 1:
        return plain.index(name)
    if not what:
        return -1
    problem = f"more than one column of {what}" if name else f"no column of {what}"
    raise ValueError(f"{problem}; its columns are {', '.join(map(repr, header[:30]))}")


def _plain(cell: str) -> str:
    # Weights & Biases puts the name of the run before that of the metric.
    return cell.strip().lower().rpartition(" - ")[2]


def _delimiter(text: str) -> str:
    """Return the delimiter with which the first line names a column of steps; else the comma."""
    headers = ((one, _header(text, one)) for one in ",;\t|")
    named = (one for one, header in headers if not {*_STEP, *_LOSS}.isdisjoint(map(_plain, header)))
    return next(named, ",")


def _header(text: str, delimiter: str) -> Sequence[str]:
    first = next((line for line in text.split("\n") if line.strip()), "")
    return next(csv.reader([first[:9999]], delimiter=delimiter), [])
