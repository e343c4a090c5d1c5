"""`compare_jobs`: several jobs side by side, ranked only as far as the noise allows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aitk_nb import _html
from aitk_nb._table import Table
from aitk_nb.errors import BadInput
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.summary import LossSummary
from aitk_nb.training.config_diff import varying

_OTHER_LOSS = ("datasets.", "model.", "train.loss", "train.timestep", "train.noise", "train.weight")
_SHORT = ("config.", "train.", "network.", "model.")


@dataclass(frozen=True, slots=True)
class Run:
    """One job or history in a comparison."""

    name: str
    settings: tuple[str, ...]
    """Its values of the settings that differ, in the order of the report's `settings`."""
    result: LossSummary
    speed: float
    """Steps per second, from the times of its losses; NaN if unknown."""
    checkpoint: int | None
    """The saved step at which the smoothed loss was lowest; None if unknown."""
    rank: tuple[int, int] | None
    """The best and the worst place it may have; None if the runs are not ranked."""


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """Jobs side by side, from `compare_jobs`.

    Example:
        >>> report = aitk_nb.compare_jobs([job, job])
        >>> [run.result.points for run in report.runs]
        [19, 19]
    """

    settings: tuple[str, ...]
    """The settings that differ."""
    runs: tuple[Run, ...]
    """In the order in which they were given."""
    histories: tuple[LossHistory, ...]
    """Their losses, for `plot_loss`."""
    verdict: str
    """The result in one sentence."""

    @property
    def table(self) -> Table:
        """The runs as rows, with their speed."""
        return self._table("steps/s")

    def _table(self, *speed: str) -> Table:
        # Without the speed it repeats: what a notebook stores is compared.
        names = map(_shortened, self.settings)
        headers = ("run", *names, "end loss", "trend", *speed, "best checkpoint", "place")
        return Table(headers, tuple(_row(run, with_speed=bool(speed)) for run in self.runs))

    def __repr__(self) -> str:
        return f"{self._table()!r}\n{self.verdict}"

    def as_dict(self) -> dict[str, Any]:
        """Return what repeats when the jobs are run again, ready for JSON: no speed."""
        return {
            "verdict": self.verdict,
            "runs": [
                {
                    "name": run.name,
                    "settings": dict(zip(self.settings, run.settings, strict=True)),
                    "loss": _figure(run.result.end),
                    "spread": _figure(run.result.spread),
                    "trend": run.result.trend,
                    "checkpoint": run.checkpoint,
                    "place": list(run.rank) if run.rank else None,
                }
                for run in self.runs
            ],
        }

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        page = _html.join([self._table()._repr_html_(), _html.note(self.verdict)])
        return _html.bundle(repr(self), page, comparison=self.as_dict())


def compare_jobs(runs: Iterable[Job | LossHistory]) -> ComparisonReport:
    """Compare jobs or loss histories: what differs, where they ended, and which is ahead.

    One run is ranked before another only if their smoothed ends differ by more than twice the
    standard error of the difference. Runs on different data or with a different kind of loss are
    not ranked, as their losses do not measure the same.

    Args:
        runs: At least two jobs or histories.

    Returns:
        The settings that differ, a row for each run, and the result in a sentence.

    Raises:
        BadInput: There are fewer than two.

    Example:
        >>> other = client.jobs.start(job.params(name="cat_rank_8", rank=8))
        >>> other.wait(every=0.2).step
        20
        >>> aitk_nb.compare_jobs([job, other]).settings
        ('network.linear', 'network.linear_alpha')
    """
    given = list(runs)
    if len(given) < 2:
        raise BadInput("A comparison requires at least two runs.")
    histories = [one.losses() if isinstance(one, Job) else one for one in given]
    configs = [one.state.config if isinstance(one, Job) else {} for one in given]
    # A history out of a file has no settings to compare.
    differing = varying(configs) if all(configs) else {}
    results = [history.summary() for history in histories]
    names = [one.name or f"history {number}" for number, one in enumerate(given, 1)]
    why_not = [path for path in differing if path.startswith(_OTHER_LOSS)]
    places = [None] * len(given) if why_not else _places(results)
    return ComparisonReport(
        settings=tuple(differing),
        runs=tuple(
            Run(
                names[at],
                tuple(values[at] for values in differing.values()),
                results[at],
                _speed(histories[at]),
                _checkpoint(one, histories[at]),
                places[at],
            )
            for at, one in enumerate(given)
        ),
        histories=tuple(histories),
        verdict=_verdict(names, places, why_not),
    )


def _places(results: Sequence[LossSummary]) -> list[tuple[int, int] | None]:
    """Return the best and the worst place of each run."""
    count = len(results)
    return [
        (
            1 + sum(_ahead(other, one) for other in results),
            count - sum(_ahead(one, other) for other in results),
        )
        for one in results
    ]


def _ahead(one: LossSummary, other: LossSummary) -> bool:
    """Return whether the end of one is below that of the other by more than noise."""
    if one is other or one.trend == "diverged":
        return False
    if other.trend == "diverged":
        return True
    noise = math.hypot(one.spread, other.spread)
    # Without a spread nothing is known of the noise, and no difference is larger.
    return other.end - one.end > noise


def _verdict(
    names: Sequence[str], places: Sequence[tuple[int, int] | None], why_not: Sequence[str]
) -> str:
    if why_not:
        return (
            f"Not ranked: the runs differ in {', '.join(map(_shortened, why_not))}, so their "
            "losses are not comparable."
        )
    first = [name for name, place in zip(names, places, strict=True) if place and place[0] == 1]
    if len(first) == 1:
        return f"{first[0]} ends lower than all others, by more than the noise."
    return (
        f"No run is clearly the lowest: {', '.join(first)} end within the noise of each other. "
        "Compare their samples, or train longer."
    )


def _speed(history: LossHistory) -> float:
    gaps = np.diff(history.wall_times()) / np.maximum(np.diff(history.columns()[0]), 1)
    usual = float(np.median(gaps)) if gaps.size else 0.0
    return 1 / usual if usual > 0 else math.nan


def _checkpoint(run: Job | LossHistory, history: LossHistory) -> int | None:
    if not isinstance(run, Job):
        return None
    steps, curve = history.columns()[0], history.smoothed()
    best: tuple[float, int] | None = None
    for step in run.checkpoints():
        at = int(np.searchsorted(steps, step, side="right")) - 1
        if at >= 0 and math.isfinite(value := float(curve[at])):
            best = min(best or (value, step), (value, step))
    return best[1] if best else None


def _row(run: Run, *, with_speed: bool) -> tuple[object, ...]:
    spread = f" ± {run.result.spread:.2g}" if math.isfinite(run.result.spread) else ""
    first, last = run.rank or (0, 0)
    place = "not ranked" if not first else str(first) if first == last else f"{first} to {last}"
    speed = [f"{run.speed:.3g}" if math.isfinite(run.speed) else "unknown"] * with_speed
    saved = "none" if run.checkpoint is None else f"step {run.checkpoint}"
    end = f"{run.result.end:.4g}{spread}"
    return (run.name, *run.settings, end, run.result.trend, *speed, saved, place)


def _shortened(path: str) -> str:
    for prefix in _SHORT:
        path = path.removeprefix(prefix)
    return path


def _figure(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
