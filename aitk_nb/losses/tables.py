"""A loss history as a table: a DataFrame, a CSV or a Parquet file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aitk_nb._files import replacing
from aitk_nb.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd

    from aitk_nb.losses.history import LossHistory

__all__ = ["frame", "write_csv", "write_parquet"]


def frame(history: LossHistory) -> pd.DataFrame:
    """Return what `LossHistory.frame` promises."""
    import pandas as pd

    steps, walls = history.timeline()
    columns: dict[str, npt.NDArray[Any]]
    columns = {"step": steps, "wall_time": walls, "segment": _segments(history)}
    for key in history.keys:
        some, values = history.columns(key)
        column = np.full(steps.size, np.nan)
        column[np.searchsorted(steps, some)] = values
        columns[key] = column
    return pd.DataFrame(columns)


def write_csv(history: LossHistory, target: Path) -> Path:
    """Write what `LossHistory.to_csv` promises."""
    with replacing(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(_rows(history))
    return target


def write_parquet(history: LossHistory, target: Path) -> Path:
    """Write what `LossHistory.to_parquet` promises."""
    if find_spec("pyarrow") is None:
        raise MissingExtra("pyarrow", "pip install pyarrow")
    with replacing(target) as draft:
        frame(history).to_parquet(draft, engine="pyarrow", index=False)
    return target


def _segments(history: LossHistory) -> npt.NDArray[np.intp]:
    """Return of each step on the timeline in which stretch it lies."""
    return np.searchsorted(np.array(history.restarts, dtype=np.int64), history.timeline()[0])


def _rows(history: LossHistory) -> Iterable[Sequence[object]]:
    yield ("step", "wall_time", "segment", *history.keys)
    by_step = []
    for key in history.keys:
        some, values = history.columns(key)
        by_step.append(dict(zip(some.tolist(), values.tolist(), strict=True)))
    steps, walls = history.timeline()
    rows = zip(steps.tolist(), walls.tolist(), _segments(history).tolist(), strict=True)
    for row in rows:
        yield (*row, *(values.get(row[0], "") for values in by_step))
