"""`LossHistory`: the losses of one job as a value, without network and without drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aitk_nb import _html
from aitk_nb.losses.convergence import Convergence, convergence
from aitk_nb.losses.series import EMPTY, Segment, Series, merged, series, until
from aitk_nb.losses.smoothing import (
    Steps,
    Values,
    breaks,
    extremes,
    fitting_weight,
    rolling_median,
    smooth,
    smooth_end,
)
from aitk_nb.models.loss import LossPoint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LossHistory", "Segment", "Steps", "Values", "extremes", "fitting_weight", "smooth"]


class LossHistory:
    """Logged values of one job by metric; never changes, `extended` returns a new one.

    A metric is what the server calls a key: `loss/loss`, `learning_rate` and so on. Where a
    method takes a key, leaving it out means `main_key`.
    """

    __slots__ = ("_name", "_restarts", "_sampling", "_series")

    def __init__(
        self,
        points: Mapping[str, Iterable[LossPoint]] | None = None,
        name: str = "",
        *,
        sampling: int = 0,
    ) -> None:
        """Keep `points` by metric, in any order; of two of one step the later counts.

        Each `sampling` steps the training pauses for pictures, which is then no restart.
        """
        self._name = name
        self._sampling = sampling
        self._restarts: frozenset[int] = frozenset()
        self._series = {key: series(some) for key, some in (points or {}).items()}

    @property
    def name(self) -> str:
        """The job's name, or an empty string."""
        return self._name

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(self._series)

    @property
    def main_key(self) -> str:
        """`loss/loss` if there is one, else the first that is called loss, else the first."""
        if "loss/loss" in self._series:
            return "loss/loss"
        losses = (key for key in self._series if key.startswith("loss"))
        return next(losses, next(iter(self._series), "loss/loss"))

    def extended(self, key: str, points: Iterable[LossPoint]) -> LossHistory:
        """Return this history with `points` added; a step that is there already is replaced."""
        whole = merged(self._series.get(key, EMPTY), series(points))
        return self._made({**self._series, key: whole}, self._restarts)

    def with_rows(
        self, rows: Iterable[tuple[int, float | None, str, float | str | None]]
    ) -> LossHistory:
        """Return this history with rows of step, time, metric and value added, as logged.

        A value that is text, or none, is no number.
        """
        points: dict[str, list[LossPoint]] = {}
        for step, wall, key, value in rows:
            point = LossPoint(int(step), float(wall or 0.0), _number(value))
            points.setdefault(str(key), []).append(point)
        history = self
        for key, some in points.items():
            history = history.extended(key, some)
        return history

    def rewound(self, step: int) -> LossHistory:
        """Return this history without what was logged after `step`, where training began again."""
        series = {key: until(one, step) for key, one in self._series.items()}
        kept = frozenset(one for one in self._restarts if one <= step)
        some_left = any(one.steps.size for one in series.values())
        return self._made(series, kept | {step} if some_left else frozenset())

    def marked(self, steps: Iterable[int]) -> LossHistory:
        """Return this history with restarts after these steps."""
        return self._made(self._series, self._restarts | frozenset(steps))

    @property
    def restarts(self) -> tuple[int, ...]:
        """The steps from which the training was started again.

        A restart that was seen while following the job is certain. One before that is told only
        by a pause of at least 5 s and of 20 times the usual time between two points.
        """
        steps, walls = self.timeline()
        told = breaks(steps, walls, self._sampling)
        places = np.searchsorted(steps, sorted(self._restarts), side="right")
        # Training goes on from the last point that there is, if there are any before and after.
        seen = steps[places[(places > 0) & (places < steps.size)] - 1]
        return tuple(np.union1d(told, seen).tolist())

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The stretches between `restarts`; one if there was none, none without points."""
        steps, walls = self.timeline()
        if not steps.size:
            return ()
        starts = [0, *np.searchsorted(steps, self.restarts, side="right").tolist(), steps.size]
        return tuple(
            Segment(int(steps[a]), int(steps[b - 1]), float(walls[a]), float(walls[b - 1]))
            for a, b in pairwise(starts)
            if a < b
        )

    def points(self, key: str = "") -> tuple[LossPoint, ...]:
        """Return the points of a metric, oldest first; none for an unknown key."""
        columns = self._columns(key)
        return tuple(map(LossPoint, *(column.tolist() for column in columns)))

    def columns(self, key: str = "") -> tuple[Steps, Values]:
        """Return steps and values of a metric as two arrays; empty for an unknown key."""
        steps, _, values = self._columns(key)
        return steps, values

    def walls(self, key: str = "") -> Values:
        """Return the time of each point of a metric, in seconds since 1970."""
        return self._columns(key).walls

    def timeline(self) -> tuple[Steps, Values]:
        """Return all steps of all metrics, and the time of each."""
        if not self._series:
            return EMPTY.steps, EMPTY.walls
        every = list(self._series.values())
        if all(np.array_equal(one.steps, every[0].steps) for one in every):
            return every[0].steps, every[0].walls
        steps, index = np.unique(np.concatenate([s.steps for s in every]), return_index=True)
        return steps, np.concatenate([s.walls for s in every])[index]

    def smoothed(self, key: str = "", *, weight: float | None = None) -> Values:
        """Return the smoothed values of a metric, one per step.

        It is TensorBoard's debiased moving average: m(i) = weight * m(i-1) + (1 - weight) * x(i)
        from m(0) = 0, shown as m(i) / (1 - weight**i), where i counts the finite values. NaN and
        infinite values stay where they are and do not enter the average. Without a weight it is
        one that fits the number of values: 0.95 from 100 to 1000 values.

        Raises:
            BadInput: `weight` is not between 0 (no smoothing) and 1 (exclusive).
        """
        return smooth(self._columns(key).values, weight)

    @property
    def first(self) -> float:
        """The first value of the main metric as it was logged; NaN when there is none."""
        values = self._columns("").values
        return float(values[0]) if values.size else math.nan

    @property
    def last(self) -> float:
        """The last value of the main metric as it was logged; NaN when there is none."""
        values = self._columns("").values
        return float(values[-1]) if values.size else math.nan

    @property
    def start(self) -> float:
        """Where the main metric began: the average about its first values, NaN without any."""
        # Smoothing from the end backwards weighs the first values as `final` weighs the last.
        return smooth_end(self._columns("").values[::-1])

    @property
    def final(self) -> float:
        """Where the main metric stands: the end of its smoothed curve, NaN without any."""
        return smooth_end(self._columns("").values)

    def convergence(self, key: str = "") -> Convergence:
        """Return where a metric ended, how sure that is, and whether it still moves."""
        return convergence(*self.columns(key))

    def rolling_median(self, key: str = "", *, window: int = 0) -> tuple[Values, Values, Values]:
        """Return the median of the values about each step, and the quartiles as its spread.

        The `window` counts values; left out, it is a 50th of them and at least 21. Values that
        are no numbers do not count; a window without any number gives NaN.
        """
        return rolling_median(self.columns(key)[1], window)

    def decimated(self, key: str = "", *, bins: int = 700) -> tuple[Steps, Values]:
        """Return steps and values thinned for drawing.

        Of each of `bins` stretches the smallest and the largest value are kept, and one of its
        non-finite values if it has any; so are the first and the last point of all.
        """
        steps, values = self.columns(key)
        kept = extremes(values, bins)
        return steps[kept], values[kept]

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame with `step`, `wall_time`, `segment` and a column for each metric."""
        from aitk_nb.losses.tables import frame

        return frame(self)

    def to_csv(self, path: str | Path) -> Path:
        """Write a table with the columns of `frame`, and return its path.

        A step at which a metric has no point leaves the field empty; a point without a number
        says `nan`. The file appears under its name only when it is whole.

        Raises:
            BadInput: the file cannot be written.
        """
        from aitk_nb.losses.tables import write_csv

        return write_csv(self, Path(path).expanduser())

    def to_parquet(self, path: str | Path) -> Path:
        """Write the table of `frame` as Parquet, and return its path.

        Raises:
            MissingExtra: pyarrow is not installed.
            BadInput: the file cannot be written.
        """
        from aitk_nb.losses.tables import write_parquet

        return write_parquet(self, Path(path).expanduser())

    @classmethod
    def read(cls, path: str | Path, name: str = "") -> LossHistory:
        """Return the history in a file: `loss_log.db`, a CSV that `to_csv` wrote, or `log.txt`.

        A log tells less than the other two: one value for each drawing of the progress bar, and
        seconds since the start instead of the time.

        Raises:
            BadInput: it is none of these, or cannot be read.
        """
        from aitk_nb.losses.files import read

        return read(Path(path).expanduser(), name)

    def __len__(self) -> int:
        return int(self._columns("").steps.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LossHistory):
            return NotImplemented
        return (
            self._name == other._name
            and self.restarts == other.restarts
            and self.keys == other.keys
            and all(
                np.array_equal(mine, theirs, equal_nan=True)
                for key in self.keys
                for mine, theirs in zip(self._columns(key), other._columns(key), strict=True)  # noqa: SLF001
            )
        )

    __hash__ = None  # type: ignore[assignment]  # compared by content, which may be long

    def __repr__(self) -> str:
        if not len(self):
            return f"<LossHistory {self._name!r} empty>"
        return f"<LossHistory {self._name!r} {self.summary}>"

    @property
    def summary(self) -> str:
        """The main metric in a few words."""
        if not len(self):
            return "no losses yet"
        steps = self._columns("").steps
        return (
            f"{self.main_key}: {len(self)} points, "
            f"steps {steps[0]} to {steps[-1]}, {self.start:.4g} → {self.final:.4g}"
        )

    def _repr_html_(self) -> str:
        rows = []
        for key, (steps, _, values) in self._series.items():
            if steps.size:
                ends = (float(values[0]), float(values[-1]), smooth_end(values))
                span = f"{steps[0]} to {steps[-1]}"
                rows.append((key, span, steps.size, *(f"{value:.4g}" for value in ends)))
        if not rows:
            return _html.note("no losses yet")
        headers = ("metric", "steps", "points", "first", "last", "smoothed")
        return _html.table(headers, rows, caption=self._name)

    def _columns(self, key: str) -> Series:
        return self._series.get(key or self.main_key, EMPTY)

    def _made(self, series: dict[str, Series], restarts: frozenset[int]) -> LossHistory:
        history = LossHistory(name=self._name, sampling=self._sampling)
        history._series, history._restarts = series, restarts
        return history


def _number(value: float | str | None) -> float:
    try:
        return math.nan if value is None else float(value)
    except ValueError:
        return math.nan
