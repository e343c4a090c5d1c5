"""A loss plot over steps, time and epochs, with restarts, checkpoints, samples and the rate."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import Sample
from aitk_nb.models.loss import LossColumns, LossPoint
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


def odd_values() -> LossHistory:
    """Return a history with everything that the legend can mention."""
    points = [*history().points()]
    points[50] = points[50]._replace(value=90.0)
    points[100] = points[100]._replace(value=math.nan)
    return history().extended("loss/loss", points)


def close() -> LossHistory:
    """Return losses that hardly differ, so that their axis has many digits."""
    points = history(3).points()
    return history(3).extended(
        "loss/loss", [one._replace(value=0.77 + one.step / 1e4) for one in points]
    )


LONG = "my_character_flux_lora_with_a_very_long_name_that_does_not_end_before_the_picture_does"
PLOTS = {
    "odd values": lambda theme: plot_loss(odd_values(), theme=theme, checkpoints=[100]),
    "all extras": lambda theme: plot_loss(
        history(), theme=theme, checkpoints=[100, 600], samples=[0, 300], learning_rate=True
    ),
    "a long name": lambda theme: plot_loss(history(name=LONG), theme=theme),
    "long names": lambda theme: plot_loss([history(name=f"{LONG}_{n}") for n in range(4)]),
    "a wide name": lambda theme: plot_loss(history(name="W" * 90), theme=theme, learning_rate=True),
    "wide names": lambda theme: plot_loss([history(name=f"{n} {'W' * 40}") for n in range(9)]),
    "a loss in the third digit": lambda theme: plot_loss(close(), theme=theme),
    "many": lambda theme: plot_loss([history(20, str(n)) for n in range(20)], theme=theme),
    "many steps": lambda theme: plot_loss(history(100_000), theme=theme),
    "one point": lambda theme: plot_loss(history(1), theme=theme),
    "a rate": lambda theme: plot_loss(history(), key="learning_rate", theme=theme),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS.keys())
def test_nothing_hangs_out_of_the_picture(
    draw: Callable[[str], LossFigure], theme: Literal["light", "dark"]
) -> None:
    """No text is cut, and none lies on another."""
    plot = draw(theme)
    plot.png()
    width, height = plot.figure.canvas.get_width_height()
    texts = [text for legend in plot.figure.legends for text in legend.get_texts()]
    for one in plot.figure.axes:
        texts += [one._left_title, one.yaxis.get_offset_text()]
        for axis in (one.xaxis, one.yaxis):
            drawn = axis._update_ticks() if axis.get_visible() else []
            texts += [
                axis.label,
                *(tick.label1 for tick in drawn),
                *(tick.label2 for tick in drawn),
            ]
    boxes = [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]
    for number, box in enumerate(boxes):
        assert 0 <= box.x0 <= box.x1 <= width
        assert 0 <= box.y0 <= box.y1 <= height
        assert not [other for other in boxes[:number] if box.padded(-1).overlaps(other)]


def test_a_single_spike_among_a_million_points_is_seen() -> None:
    """As pixels of the faint line up to it, far above all others."""
    values = np.full(1_000_000, 0.5)
    values[654_321] = 1.0
    steps = list(range(values.size))
    whole = LossHistory({"loss/loss": LossColumns(steps, [0.0] * len(steps), values.tolist())})
    with_spike = plot_loss(whole, theme="light")
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


def test_a_step_out_of_memory_has_no_rate() -> None:
    """The trainer logs 0 for it, and no loss; a rate that begins at 0 is drawn."""
    points = history().points()
    steps = [point.step for point in points]
    rates = [LossPoint(step, 0.0, 0.0 if step in (steps[0], 500) else 1e-4) for step in steps]
    bare = LossHistory({"loss/loss": [one for one in points if one.step != 500]})
    plot = plot_loss(bare.extended("learning_rate", rates), learning_rate=True)
    drawn = plot.figure.axes[1].lines[0].get_ydata()
    assert list(drawn).count(0.0) == 1
