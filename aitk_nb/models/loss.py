"""Logged values of a job, as the server returns them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload


class LossPoint(NamedTuple):
    """One logged value."""

    step: int
    wall_time: float
    """Seconds since 1970, by the server's clock."""
    value: float
    """NaN where the server has no number."""

    @classmethod
    def logged(cls, step: int, wall_time: float | None, value: float | str | None) -> LossPoint:
        """Return a row of a trainer's log, where a value may be text, or missing.

        Args:
            step: Completed steps.
            wall_time: Seconds since 1970; None becomes 0.
            value: The logged value; None and text that is not a number become NaN.
        """
        try:
            number = math.nan if value is None else float(value)
        except (TypeError, ValueError):
            number = math.nan
        return cls(int(step), float(wall_time or 0.0), number)


@dataclass(frozen=True, slots=True, eq=False)
class LossColumns(Sequence[LossPoint]):
    """Many points as three columns of one length; points are made only when they are used."""

    steps: Sequence[int]
    wall_times: Sequence[float]
    values: Sequence[float]

    @classmethod
    def of(cls, points: Iterable[LossPoint]) -> LossColumns:
        """Return `points` as columns."""
        if isinstance(points, cls):
            return points
        return cls(*(tuple(zip(*points, strict=True)) or ((), (), ())))

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> LossPoint: ...
    @overload
    def __getitem__(self, index: slice) -> LossColumns: ...
    def __getitem__(self, index: int | slice) -> LossPoint | LossColumns:
        if isinstance(index, slice):
            return LossColumns(self.steps[index], self.wall_times[index], self.values[index])
        return LossPoint(self.steps[index], self.wall_times[index], self.values[index])

    def __iter__(self) -> Iterator[LossPoint]:
        return map(LossPoint, self.steps, self.wall_times, self.values)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which are not hashable


@dataclass(frozen=True, slots=True)
class LossPage:
    """Some points of one metric by step, and the names of all metrics."""

    key: str
    keys: tuple[str, ...]
    points: Sequence[LossPoint]
