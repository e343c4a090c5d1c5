"""`compare_jobs`: several jobs side by side, ranked only as far as the noise allows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb.errors import BadInput
from aitk_nb.jobs.job import Job
from aitk_nb.losses import LossHistory, LossSummary
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
    """The best and the worst place it may have; None if it is not ranked."""
    why_not: str = ""
    """Why this run has no place: it has no losses, or they diverged."""


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
                    **({"why_not": run.why_not} if run.why_not else {}),
                }
                for run in self.runs
            ],
        }

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        page = html.join([self._table()._repr_html_(), html.note(self.verdict)])
        return html.bundle(repr(self), page, comparison=self.as_dict())


def compare_jobs(runs: Iterable[Job | LossHistory]) -> ComparisonReport:
    """Compare jobs or loss histories: what differs, where they ended, and which is ahead.

    One run is ranked before another only if their smoothed ends differ by more than twice the
    standard error of the difference. Runs on different data or with a different kind of loss are
    not ranked, as their losses do not measure the same; nor are runs without losses, and runs whose
    loss diverged.

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
    states = [_without_end(one, result) for one, result in zip(given, results, strict=True)]
    rated = [] if why_not else [at for at, state in enumerate(states) if not state]
    places = dict(zip(rated, _places([results[at] for at in rated]), strict=True))
    return ComparisonReport(
        settings=tuple(differing),
        runs=tuple(
            Run(
                names[at],
                tuple(values[at] for values in differing.values()),
                results[at],
                _speed(histories[at]),
                _checkpoint(one, histories[at]),
                places.get(at),
                states[at],
            )
            for at, one in enumerate(given)
        ),
        histories=tuple(histories),
        verdict=_verdict(names, places, why_not, states),
    )


def _without_end(run: Job | LossHistory, result: LossSummary) -> str:
    """Return why a run has no place, whatever the others are; empty if it may have one."""
    if result.diverged_step is not None:
        return result.outcome
    if math.isfinite(result.end):
        return ""
    if not isinstance(run, Job):
        return "no losses"
    return "never started" if run.state.never_started else f"no losses, {run.state.status.value}"


def _places(results: Sequence[LossSummary]) -> list[tuple[int, int]]:
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
    # Without a spread nothing is known of the noise, and no difference is larger.
    return one is not other and other.end - one.end > math.hypot(one.spread, other.spread)


def _verdict(
    names: Sequence[str],
    places: Mapping[int, tuple[int, int]],
    why_not: Sequence[str],
    states: Sequence[str],
) -> str:
    left_out = [f"{name} ({state})" for name, state in zip(names, states, strict=True) if state]
    first = [names[at] for at, (best, _) in places.items() if best == 1]
    if len(left_out) == len(names):
        return f"Nothing to compare: {', '.join(left_out)}."
    if why_not:
        text = (
            f"Not ranked: the runs differ in {', '.join(map(_shortened, why_not))}, so their "
            "losses are not comparable."
        )
    elif len(places) == 1:
        text = f"Only {first[0]} can be ranked."
    elif len(first) == 1:
        text = f"{first[0]} ends lower than all others, by more than the noise."
    else:
        text = (
            f"No run is clearly the lowest: {', '.join(first)} end within the noise of each other. "
            "Compare their samples, or train longer."
        )
    return f"{text} Left out: {', '.join(left_out)}." if left_out else text


def _speed(history: LossHistory) -> float:
    gaps = np.diff(history.wall_times()) / np.maximum(np.diff(history.columns()[0]), 1)
    usual = float(np.median(gaps)) if gaps.size else 0.0
    return 1 / usual if usual > 0 else math.nan


def _checkpoint(run: Job | LossHistory, history: LossHistory) -> int | None:
    if not isinstance(run, Job):
        return None
    curve, lost = history.smoothed(), history.summary().diverged_step
    known = np.isfinite(curve)
    steps, curve = history.columns()[0][known], curve[known]
    best: tuple[float, int] | None = None
    for step in run.checkpoints():
        at = int(np.searchsorted(steps, step, side="right")) - 1
        if at >= 0 and (lost is None or step < lost):
            best = min(best or (np.inf, step), (float(curve[at]), step))
    return best[1] if best else None


def _row(run: Run, *, with_speed: bool) -> tuple[object, ...]:
    spread = f" ± {run.result.spread:.2g}" if math.isfinite(run.result.spread) else ""
    first, last = run.rank or (0, 0)
    place = str(first) if first == last else f"{first} to {last}"
    if not first:
        place = "not ranked"
    speed = [f"{run.speed:.3g}" if math.isfinite(run.speed) else "unknown"] * with_speed
    saved = "none" if run.checkpoint is None else f"step {run.checkpoint}"
    end = run.why_not or f"{run.result.end:.4g}{spread}"
    return (run.name, *run.settings, end, run.result.trend, *speed, saved, place)


def _shortened(path: str) -> str:
    for prefix in _SHORT:
        path = path.removeprefix(prefix)
    return path


def _figure(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
