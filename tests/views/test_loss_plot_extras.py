"""A loss plot over steps, time and epochs, with restarts, checkpoints, samples and the rate."""

from __future__ import annotations

import io
import math
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import Sample
from aitk_nb.models.loss import LossColumns
from aitk_nb.views import LossFigure, plot_loss


def history(count: int = 600, name: str = "cat", pause: float = 900.0) -> LossHistory:
    """Return a falling loss with its learning rate; at half time the training was started again."""
    steps = np.arange(1, count + 1)
    values = 0.3 + np.exp(-steps / count * 4) + np.random.default_rng(2).gamma(2, 0.05, count)
    walls = (1.7e9 + steps + pause * (steps > count // 2)).tolist()
    return LossHistory(
        {
            "loss/loss": LossColumns(steps.tolist(), walls, values.tolist()),
            "learning_rate": LossColumns(steps.tolist(), walls, [1e-4] * count),
        },
        name,
    )


def legend(plot: LossFigure) -> list[str]:
    """Return the words of the legend."""
    return [text.get_text() for text in plot.figure.legends[0].get_texts()]


@pytest.mark.parametrize(
    ("along", "label", "end"),
    [("step", "step", 600), ("time", "minutes since the first step", 25), ("epoch", "epoch", 50)],
)
def test_the_axis_counts_what_is_asked(
    along: Literal["step", "time", "epoch"], label: str, end: float
) -> None:
    """The curve ends where the training does."""
    axes = plot_loss(history(), x=along, per_epoch=12).figure.axes[0]
    assert axes.get_xlabel() == label
    assert axes.lines[0].get_xdata()[-1] == pytest.approx(end, rel=0.01)


@pytest.mark.parametrize("options", [{"x": "week"}, {"x": "epoch"}, {"x": "epoch", "per_epoch": 0}])
def test_an_axis_that_cannot_be_drawn_is_refused(options: dict[str, object]) -> None:
    """Epochs need to know how long one is."""
    with pytest.raises(BadInput, match=r"x must|per_epoch"):
        plot_loss(history(), **options)  # type: ignore[arg-type]


def test_no_line_is_drawn_across_a_restart() -> None:
    """A dotted line stands there, and the legend says what it is."""
    plot = plot_loss(history())
    assert "restarted" in legend(plot)
    for line in plot.figure.axes[0].lines[:2]:
        places, values = line.get_xdata(), line.get_ydata()
        assert np.isnan(values[list(places).index(300) + 1])
    assert "restarted" not in legend(plot_loss(history(pause=0)))


def test_checkpoints_samples_and_the_rate_are_marked_on_demand() -> None:
    """Each once, and the rate on an axis of its own."""
    samples = [Sample("a.jpg", 200, 0), Sample("b.jpg", 200, 1), Sample("c.jpg", 400, 0)]
    plot = plot_loss(history(), checkpoints=[200, 400, 600], samples=samples, learning_rate=True)
    words = legend(plot)
    assert {"3 checkpoints", "2 samplings", "learning rate"} <= set(words)
    assert plot.figure.axes[1].get_ylabel() == "learning rate"
    assert len(plot_loss(history()).figure.axes) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_hangs_out_of_the_picture(theme: Literal["light", "dark"]) -> None:
    """However many words the legend has."""
    odd = history().extended("loss/loss", [])
    points = [*odd.points()[:100], odd.points()[100]._replace(value=math.nan), *odd.points()[101:]]
    points[50] = points[50]._replace(value=90.0)
    plot = plot_loss(odd.extended("loss/loss", points), theme=theme, checkpoints=[100])
    box = plot.figure.legends[0].get_window_extent()
    width, height = plot.figure.canvas.get_width_height()
    assert box.x0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_a_single_spike_among_a_million_points_is_seen() -> None:
    """As pixels of the faint line up to it, far above all others."""
    values = np.full(1_000_000, 0.5)
    values[654_321] = 1.0
    steps = list(range(values.size))
    whole = LossHistory({"loss/loss": LossColumns(steps, [0.0] * len(steps), values.tolist())})
    with_spike = plot_loss(whole)
    raw = with_spike.figure.axes[0].lines[0]
    assert 1.0 in raw.get_ydata()
    top = with_spike.figure.axes[0].get_ylim()[1]
    marks = legend(with_spike)
    assert top >= 1.0 or any("off the axis" in words for words in marks)
    # In the picture: above the flat line only the spike's column has any ink.
    with Image.open(io.BytesIO(with_spike.png())) as image:
        pixels = np.asarray(image.convert("L")).astype(int)
    axes = with_spike.figure.axes[0]
    ends = [(654_321, 0.5 + share * (top - 0.5)) for share in (0.8, 0.3)]
    across, up = axes.transData.transform(ends).T
    column = round(across[0])
    band = slice(pixels.shape[0] - round(up[0]), pixels.shape[0] - round(up[1]))
    near, far = pixels[band, column - 2 : column + 3], pixels[band, column + 12 : column + 20]
    assert (near.min(axis=1) < 235).all()
    assert far.min() > near.min()
