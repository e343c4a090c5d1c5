"""Files of losses: the trainer's database and log, and tables."""

from __future__ import annotations

import csv
import re
import sqlite3
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aitk_nb._files import replacing
from aitk_nb.errors import BadInput, MissingExtra
from aitk_nb.losses import tables
from aitk_nb.losses.series import Series, timeline
from aitk_nb.losses.tables import Row

if TYPE_CHECKING:
    import pandas as pd

_BAR = re.compile(
    r"\|\s*(?P<step>\d{1,12})/\d+ \[(?P<clock>[\d:]+)<[^\]]*?"
    r"(?:lr: (?P<rate>\S+) )?loss: (?P<loss>[^\s\],]+)|# OOM during training step, skipping"
)
_ROWS = (
    "SELECT metrics.step, steps.wall_time, metrics.key, ifnull(value_real, value_text)"
    " FROM metrics JOIN steps ON steps.step = metrics.step ORDER BY metrics.key, metrics.step"
)


def read(path: Path) -> Iterable[Sequence[Row]]:
    """Return the rows in `path`, a sequence for each start of the trainer.

    The content decides whether it is a database, a log or a table.

    Raises:
        BadInput: It can't be read, or is a table without losses.
    """
    try:
        with path.open("rb") as file:
            head = file.read(32)
        if head.startswith(b"SQLite format 3\0"):
            return [_from_database(path.resolve().as_uri())]
        # Windows PowerShell writes what a command prints as UTF-16.
        encoding = "utf-16" if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
        text = path.read_text(encoding=encoding, errors="replace")
    except FileNotFoundError as exc:
        raise BadInput(f"No such file: {path}.") from exc
    except (OSError, sqlite3.Error) as exc:
        raise BadInput(f"Can't read the losses in {path}: {exc}.") from exc
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            return tables.from_json(text)
        if _BAR.search(text):
            return from_log(text)
        return tables.from_csv(text, is_table=suffix in {".csv", ".tsv"})
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as exc:
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


def from_log(text: str) -> Sequence[Sequence[Row]]:
    """Return what the bars in a log say, a sequence for each start of the trainer."""
    segments: list[dict[tuple[int, str], Row]] = [{}]
    last = skipped = -1
    for match in _BAR.finditer(text):
        if match["step"] is None:
            skipped = last + 1  # the next bar shows once more the loss of the step before
            continue
        # The bar counts finished steps; the trainer logs the number of the step, from zero. With
        # the same count, the bar is drawn again when the next step's loss is known.
        step = max(int(match["step"]) - 1, 0)
        if step < last:
            segments.append({})
        last, seconds = step, 0.0
        if step == skipped:
            continue
        for part in match["clock"].split(":"):
            seconds = 60 * seconds + int(part or 0)
        for key, value in (("loss/loss", match["loss"]), ("learning_rate", match["rate"])):
            if value:
                segments[-1].setdefault((step, key), (step, seconds, key, value))
    return [list(segment.values()) for segment in segments]


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
