"""Whether a training still falls, has settled, or is lost, and how sure its end is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.losses.summary import LossSummary, summarize

NOISE = np.random.default_rng(5).normal(0, 0.1, 1000)
STEPS = np.arange(1, 1001)


def summary(steps: np.ndarray, values: np.ndarray) -> LossSummary:
    """Return the summary of a loss."""
    return summarize("loss/loss", steps, values)


def test_a_falling_and_a_settled_loss() -> None:
    """The line through the last third is held against the noise."""
    falling = summary(STEPS, np.linspace(2.0, 0.5, 1000) + NOISE)
    settled = summary(STEPS, 0.5 + 1.5 * np.exp(-STEPS / 50) + NOISE)
    rising = summary(STEPS, np.linspace(0.5, 1.5, 1000) + NOISE)
    assert [one.trend for one in (falling, settled, rising)] == ["falling", "flat", "rising"]
    assert falling.change == pytest.approx(-0.5, abs=0.1)
    assert rising.best_step < 200
    assert ", trend flat>" in repr(settled)
    assert "± " in settled._repr_html_()


def test_the_spread_is_what_other_noise_would_make_of_the_end() -> None:
    """Over many trainings that differ by noise only, two standard errors hold about 95 %."""
    rng = np.random.default_rng(1)
    ends = [summary(STEPS, 1 + rng.normal(0, 0.1, 1000)) for _ in range(300)]
    inside = sum(abs(one.end - 1) <= one.spread for one in ends) / len(ends)
    assert 0.9 <= inside <= 0.99


def test_a_loss_that_explodes_or_ends_in_nothing_has_diverged() -> None:
    """The step is where it began, and a single bad value is none."""
    values = 1 + NOISE
    nothing = np.where(STEPS >= 700, math.nan, values)
    exploded = np.where(STEPS >= 800, 50.0, values)
    single = np.where(STEPS == 500, math.inf, values)
    assert summary(STEPS, nothing).diverged_step == 700
    assert summary(STEPS, exploded).diverged_step == pytest.approx(800, abs=5)
    assert summary(STEPS, exploded).trend == "diverged"
    assert summary(STEPS, single).diverged_step is None


@given(st.lists(st.floats(), max_size=60))
def test_any_values_have_a_summary(values: list[float]) -> None:
    """However odd, and the shorter the less is said."""
    some = np.array([value if abs(value) < 1e150 else math.inf for value in values])
    found = summary(np.arange(len(values)), some)
    assert found.points == len(values)
    if np.isfinite(some).sum() < 20:
        assert found.trend in {"too short to tell", "diverged"}
        assert math.isnan(found.spread)
