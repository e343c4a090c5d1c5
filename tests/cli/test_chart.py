"""The chart and the screen of a job that is watched in a terminal."""

from __future__ import annotations

import io
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aitk_nb.cli.app import plain
from aitk_nb.cli.chart import chart
from aitk_nb.cli.live import LiveView
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.watcher import Update, Watcher
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.loss import LossPoint


def history(*values: float) -> LossHistory:
    """Return a history of `values` from step 1 on."""
    points = [LossPoint(step, 0.0, value) for step, value in enumerate(values, 1)]
    return LossHistory({"loss/loss": points}, "cat")


def test_a_falling_loss_falls() -> None:
    """From the upper left to the lower right, with its ends beside and below."""
    drawn = chart(history(*np.linspace(1.0, 0.2, 4)), 40, 4, ascii_only=True).splitlines()
    assert drawn[0].startswith("  1 |*")
    assert drawn[3].startswith("0.2 |")
    assert drawn[3].endswith("*")
    assert drawn[4].split() == ["step", "1", "4"]
    places = [line.index("*") for line in drawn[:4]]
    assert places == sorted(places)


@given(
    st.lists(st.floats(-1e9, 1e9).filter(bool) | st.just(math.nan), max_size=200),
    st.integers(24, 90),
    st.integers(2, 12),
    st.booleans(),
)
def test_every_chart_has_its_size_and_no_holes(
    values: list[float], width: int, height: int, ascii_only: bool
) -> None:
    """Each column has a dot; a history without two numbers has no chart."""
    drawn = chart(history(*values), width, height, ascii_only=ascii_only).splitlines()
    if sum(map(math.isfinite, values)) < 2:
        assert drawn == []
        return
    assert len(drawn) == height + 1
    assert {len(line) for line in drawn[:-1]} == {width} or width < 24
    empty = " " if ascii_only else "\u2800"
    edge = drawn[0].index("|" if ascii_only else "▏") + 1
    for column in zip(*(line[edge:] for line in drawn[:-1]), strict=True):
        assert set(column) != {empty}


class Watched:
    """A job of which nothing is asked."""

    name = "cat"


def test_the_screen_shows_progress_chart_cost_and_what_is_wrong() -> None:
    """And no command to the terminal, nor markup, that a server has put into its words."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=90, highlight=False)
    watcher = Watcher(Watched())  # type: ignore[arg-type]
    watcher.history = history(*(1 / n for n in range(1, 90)))
    info = "\x1b]0;evil\x07[red]Training[/red]\r\n"
    state = JobState("cat", JobStatus.RUNNING, step=50, total_steps=100, info=info)
    health = Health(HealthState.STALLED, "It stands.\x1b[2J", "Look.")
    with LiveView("cat", 1.0, console) as screen:
        screen.show(Update(state, health, has_more=True, wait=2.0), watcher)
    text = out.getvalue()
    assert screen.is_usable
    for part in ("step 50 of 100", "cost 0.00", "stalled: It stands.", "[red]Training[/red]", "⠦"):
        assert part in text
    assert "\x1b]0;" not in text
    assert "\x1b[2J" not in text
    assert not LiveView("cat", console=Console(file=io.StringIO())).is_usable


def test_a_servers_words_are_made_plain() -> None:
    """One line without escapes."""
    assert plain("a\x1b[31mb\nc\x9bd") == "a [31mb c d"
