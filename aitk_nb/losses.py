"""`LossHistory`: the losses of one job as a value, without network and without drawing."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from aitk_nb import _html
from aitk_nb._files import replacing
from aitk_nb.errors import BadInput
from aitk_nb.models import LossPoint

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LossHistory", "extremes", "fitting_weight", "smooth"]

Steps: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float64]
_Array = TypeVar("_Array", bound=npt.NDArray[Any])


class _Series(NamedTuple):
    """The points of one metric as columns, in order of steps."""

    steps: Steps
    walls: Values
    values: Values


class LossHistory:
    """Logged values of one job by metric; never changes, `extended` returns a new one.

    A metric is what the server calls a key: `loss/loss`, `learning_rate` and so on. Where a
    method takes a key, leaving it out means `main_key`.
    """

    __slots__ = ("_name", "_series")

    def __init__(
        self, points: Mapping[str, Iterable[LossPoint]] | None = None, name: str = ""
    ) -> None:
        """Keep `points` by metric, in any order; of two of one step the later counts."""
        self._name = name
        self._series = {key: _series(some) for key, some in (points or {}).items()}

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
        new = _series(points)
        old = self._series.get(key)
        merged = new if old is None else _merged(old, new)
        return _made({**self._series, key: merged}, self._name)

    def points(self, key: str = "") -> tuple[LossPoint, ...]:
        """Return the points of a metric, oldest first; none for an unknown key."""
        columns = self._columns(key)
        return tuple(map(LossPoint, *(column.tolist() for column in columns)))

    def columns(self, key: str = "") -> tuple[Steps, Values]:
        """Return steps and values of a metric as two arrays; empty for an unknown key."""
        steps, _, values = self._columns(key)
        return steps, values

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
        return _end(self._columns("").values[::-1])

    @property
    def final(self) -> float:
        """Where the main metric stands: the end of its smoothed curve, NaN without any."""
        return _end(self._columns("").values)

    def decimated(self, key: str = "", *, bins: int = 700) -> tuple[Steps, Values]:
        """Return steps and values thinned for drawing.

        Of each of `bins` stretches the smallest and the largest value are kept, and one of its
        non-finite values if it has any; so are the first and the last point of all.
        """
        steps, values = self.columns(key)
        kept = extremes(values, bins)
        return steps[kept], values[kept]

    def frame(self) -> pd.DataFrame:
        """Return a DataFrame with `step`, `wall_time` and a column for each metric."""
        import pandas as pd

        steps, walls = self._timeline()
        columns: dict[str, npt.NDArray[np.int64] | Values] = {"step": steps, "wall_time": walls}
        for key, series in self._series.items():
            column = np.full(steps.size, np.nan)
            column[np.searchsorted(steps, series.steps)] = series.values
            columns[key] = column
        return pd.DataFrame(columns)

    def to_csv(self, path: str | Path) -> Path:
        """Write a table with `step`, `wall_time` and a column for each metric; return its path.

        A step at which a metric has no point leaves the field empty; a point without a number
        says `nan`. The file appears under its name only when it is whole.

        Raises:
            BadInput: the file cannot be written.
        """
        target = Path(path).expanduser()
        with replacing(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(self._rows())
        return target

    def __len__(self) -> int:
        return int(self._columns("").steps.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LossHistory):
            return NotImplemented
        return (
            self._name == other._name
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
        steps = self._columns("").steps
        return (
            f"<LossHistory {self._name!r} {self.main_key}: {len(self)} points, "
            f"steps {steps[0]} to {steps[-1]}, {self.start:.4g} → {self.final:.4g}>"
        )

    def _repr_html_(self) -> str:
        rows = []
        for key, series in self._series.items():
            if not series.steps.size:
                continue
            span = f"{series.steps[0]} to {series.steps[-1]}"
            ends = (float(series.values[0]), float(series.values[-1]), _end(series.values))
            rows.append((key, span, series.steps.size, *(f"{value:.4g}" for value in ends)))
        if not rows:
            return _html.note("no losses yet")
        headers = ("metric", "steps", "points", "first", "last", "smoothed")
        return _html.table(headers, rows, caption=self._name)

    def _columns(self, key: str) -> _Series:
        return self._series.get(key or self.main_key, _EMPTY)

    def _timeline(self) -> tuple[Steps, Values]:
        """Return all steps of all metrics, and the time of each."""
        if not self._series:
            return _EMPTY.steps, _EMPTY.walls
        every = list(self._series.values())
        steps, index = np.unique(np.concatenate([s.steps for s in every]), return_index=True)
        return steps, np.concatenate([s.walls for s in every])[index]

    def _rows(self) -> Iterable[Sequence[object]]:
        yield ("step", "wall_time", *self._series)
        by_step = [
            dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))
            for series in self._series.values()
        ]
        steps, walls = self._timeline()
        for step, wall in zip(steps.tolist(), walls.tolist(), strict=True):
            yield (step, wall, *(values.get(step, "") for values in by_step))


def fitting_weight(count: int) -> float:
    """Return the weight of the past that smooths `count` values well."""
    # Averages over about 20 values; over fewer in a short history, over more in a long one.
    return 1 - 1 / max(min(20.0, count / 5), count / 50, 1.0)


def smooth(values: Values, weight: float | None = None) -> Values:
    """Return `values` smoothed as `LossHistory.smoothed` tells.

    Raises:
        BadInput: `weight` is not between 0 (no smoothing) and 1 (exclusive).
    """
    if weight is None:
        weight = fitting_weight(values.size)
    if not 0 <= weight < 1:
        raise BadInput(f"The smoothing weight must be at least 0 and below 1, not {weight}.")
    result = []
    mean, left = 0.0, 1.0
    for value in values.tolist():
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            left *= weight
            result.append(mean / (1 - left))
        else:
            result.append(value)
    return np.array(result, dtype=np.float64)


def _end(values: Values) -> float:
    """Return the end of the smoothed finite values."""
    finite = values[np.isfinite(values)]
    return float(smooth(finite, fitting_weight(values.size))[-1]) if finite.size else math.nan


def _made(series: dict[str, _Series], name: str) -> LossHistory:
    history = LossHistory(name=name)
    history._series = series  # noqa: SLF001 - a second constructor
    return history


def _series(points: Iterable[LossPoint]) -> _Series:
    by_step = {point.step: point for point in points}
    ordered = [by_step[step] for step in sorted(by_step)]
    return _Series(
        _fixed(np.array([point.step for point in ordered], dtype=np.int64)),
        _fixed(np.array([point.wall_time for point in ordered], dtype=np.float64)),
        _fixed(np.array([point.value for point in ordered], dtype=np.float64)),
    )


def _merged(old: _Series, new: _Series) -> _Series:
    steps = np.concatenate([new.steps, old.steps])
    # The first of equal steps is taken, so the new ones stand in front.
    _, index = np.unique(steps, return_index=True)
    walls = np.concatenate([new.walls, old.walls])[index]
    values = np.concatenate([new.values, old.values])[index]
    return _Series(_fixed(steps[index]), _fixed(walls), _fixed(values))


def _fixed(array: _Array) -> _Array:
    array.flags.writeable = False
    return array


def extremes(values: Values, bins: int) -> npt.NDArray[np.intp]:
    """Return the positions of the values that `LossHistory.decimated` keeps."""
    if bins < 1:
        raise BadInput(f"The number of bins must be at least 1, not {bins}.")
    if values.size <= 2 * bins:
        return np.arange(values.size)
    width = -(-values.size // bins)
    padded = np.full(-(-values.size // width) * width, np.nan)
    padded[: values.size] = values
    rows = padded.reshape(-1, width)
    finite = np.isfinite(rows)
    low = np.where(finite, rows, np.inf).argmin(axis=1)
    high = np.where(finite, rows, -np.inf).argmax(axis=1)
    odd = finite.argmin(axis=1)
    starts = np.arange(rows.shape[0]) * width
    kept = np.concatenate([starts + low, starts + high, starts + odd, [0, values.size - 1]])
    # A row without odd values gives its first position, which is a harmless extra point.
    return np.unique(kept[kept < values.size])


_EMPTY = _series(())
