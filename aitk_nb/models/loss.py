"""Logged values of a job, as the server hands them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:
    pass

__all__ = ["LossColumns", "LossPage", "LossPoint"]


class LossPoint(NamedTuple):
    """One logged value."""

    step: int
    wall_time: float
    """Seconds since 1970, by the server's clock."""
    value: float
    """NaN where the server has no number."""


class LossColumns(Sequence[LossPoint]):
    """Many points as three columns, which become points only when they are looked at."""

    __slots__ = ("steps", "values", "walls")

    def __init__(
        self, steps: Sequence[int], walls: Sequence[float], values: Sequence[float]
    ) -> None:
        """Take columns of one length."""
        self.steps = steps
        self.walls = walls
        self.values = values

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
            return LossColumns(self.steps[index], self.walls[index], self.values[index])
        return LossPoint(self.steps[index], self.walls[index], self.values[index])

    def __iter__(self) -> Iterator[LossPoint]:
        return map(LossPoint, self.steps, self.walls, self.values)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none


@dataclass(frozen=True, slots=True)
class LossPage:
    """Some points of one metric, oldest first, and the names of all metrics."""

    key: str
    keys: tuple[str, ...]
    points: Sequence[LossPoint]
