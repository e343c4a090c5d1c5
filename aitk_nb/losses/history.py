"""`LossHistory`: the losses of one job as a value, without network and without drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aitk_nb._display import html
from aitk_nb.losses import files
from aitk_nb.losses.series import EMPTY, Series, breaks, series, timeline
from aitk_nb.losses.smoothing import Steps, Values, smooth
from aitk_nb.losses.summary import LossSummary, summarize
from aitk_nb.losses.tables import Row
from aitk_nb.models.loss import LossPoint

if TYPE_CHECKING:
    import pandas as pd


class LossHistory:
    """Logged values of one job, by metric; immutable, `extended` returns a new history.

    A metric is what the server calls a key: `loss/loss`, `learning_rate` and so on. Where a
    method takes a key, leaving it out means `main_key`. Where a loss is NaN, AI Toolkit logs 0.0;
    a `loss/loss` of exactly 0 is NaN here.

    Example:
        >>> from aitk_nb.models.loss import LossPoint
        >>> points = [LossPoint(1, 0.0, 0.5), LossPoint(2, 1.0, 0.3)]
        >>> history = aitk_nb.LossHistory({"loss/loss": points}, "cat")
        >>> history.last
        0.3
        >>> history.smoothed(smoothing=0.5).round(3).tolist()
        [0.5, 0.367]
    """

    __slots__ = ("_name", "_restarts", "_sampling", "_series")

    def __init__(
        self,
        points: Mapping[str, Iterable[LossPoint]] | None = None,
        name: str = "",
        *,
        sampling: int = 0,
    ) -> None:
        """Keep `points` by metric, in any order; the last point of a step counts.

        Args:
            points: The points of each metric.
            name: Name of the job.
            sampling: Steps between two samplings; pauses there do not count as restarts.
        """
        self._name = name
        self._sampling = sampling
        self._restarts: frozenset[int] = frozenset()
        self._series = {key: series(some, key) for key, some in (points or {}).items()}

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
        """`loss/loss` if there is one, else the first metric that is a loss, else the first.

        A learning rate is never it: a job that ran out of memory at each step logs nothing else.
        """
        if "loss/loss" in self._series:
            return "loss/loss"
        others = [key for key in self._series if key != "learning_rate"]
        losses = (key for key in others if key.startswith("loss"))
        return next(losses, next(iter(others), "loss/loss"))

    def extended(
        self, key: str, points: Iterable[LossPoint], *, restart_after: int | None = None
    ) -> LossHistory:
        """Return a copy of the history with points added; a step that exists is replaced.

        Args:
            key: The metric.
            points: What was logged, in any order.
            restart_after: The step from which training was restarted; what all metrics have
                after it is dropped.
        """
        old, restarts = self._series, self._restarts
        if restart_after is not None:
            old = {key: one.until(restart_after) for key, one in old.items()}
            some_left = any(one.steps.size for one in old.values())
            kept = {step for step in restarts if step <= restart_after}
            restarts = frozenset({*kept, restart_after} if some_left else ())
        history = LossHistory(name=self._name, sampling=self._sampling)
        history._series = {**old, key: old.get(key, EMPTY).merged(series(points, key))}
        history._restarts = restarts
        return history

    def with_rows(self, rows: Iterable[Row]) -> LossHistory:
        """Return a copy of the history with rows of step, time, metric and value added.

        Args:
            rows: Step, time in seconds since 1970 (or None), metric, and a number, None or text.
                Text that is not a number becomes NaN.
        """
        points: dict[str, list[LossPoint]] = {}
        for step, wall_time, key, value in rows:
            points.setdefault(str(key), []).append(LossPoint.logged(step, wall_time, value))
        history = self
        for key, some in points.items():
            history = history.extended(key, some)
        return history

    @property
    def restarts(self) -> tuple[int, ...]:
        """The steps from which training was restarted.

        A restart that happened while the job was followed is certain. An earlier one shows only as
        a pause: at least 5 s, and 20 times the usual time between two points.
        """
        steps, wall_times = timeline(self._series.values())
        paused = breaks(steps, wall_times, self._sampling)
        places = np.searchsorted(steps, sorted(self._restarts), side="right")
        # Training continued from the last remaining point, if there are any before and after.
        seen = steps[places[(places > 0) & (places < steps.size)] - 1]
        return tuple(np.union1d(paused, seen).tolist())

    def points(self, key: str = "") -> tuple[LossPoint, ...]:
        """Return the points of the metric `key` by step; none for an unknown one."""
        return tuple(map(LossPoint, *(column.tolist() for column in self._columns(key))))

    def columns(self, key: str = "") -> tuple[Steps, Values]:
        """Return the steps and the values of the metric `key`; empty arrays for an unknown one."""
        steps, _, values = self._columns(key)
        return steps, values

    def wall_times(self, key: str = "") -> Values:
        """Return the time of each point of the metric `key`, in seconds since 1970."""
        return self._columns(key).wall_times

    def smoothed(self, key: str = "", *, smoothing: float | None = None) -> Values:
        """Return the smoothed values of a metric, one per step.

        This is TensorBoard's debiased exponential moving average: m(i) = s * m(i-1) + (1 - s) *
        x(i) with m(0) = 0, shown as m(i) / (1 - s**i), where i counts the finite values. NaN and
        infinite values stay where they are and do not enter the average.

        Args:
            key: The metric.
            smoothing: From 0 (none) to below 1; the default suits the number of values: 0.95 from
                100 to 1000 of them.

        Raises:
            BadInput: `smoothing` is out of range.
        """
        return smooth(self._columns(key).values, smoothing)

    @property
    def first(self) -> float:
        """The first value of the main metric as it was logged; NaN if there is none."""
        values = self._columns("").values
        return float(values[0]) if values.size else math.nan

    @property
    def last(self) -> float:
        """The last value of the main metric as it was logged; NaN if there is none."""
        values = self._columns("").values
        return float(values[-1]) if values.size else math.nan

    def summary(self, key: str = "") -> LossSummary:
        """Return the start, the end and the trend of the metric `key`, and how certain they are."""
        return summarize(key or self.main_key, *self.columns(key))

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame with `step`, `wall_time`, `segment` and a column for each metric."""
        return files.frame(self._series, self.restarts)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table of `frame` to `path` as CSV.

        A step at which a metric has no point leaves the field empty; a value that is NaN is
        written as `nan`. The file appears under its name only when it is complete.

        Returns:
            The path of the file.

        Raises:
            BadInput: The file can't be written.
        """
        return files.write_csv(self._series, self.restarts, Path(path).expanduser())

    def to_parquet(self, path: str | Path) -> Path:
        """Write the table of `frame` to `path` as Parquet.

        Returns:
            The path of the file.

        Raises:
            MissingExtra: pyarrow is not installed.
            BadInput: The file can't be written.
        """
        return files.write_parquet(self._series, self.restarts, Path(path).expanduser())

    @classmethod
    def read(cls, path: str | Path, name: str = "") -> LossHistory:
        """Return the history in a file: `loss_log.db`, a table, or `log.txt`.

        A table is a CSV that `to_csv` wrote, or one of another logger with a column of steps and a
        column of losses, such as an export of Weights & Biases or TensorBoard; `.json` files are
        read too. A log holds one value for each refresh of the progress bar, and seconds since the
        start instead of the time.

        Args:
            path: The file.
            name: What to call the history.

        Raises:
            BadInput: The file is none of these, or can't be read.
        """
        history = cls(name=name)
        for rows in files.read(Path(path).expanduser()):
            if rows and len(history):
                history = history.extended(history.main_key, (), restart_after=rows[0][0] - 1)
            history = history.with_rows(rows)
        return history

    def __len__(self) -> int:
        return int(self._columns("").steps.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LossHistory) and self._content() == other._content()

    def _content(self) -> object:
        columns = {key: [one.tobytes() for one in some] for key, some in self._series.items()}
        return self._name, self.restarts, columns

    __hash__ = None  # type: ignore[assignment]  # compared by content, which may be long

    def __repr__(self) -> str:
        return f"<LossHistory {self._name!r} {self.summary() if len(self) else 'empty'}>"

    def _repr_html_(self) -> str:
        rows = []
        for key, (steps, _, values) in self._series.items():
            if steps.size:
                ends = [f"{value:.4g}" for value in values[[0, -1]]]
                span = f"{steps[0]} to {steps[-1]}"
                rows.append((key, span, steps.size, *ends, summarize(key, steps, values).outcome))
        if not rows:
            return html.note("no losses")
        headers = ("metric", "steps", "points", "first", "last", "smoothed")
        return html.table(headers, rows, caption=self._name)

    def _columns(self, key: str) -> Series:
        return self._series.get(key or self.main_key, EMPTY)
