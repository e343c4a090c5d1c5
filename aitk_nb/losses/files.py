"""Files of losses: the trainer's database and log, and tables as CSV and Parquet."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from aitk_nb._files import replacing
from aitk_nb.errors import BadInput, MissingExtra
from aitk_nb.losses.series import Series, timeline

if TYPE_CHECKING:
    import pandas as pd

Row: TypeAlias = tuple[int, float | None, str, float | str | None]
"""Step, time, metric and value."""

_BAR = re.compile(
    r"\|\s*(?P<step>\d{1,12})/\d+ \[(?P<clock>[\d:]+)<[^\]]*?"
    r"(?:lr: (?P<rate>\S+) )?loss: (?P<loss>[^\s\],]+)"
)
_ROWS = (
    "SELECT metrics.step, steps.wall_time, metrics.key, ifnull(value_real, value_text)"
    " FROM metrics JOIN steps ON steps.step = metrics.step ORDER BY metrics.key, metrics.step"
)


def read(path: Path) -> Iterable[Sequence[Row]]:
    """Return the rows in `path`, a sequence for each start of the trainer.

    The first bytes decide whether it is a database, a table or a log.

    Raises:
        BadInput: it cannot be read, or holds no losses.
    """
    try:
        with path.open("rb") as file:
            head = file.read(32)
        if head.startswith(b"SQLite format 3\0"):
            return [_from_database(path.resolve().as_uri())]
        text = path.read_text(encoding="utf-8", errors="replace")
    except (OSError, sqlite3.Error) as exc:
        raise BadInput(f"Can't read the losses in {path}: {exc}.") from exc
    try:
        return _from_csv(text) if head.startswith(b"step,") else _from_log(text)
    except (ValueError, IndexError) as exc:
        raise BadInput(f"{path} is not a table of losses: {exc}.") from exc


def _from_database(uri: str) -> Sequence[Row]:
    try:
        return _query(f"{uri}?mode=ro")
    except sqlite3.OperationalError:
        # A copy in a read-only folder, where SQLite can't create its temporary files.
        return _query(f"{uri}?mode=ro&immutable=1")


def _query(uri: str) -> Sequence[Row]:
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as db:
        return db.execute(_ROWS).fetchall()


def _from_csv(text: str) -> Iterable[Sequence[Row]]:
    header, *lines = csv.reader(text.splitlines())
    first = 3 if header[2:3] == ["segment"] else 2
    segments: dict[int, list[Row]] = {}
    for line in lines:
        segments.setdefault(int(line[2]) if first == 3 else 0, []).extend(
            (int(line[0]), float(line[1]), key, float(cell))
            for key, cell in zip(header[first:], line[first:], strict=True)
            if cell
        )
    return segments.values()


def _from_log(text: str) -> Iterable[Sequence[Row]]:
    segments: list[list[Row]] = [[]]
    last = 0
    for match in _BAR.finditer(text):
        # The bar counts finished steps; the trainer logs the number of the step, from zero.
        step = max(int(match["step"]) - 1, 0)
        if step < last:
            segments.append([])
        last, seconds = step, 0.0
        for part in match["clock"].split(":"):
            seconds = 60 * seconds + int(part or 0)
        segments[-1].append((step, seconds, "loss/loss", match["loss"]))
        if match["rate"]:
            segments[-1].append((step, seconds, "learning_rate", match["rate"]))
    return segments


def frame(series: Mapping[str, Series], restarts: Sequence[int]) -> pd.DataFrame:
    """Return the table that `LossHistory.frame` describes."""
    import pandas as pd

    steps, wall_times = timeline(series.values())
    segments = np.searchsorted(np.array(restarts, dtype=np.int64), steps)
    columns = {"step": steps, "wall_time": wall_times, "segment": segments}
    table = pd.DataFrame(columns, index=steps)
    for key, one in series.items():
        table[key] = pd.Series(one.values, index=one.steps)
    return table.reset_index(drop=True)


def write_csv(series: Mapping[str, Series], restarts: Sequence[int], target: Path) -> Path:
    """Write the file that `LossHistory.to_csv` describes."""
    table = frame(series, restarts).astype(object)
    for key, one in series.items():
        # NaN is a value that was logged; no value is an empty field.
        table.loc[~np.isin(table["step"].to_numpy(np.int64), one.steps), key] = ""
    with replacing(target) as draft:
        table.to_csv(draft, index=False, na_rep="nan", lineterminator="\n")
    return target


def write_parquet(series: Mapping[str, Series], restarts: Sequence[int], target: Path) -> Path:
    """Write the file that `LossHistory.to_parquet` describes."""
    if find_spec("pyarrow") is None:
        raise MissingExtra("pyarrow", "pip install pyarrow")
    with replacing(target) as draft:
        frame(series, restarts).to_parquet(draft, engine="pyarrow", index=False)
    return target
