"""`read`: a loss history from a file: the trainer's own database, our CSV, or its log."""

from __future__ import annotations

import csv
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossPoint

__all__ = ["from_log", "read"]

_BAR = re.compile(
    r"\|\s*(?P<step>\d+)/\d+ \[(?P<clock>[\d:]+)<[^\]]*?"
    r"(?:lr: (?P<rate>\S+) )?loss: (?P<loss>[^\s\],]+)"
)
_ROWS = (
    "SELECT metrics.key, metrics.step, steps.wall_time, value_real, value_text"
    " FROM metrics JOIN steps ON steps.step = metrics.step ORDER BY metrics.key, metrics.step"
)


def read(path: Path, name: str = "") -> LossHistory:
    """Return the history in `path`, which is told by its first bytes.

    Raises:
        BadInput: it cannot be read, or holds no losses.
    """
    try:
        with path.open("rb") as file:
            head = file.read(32)
        if head.startswith(b"SQLite format 3\0"):
            return _from_database(path, name)
        text = path.read_text(encoding="utf-8", errors="replace")
    except (OSError, sqlite3.Error) as exc:
        raise BadInput(f"The losses in {path} cannot be read: {exc}.") from exc
    try:
        return _from_csv(text, name) if head.startswith(b"step,") else from_log(text, name)
    except (ValueError, IndexError) as exc:
        raise BadInput(f"{path} is no table of losses: {exc}.") from exc


def from_log(text: str, name: str = "") -> LossHistory:
    """Return what the progress bars in a log tell; a step that goes back is a restart.

    Times are seconds since the trainer began, as whole seconds.
    """
    history = LossHistory(name=name)
    for run in _runs(text):
        first = run[0][0].step
        if history.keys and len(history) and history.columns()[0][-1] >= first:
            history = history.rewound(first - 1)
        history = history.extended("loss/loss", [loss for loss, _ in run])
        if rates := [rate for _, rate in run if rate is not None]:
            history = history.extended("learning_rate", rates)
    return history


def _runs(text: str) -> Iterator[list[tuple[LossPoint, LossPoint | None]]]:
    """Yield the points of each stretch in which the steps do not go back."""
    run: list[tuple[LossPoint, LossPoint | None]] = []
    for match in _BAR.finditer(text):
        # The bar counts finished steps; the trainer logs the number of the step, from zero.
        step, wall = max(int(match["step"]) - 1, 0), _seconds(match["clock"])
        if run and step < run[-1][0].step:
            yield run
            run = []
        rate = None if match["rate"] is None else LossPoint(step, wall, _number(match["rate"]))
        run.append((LossPoint(step, wall, _number(match["loss"])), rate))
    if run:
        yield run


def _from_database(path: Path, name: str) -> LossHistory:
    address = path.resolve().as_uri()
    try:
        rows = _rows(f"{address}?mode=ro")
    except sqlite3.OperationalError:
        # A copy in a folder that cannot be written to, where SQLite may not make its side files.
        rows = _rows(f"{address}?mode=ro&immutable=1")
    return LossHistory(name=name).with_rows(
        (step, wall, key, words if real is None else real) for key, step, wall, real, words in rows
    )


def _rows(address: str) -> Iterable[tuple[str, int, float | None, float | None, str | None]]:
    with closing(sqlite3.connect(address, uri=True, timeout=30)) as db:
        return db.execute(_ROWS).fetchall()


def _from_csv(text: str, name: str) -> LossHistory:
    header, *rows = list(csv.reader(text.splitlines()))
    has_segments = header[2:3] == ["segment"]
    first = 3 if has_segments else 2
    points: dict[str, list[LossPoint]] = {key: [] for key in header[first:]}
    ends: dict[int, int] = {}
    for row in rows:
        step, wall = int(row[0]), float(row[1])
        if has_segments:
            ends[int(row[2])] = step
        for key, cell in zip(header[first:], row[first:], strict=True):
            if cell:
                points[key].append(LossPoint(step, wall, float(cell)))
    return LossHistory(points, name).marked(sorted(ends.values())[:-1])


def _seconds(clock: str) -> float:
    total = 0
    for part in clock.split(":"):
        total = 60 * total + int(part or 0)
    return float(total)


def _number(words: str | None) -> float:
    try:
        return float(words or "nan")
    except ValueError:
        return math.nan
