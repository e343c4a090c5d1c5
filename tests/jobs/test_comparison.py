"""Runs are ranked by what their losses can tell apart, and not otherwise."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from aitk_nb.errors import BadInput
from aitk_nb.jobs.comparison import ComparisonReport, compare_jobs
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobStatus
from aitk_nb.models.loss import LossColumns, LossPoint
from tests.scripted import PARAMS, ScriptedBackend, there


def history(level: float, name: str, seed: int = 0, count: int = 500) -> LossHistory:
    """Return noise about a level, two steps a second."""
    steps = np.arange(1, count + 1)
    values = level + np.random.default_rng(seed).normal(0, 0.05, count)
    walls = (1.7e9 + steps / 2).tolist()
    return LossHistory({"loss/loss": LossColumns(steps.tolist(), walls, values.tolist())}, name)


def places(comparison: ComparisonReport) -> list[Any]:
    """Return the place of each run."""
    return [run.rank for run in comparison.runs]


def test_what_is_clearly_apart_is_ranked() -> None:
    """In any order, each with a single place."""
    three = compare_jobs([history(0.5, "b"), history(0.2, "a", 1), history(0.9, "c", 2)])
    assert places(three) == [(2, 2), (1, 1), (3, 3)]
    assert three.verdict == "a ends lower than all others, by more than the noise."
    assert "0.2" in repr(three)
    assert all(run.speed == pytest.approx(2.0) for run in three.runs)


def test_what_is_within_the_noise_is_not_ranked() -> None:
    """The two ends share their places; the third is still behind."""
    three = compare_jobs([history(0.5, "b"), history(0.502, "a", 1), history(0.9, "c", 2)])
    assert places(three) == [(1, 2), (1, 2), (3, 3)]
    assert three.verdict.startswith("No run is clearly the lowest: b, a end within the noise")


def test_equal_runs_are_hardly_ever_ranked() -> None:
    """Of 100 pairs that differ by noise only, few are."""
    ranked = 0
    for seed in range(100):
        pair = compare_jobs([history(0.5, "a", 2 * seed), history(0.5, "b", 2 * seed + 1)])
        ranked += places(pair) != [(1, 2), (1, 2)]
    assert ranked <= 12


def test_short_and_diverged_runs() -> None:
    """Ten points tell nothing of the noise; what ends without a number has no place."""
    short = compare_jobs([history(0.5, "a", count=10), history(0.1, "b", count=10)])
    assert places(short) == [(1, 2), (1, 2)]
    lost = history(0.1, "c").extended(
        "loss/loss", [LossPoint(step, 1.8e9, math.nan) for step in range(501, 510)]
    )
    two = compare_jobs([history(0.5, "a"), lost])
    assert places(two) == [(1, 1), None]
    assert two.verdict == "Only a can be ranked. Left out: c (diverged at step 501)."
    with pytest.raises(BadInput, match="at least two"):
        compare_jobs([short.histories[0]])


def job(level: float, name: str, **changes: Any) -> Job:
    """Return a finished job with losses and two checkpoints."""
    backend = ScriptedBackend()
    params = PARAMS.model_copy(update={"name": name} | changes)
    backend.losses["loss/loss"] = history(level, name).points()
    backend.files = {f"{name}_000000250.safetensors": b"x", f"{name}.safetensors": b"x"}
    return Job(backend, there(backend, params, status=JobStatus.COMPLETED, step=500))


def test_jobs_show_the_settings_that_differ() -> None:
    """And only these, with their best checkpoint; machines read it without the speed."""
    two = compare_jobs(
        [job(0.5, "slow", learning_rate=1e-5), job(0.2, "quick", learning_rate=1e-3)]
    )
    assert two.settings == ("train.lr",)
    assert [run.settings for run in two.runs] == [("1e-05",), ("0.001",)]
    assert all(run.checkpoint in {250, 500} for run in two.runs)
    assert two.table.headers[1] == "lr"
    machine = json.loads(
        json.dumps(two._repr_mimebundle_()["application/vnd.aitk.comparison+json"])
    )
    assert [run["place"] for run in machine["runs"]] == [[2, 2], [1, 1]]
    assert "<table" in two._repr_mimebundle_()["text/html"]


def test_runs_on_other_data_are_not_ranked() -> None:
    """Their losses do not measure the same."""
    two = compare_jobs([job(0.5, "cats"), job(0.2, "dogs", dataset="dogs")])
    assert places(two) == [None, None]
    assert two.verdict.startswith("Not ranked: the runs differ in datasets")


def lost(name: str) -> LossHistory:
    """Return a history as the trainer writes it from the step on at which its loss is NaN."""
    zeros = [LossPoint(step, 1.8e9 + step, 0.0) for step in range(61, 501)]
    return history(0.4, name, count=60).extended("loss/loss", zeros)


def test_a_loss_of_zeros_is_no_low_loss() -> None:
    """It has no place and no end, and is named with the step."""
    three = compare_jobs([lost("nan"), history(0.5, "b"), history(0.2, "a", 1)])
    assert places(three) == [None, (2, 2), (1, 1)]
    assert three.verdict == (
        "a ends lower than all others, by more than the noise. Left out: nan (diverged at step 61)."
    )
    assert "nan  diverged at step 61  diverged" in repr(three)
    told = three.as_dict()["runs"][0]
    assert (told["loss"], told["place"], told["why_not"]) == (None, None, "diverged at step 61")


def test_runs_without_losses_have_no_place() -> None:
    """Each is named with its state."""
    backend = ScriptedBackend()
    fresh = Job(backend, there(backend, PARAMS, never_started=True))
    params = PARAMS.model_copy(update={"name": "dog"})
    queued = Job(backend, there(backend, params, status=JobStatus.QUEUED))
    empty = LossHistory(name="empty")
    none = compare_jobs([fresh, queued, empty])
    assert places(none) == [None] * 3
    assert none.verdict == (
        "Nothing to compare: cat (never started), dog (no losses, queued), empty (no losses)."
    )
    assert compare_jobs([LossHistory(), LossHistory()]).verdict == (
        "Nothing to compare: history 1 (no losses), history 2 (no losses)."
    )
    one = compare_jobs([empty, history(0.5, "a"), fresh])
    assert places(one) == [None, (1, 1), None]
    assert one.verdict == (
        "Only a can be ranked. Left out: empty (no losses), cat (never started)."
    )
    assert "nan" not in repr(one)


def test_the_best_checkpoint_is_none_of_a_lost_loss() -> None:
    """What was saved after the loss was lost counts for nothing; a lonely zero is no matter."""
    backend = ScriptedBackend()
    run = Job(backend, there(backend, status=JobStatus.COMPLETED, step=500))
    backend.losses["loss/loss"] = lost("cat").points()
    backend.files = {"cat_000000050.safetensors": b"x", "cat_000000250.safetensors": b"x"}
    assert compare_jobs([run, run]).runs[0].checkpoint == 50
    assert run.summary().loss is None
    assert "loss diverged at step 61" in repr(run.summary())
    assert run.summary().as_dict()["diverged_step"] == 61
    backend.losses["loss/loss"] = tuple(
        point._replace(value=0.0) if point.step == 250 else point
        for point in history(0.5, "cat").points()
    )
    assert compare_jobs([run, run]).runs[0].checkpoint in {50, 250}
    assert "diverged_step" not in run.summary().as_dict()
