"""`LossHistory` keeps, merges, smooths and writes losses."""

from __future__ import annotations

import csv
import importlib.util
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.errors import BadInput, MissingExtra
from aitk_nb.losses.history import LossHistory
from aitk_nb.losses.series import extremes
from aitk_nb.losses.smoothing import default_smoothing
from aitk_nb.models.loss import LossPoint

VALUES = st.floats(allow_nan=True, allow_infinity=True).filter(bool)
NINE = [LossPoint(4, 1e9 + 4, 9.0)]
POINTS = st.lists(st.builds(LossPoint, st.integers(0, 50), st.floats(0, 2e9), VALUES), max_size=40)


def history(*values: float, key: str = "loss/loss", name: str = "cat") -> LossHistory:
    """Return a history of `values` from step 1 on."""
    points = [LossPoint(step, 1e9 + step, value) for step, value in enumerate(values, 1)]
    return LossHistory({key: points}, name)


def thinned(values: list[float], bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and values that are kept for drawing."""
    steps, whole = history(*values).columns()
    kept = extremes(whole, bins)
    return steps[kept], whole[kept]


@given(POINTS, POINTS)
def test_extending_twice_is_harmless(first: list[LossPoint], second: list[LossPoint]) -> None:
    """Each step is there once, in order, with the value that came last; again changes nothing."""
    once = LossHistory({"loss/loss": first}).extended("loss/loss", second)
    expected = {point.step: point.value for point in (*first, *second)}
    steps, values = once.columns()
    assert steps.tolist() == sorted(expected)
    assert np.array_equal(values, [expected[step] for step in sorted(expected)], equal_nan=True)
    assert once.extended("loss/loss", second) == once


def test_a_history_never_changes() -> None:
    """Extending makes a new one, and its arrays refuse writing."""
    old = history(1.0, 2.0)
    new = old.extended("loss/loss", [LossPoint(3, 0.0, 3.0)]).extended("val/loss", [])
    assert (len(old), len(new), new.keys) == (2, 3, ("loss/loss", "val/loss"))
    with pytest.raises(ValueError, match="read-only"):
        old.columns()[1][0] = 5
    assert pickle.loads(pickle.dumps(new)) == new
    assert history(1.0) != history(1.0, name="dog")


@pytest.mark.parametrize(
    ("keys", "main"),
    [
        (("learning_rate", "loss/img", "loss/loss"), "loss/loss"),
        (("learning_rate", "loss/img", "loss/audio"), "loss/img"),
        (("learning_rate", "val"), "val"),
        # Of models that generate text or music.
        (("learning_rate", "loss/ce", "loss/loss"), "loss/loss"),
        (("learning_rate", "loss/ar_ce", "loss/ar_kl", "val/loss"), "loss/ar_ce"),
        (("learning_rate",), "loss/loss"),
        ((), "loss/loss"),
    ],
)
def test_main_key(keys: tuple[str, ...], main: str) -> None:
    """The loss itself goes before parts of it, and those before anything else."""
    assert LossHistory(dict.fromkeys(keys, ())).main_key == main


def test_smoothing_is_the_debiased_average() -> None:
    """It agrees with the formula, and odd values stay where they are without an effect."""
    expected = []
    mean = 0.0
    for count, value in enumerate((4.0, 2.0, 3.0), 1):
        mean = 0.6 * mean + 0.4 * value
        expected.append(mean / (1 - 0.6**count))
    plain = history(4.0, 2.0, 3.0).smoothed(smoothing=0.6)
    odd = history(math.nan, 4.0, math.inf, 2.0, 3.0).smoothed(smoothing=0.6)
    assert plain == pytest.approx(expected)
    assert odd[[1, 3, 4]] == pytest.approx(expected)
    assert math.isnan(odd[0])
    assert odd[2] == math.inf


@given(st.lists(st.floats(-1e6, 1e6).filter(bool), min_size=1, max_size=60), st.floats(0, 0.999))
def test_smoothed_values_stay_between_the_extremes(values: list[float], weight: float) -> None:
    """An average is never outside of what it averages."""
    smoothed = history(*values).smoothed(smoothing=weight)
    slack = 1e-6 * (1 + max(map(abs, values)))
    assert smoothed.min() >= min(values) - slack
    assert smoothed.max() <= max(values) + slack


@pytest.mark.parametrize("weight", [-0.1, 1.0, math.nan])
def test_a_smoothing_out_of_range_is_refused(weight: float) -> None:
    """The message says what is possible."""
    with pytest.raises(BadInput, match="at least 0 and below 1"):
        history(1.0).smoothed(smoothing=weight)


def test_the_weight_fits_the_length() -> None:
    """Short histories are smoothed less, long ones more."""
    assert [round(default_smoothing(n), 4) for n in (0, 1, 50, 100, 1000, 10_000)] == [
        *(0.0, 0.0, 0.9, 0.95, 0.95, 0.995),
    ]


def test_ends() -> None:
    """`first` and `last` are as logged; the summary's ends are averages and skip odd values."""
    noise = np.random.default_rng(0).normal(0, 0.1, 1000)
    falling = history(*(np.linspace(1.0, 0.2, 1000) + noise), math.nan)
    assert falling.summary().start == pytest.approx(1.0, abs=0.1)
    assert falling.summary().end == pytest.approx(0.2, abs=0.1)
    assert math.isnan(falling.last)
    empty, none = LossHistory(), LossHistory().summary()
    assert all(math.isnan(end) for end in (empty.first, empty.last, none.start, none.end))
    assert (str(none), repr(none)) == ("no losses", "<LossSummary no losses>")


@given(st.lists(VALUES, max_size=300), st.integers(1, 40))
def test_decimation_keeps_the_extremes(values: list[float], bins: int) -> None:
    """The smallest, the largest, the first and the last value survive, in order, and few others."""
    steps, kept = thinned(values, bins)
    finite = [value for value in values if math.isfinite(value)]
    assert steps.size <= max(2 * bins, 3 * bins + 2)
    assert np.all(np.diff(steps) > 0)
    assert np.array_equal(kept, np.array(values, dtype=float)[steps - 1], equal_nan=True)
    if finite:
        assert {min(finite), max(finite)} <= set(kept.tolist())
    if len(finite) < len(values):
        assert not np.isfinite(kept).all()
    if values:
        assert (steps[0], steps[-1]) == (1, len(values))


def test_frame_has_a_column_for_each_metric() -> None:
    """Steps of all metrics are joined; what a metric lacks is NaN."""
    both = history(1.0, 2.0).extended("val/loss", [LossPoint(2, 7.0, 5.0), LossPoint(4, 8.0, 6.0)])
    frame = both.frame()
    assert list(frame.columns) == ["step", "wall_time", "segment", "loss/loss", "val/loss"]
    assert frame["step"].tolist() == [1, 2, 4]
    assert frame["wall_time"].tolist() == [1e9 + 1, 1e9 + 2, 8.0]
    assert frame["val/loss"].fillna(-1).tolist() == [-1, 5.0, 6.0]
    assert list(LossHistory().frame().columns) == ["step", "wall_time", "segment"]


@given(POINTS, POINTS)
def test_csv_and_frame_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, first: list[LossPoint], second: list[LossPoint]
) -> None:
    """Reading the CSV gives the frame back, to the last digit."""
    whole = LossHistory({"loss/loss": first, 'odd,"key"': second})
    path = whole.to_csv(tmp_path_factory.mktemp("csv") / "losses.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    read = np.array([[float(cell or "nan") for cell in row] for row in rows]).reshape(-1, 5)
    frame = whole.frame()
    assert header == list(frame.columns)
    assert np.array_equal(read, frame.to_numpy(float), equal_nan=True)


def test_csv_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Folders are made, nothing else is left beside the file, and a bad place is one sentence."""
    path = history(1.0, math.nan).to_csv(tmp_path / "deep" / "losses.csv")
    assert path.read_text() == (
        "step,wall_time,segment,loss/loss\n1,1000000001.0,0,1.0\n2,1000000002.0,0,nan\n"
    )
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(BadInput, match="can't be written"):
        history(1.0).to_csv(path / "below_a_file.csv")


def test_it_shows_itself() -> None:
    """One plain line, and a small table that escapes what the server called things."""
    assert repr(history(1.0, 1.0)) == (
        "<LossHistory 'cat' loss/loss: 2 points, steps 1 to 2, 1 → 1>"
    )
    assert repr(LossHistory()) == "<LossHistory '' empty>"
    shown = history(1.0, key="<b>", name="<i>")._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<i>" not in shown
    assert "no losses" in LossHistory({"loss/loss": ()})._repr_html_()


@given(st.lists(VALUES, min_size=1, max_size=300), st.integers(1, 40))
def test_each_bin_keeps_its_extremes(values: list[float], bins: int) -> None:
    """Not only the extremes of all: of every stretch the smallest and the largest survive."""
    steps, kept = thinned(values, bins)
    width = -(-len(values) // bins) if len(values) > 2 * bins else 1
    there = set(zip(steps.tolist(), kept.tolist(), strict=True))
    for start in range(0, len(values), width):
        stretch = values[start : start + width]
        finite = [value for value in stretch if math.isfinite(value)]
        for extreme in {min(finite), max(finite)} if finite else ():
            first = start + stretch.index(extreme) + 1
            assert (first, extreme) in there


@given(st.lists(VALUES, max_size=200), st.floats(0, 0.999))
def test_smoothing_in_blocks_is_the_plain_loop(values: list[float], weight: float) -> None:
    """The definition step by step gives the same, whatever the length."""
    mean, left = 0.0, 1.0
    expected = []
    small = [value if abs(value) < 1e100 else math.nan for value in values]
    for value in small:
        if math.isfinite(value):
            mean, left = weight * mean + (1 - weight) * value, left * weight
        expected.append(mean / (1 - left) if math.isfinite(value) else value)
    scale = max((abs(value) for value in small if math.isfinite(value)), default=0.0)
    smoothed = history(*small).smoothed(smoothing=weight)
    assert smoothed == pytest.approx(expected, rel=1e-9, abs=1e-9 * scale, nan_ok=True)


def test_a_restarted_history_has_segments() -> None:
    """Training began again at step 3: what came after is gone, and the place is known."""
    again = history(*range(1, 7)).extended("loss/loss", NINE, restart_after=3)
    assert again.restarts == (3,)
    assert again.frame()["segment"].tolist() == [0, 0, 0, 1]
    assert again != history(1.0, 2.0, 3.0).extended("loss/loss", NINE)
    assert pickle.loads(pickle.dumps(again)) == again
    assert again.extended("loss/loss", [], restart_after=0).restarts == ()
    assert LossHistory().restarts == ()


def test_rows_as_a_database_has_them_go_on_where_the_history_ends() -> None:
    """In any order and of any metric; what is text is no number, and twice is harmless."""
    rows = [(2, 7.0, "loss/loss", 0.5), (1, 6.0, "loss/loss", 0.6), (2, 7.0, "note", "warm-up")]
    once = LossHistory(name="cat").with_rows(rows)
    again = once.with_rows([*rows, (3, None, "loss/loss", None), (3, 8.0, "learning_rate", 1e-4)])
    assert [(1, 6.0, 0.6), (2, 7.0, 0.5)] == list(once.points())
    assert ("loss/loss", "note", "learning_rate") == again.keys
    assert math.isnan(again.points("note")[0].value)
    assert math.isnan(again.last)
    assert once.with_rows([]) == once == once.with_rows(rows)


def test_a_long_pause_is_a_restart_unless_it_is_for_samples() -> None:
    """Ten minutes between two points tell of one; those every 10 steps do not."""
    walls = [float(step) + 600 * (step > 10) + 660 * (step > 20) for step in range(1, 31)]
    points = [LossPoint(step, wall, 1.0) for step, wall in enumerate(walls, 1)]
    assert LossHistory({"loss/loss": points}).restarts == (10, 20)
    assert LossHistory({"loss/loss": points}, sampling=10).restarts == ()
    assert LossHistory({"loss/loss": points}, sampling=20).restarts == (10,)


def test_parquet_needs_pyarrow(tmp_path: Path) -> None:
    """Where it is missing, the message says how to get it; where it is, the table comes back."""
    path = tmp_path / "losses.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(MissingExtra, match="pip install pyarrow"):
            history(1.0).to_parquet(path)
    else:
        import pandas as pd

        whole = history(1.0, math.nan, math.inf)
        assert pd.read_parquet(whole.to_parquet(path)).equals(whole.frame())
