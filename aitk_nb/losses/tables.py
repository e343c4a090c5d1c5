"""Tables of losses as text: our own CSV and JSON, and what other loggers export."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from aitk_nb._yaml import facts

Row: TypeAlias = tuple[int, float | None, str, float | str | None]
"""Step, time, metric and value."""

_COLUMNS: Mapping[str, Sequence[str]] = facts("aitk_nb.losses", "columns")
"""Names of columns, lower case; the first that a table has counts."""


def from_csv(text: str, *, is_table: bool) -> Iterable[Sequence[Row]]:
    """Return the rows of a table with any usual delimiter, a sequence for each segment.

    Args:
        text: The file's text.
        is_table: Whether it must be one; if not, text without a known column has no rows.

    Raises:
        ValueError: A column is missing, or a cell is not a number.
    """
    first = next(filter(str.strip, text.split("\n")), "")[:9999]
    for delimiter in ",;\t|":
        cells = next(csv.reader([first], delimiter=delimiter), [])
        if len(cells) > 1 and not {*_COLUMNS["step"], *_COLUMNS["loss"]}.isdisjoint(
            map(_plain, cells)
        ):
            break
    else:
        delimiter = ","
        if not is_table:
            return []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header, *lines = [line for line in reader if any(map(str.strip, line))] or [[]]
    if delimiter == ";":  # where the comma is the decimal point
        lines = [[cell.replace(",", ".") for cell in line] for line in lines]
    return _rows(header, lines)


def from_json(text: str) -> Iterable[Sequence[Row]]:
    """Return the rows of what `aitk-nb losses --json` prints, of TensorBoard's export, or objects.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: It is something else.
    """
    data = json.loads(text)
    if isinstance(data, dict):
        return [
            [
                (step, None, key, value)
                for key, one in data["losses"].items()
                for step, value in zip(one["step"], one["value"], strict=True)
            ]
        ]
    if all(isinstance(line, list) for line in data):
        return _rows(["wall time", "step", "value"], [[*map(str, line)] for line in data])
    header = list(dict.fromkeys(key for line in data for key in line))
    cells = [[line.get(key) for key in header] for line in data]
    return _rows(header, [["" if cell is None else str(cell) for cell in line] for line in cells])


def _rows(header: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterable[Sequence[Row]]:
    step = _column(header, _COLUMNS["step"], "steps")
    time, segment = _column(header, _COLUMNS["time"]), _column(header, ("segment",))
    metrics = dict(enumerate(header))  # all, in our own table
    if header[:2] != ["step", "wall_time"]:
        metrics = {
            _column(header, _COLUMNS["loss"], "losses"): "loss/loss",
            _column(header, _COLUMNS["rate"]): "learning_rate",
        }
    metrics = {at: key for at, key in metrics.items() if at not in (-1, step, time, segment)}
    segments: dict[int, list[Row]] = {}
    for number, line in enumerate(lines, 2):
        try:
            if len(line) != len(header):
                raise ValueError(f"{len(line)} cells instead of {len(header)}")
            wall = float(line[time]) if time >= 0 else None
            segments.setdefault(int(line[segment]) if segment >= 0 else 0, []).extend(
                (int(float(line[step])), wall, key, float(line[at]))
                for at, key in metrics.items()
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
    if what and plain.count(name) != 1:
        columns = ", ".join(map(repr, header[:30]))
        raise ValueError(f"{'more than one' if name else 'no'} column of {what} among {columns}")
    return plain.index(name) if name else -1


def _plain(cell: str) -> str:
    # Weights & Biases puts the name of the run before that of the metric.
    return cell.strip().lower().rpartition(" - ")[2]
