"""Whether a training still falls, has settled, or is lost, and how sure its end is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.losses.convergence import convergence
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossPoint

NOISE = np.random.default_rng(5).normal(0, 0.1, 1000)
STEPS = np.arange(1, 1001)


def test_a_falling_and_a_settled_loss() -> None:
    """The line through the last third is held against the noise."""
    falling = convergence(STEPS, np.linspace(2.0, 0.5, 1000) + NOISE)
    settled = convergence(STEPS, 0.5 + 1.5 * np.exp(-STEPS / 50) + NOISE)
    rising = convergence(STEPS, np.linspace(0.5, 1.5, 1000) + NOISE)
    assert [one.trend for one in (falling, settled, rising)] == ["falling", "flat", "rising"]
    assert falling.change == pytest.approx(-0.5, abs=0.1)
    assert rising.best_step < 200
    assert repr(settled).startswith("<flat, end 0.")
    assert "± " in settled._repr_html_()


def test_the_spread_is_what_other_noise_would_make_of_the_end() -> None:
    """Over many trainings that differ by noise only, two standard errors hold about 95 %."""
    rng = np.random.default_rng(1)
    ends = [convergence(STEPS, 1 + rng.normal(0, 0.1, 1000)) for _ in range(300)]
    inside = sum(abs(one.end - 1) <= one.spread for one in ends) / len(ends)
    assert 0.9 <= inside <= 0.99


def test_a_loss_that_explodes_or_ends_in_nothing_has_diverged() -> None:
    """The step is where it began, and a single bad value is none."""
    values = 1 + NOISE
    nothing = np.where(STEPS >= 700, math.nan, values)
    exploded = np.where(STEPS >= 800, 50.0, values)
    single = np.where(STEPS == 500, math.inf, values)
    assert convergence(STEPS, nothing).diverged_step == 700
    assert convergence(STEPS, exploded).diverged_step == pytest.approx(800, abs=5)
    assert convergence(STEPS, exploded).trend == "diverged"
    assert convergence(STEPS, single).diverged_step is None


@given(st.lists(st.floats(), max_size=60))
def test_any_values_have_a_summary(values: list[float]) -> None:
    """However odd, and the shorter the less is said."""
    some = np.array([value if abs(value) < 1e150 else math.inf for value in values])
    summary = convergence(np.arange(len(values)), some)
    assert summary.points == len(values)
    if np.isfinite(some).sum() < 20:
        assert summary.trend in {"too short to tell", "diverged"}
        assert math.isnan(summary.spread)


def test_the_rolling_median_ignores_a_spike() -> None:
    """Its quartiles are about it, and what is no number does not count."""
    values = [1.0, 2.0, 3.0] * 50
    values[70], values[71] = 1e9, math.nan
    history = LossHistory({"loss/loss": [LossPoint(n, 0.0, v) for n, v in enumerate(values)]})
    median, low, high = history.rolling_median(window=9)
    assert median.max() <= 2.5
    assert np.all((low <= median) & (median <= high))
