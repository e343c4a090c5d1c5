"""`plot_loss` draws every kind of history legibly, and shows itself exactly once."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossPoint
from aitk_nb.views import LossFigure, plot_loss

NAN = math.nan


def history(values: Sequence[float], name: str = "cat", key: str = "loss/loss") -> LossHistory:
    """Return a history of `values` from step 1 on."""
    points = [LossPoint(step, 0.0, float(value)) for step, value in enumerate(values, 1)]
    return LossHistory({key: points}, name)


def falling(count: int = 999) -> np.ndarray:
    """Return noisy losses that fall from about 0.9 to 0.35, always the same."""
    noise = np.random.default_rng(0).lognormal(0, 0.25, count)
    return np.asarray((0.35 + 0.55 * np.exp(-np.arange(count) / (count / 6))) * noise)


def legend(plot: LossFigure) -> list[str]:
    """Return the words of the legend."""
    return [text.get_text() for text in plot.figure.legends[0].get_texts()]


def span(plot: LossFigure) -> tuple[float, float]:
    """Return the range of the losses' axis."""
    return plot.figure.axes[0].get_ylim()


def test_axes_are_labelled() -> None:
    """Title, both labels and a legend say what is seen, and so does the alt text."""
    plot = plot_loss(history(falling()))
    axes = plot.figure.axes[0]
    assert axes.get_title(loc="left") == "Loss of cat"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")
    assert legend(plot) == ["each step", "smoothed (0.95)"]
    assert repr(plot) == "<loss of 'cat'>"
    assert plot.alt.startswith("loss/loss over steps 1 to 999, smoothed: cat from 0.")


def test_a_spike_does_not_flatten_the_curve() -> None:
    """One huge value is marked at the edge, left out of the smoothed curve, and counted."""
    values = falling()
    values[500] = 4e5
    plot = plot_loss(history(values))
    assert span(plot)[1] < 2.5
    assert plot.figure.axes[0].get_yscale() == "linear"
    assert legend(plot)[-1] == "1 off the axis, up to 4e+05"
    strong = plot.figure.axes[0].lines[1].get_ydata()
    assert np.max(np.asarray(strong)) < 1.2


def test_a_steep_start_and_a_divergence_are_shown_whole() -> None:
    """What is no lonely spike is never left out; a wide range gets a logarithmic axis."""
    steep = np.concatenate([[9.0, 5.0, 3.0], falling()])
    assert span(plot_loss(history(steep)))[1] > 9
    wild = np.concatenate([falling(100), 0.4 * np.exp(np.arange(60) / 4), [NAN] * 40])
    plot = plot_loss(history(wild))
    assert plot.figure.axes[0].get_yscale() == "log"
    assert span(plot)[1] > np.nanmax(wild)
    assert legend(plot)[-1] == "40 NaN or infinite"
    assert "diverged at step 161" in legend(plot)
    assert plot.alt.endswith(" and diverged at step 161.")
    assert plot_loss(history(wild), log=False).figure.axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    "values",
    [
        *([0.7], [0.5] * 50, [NAN] * 30, [0.5, NAN, 0.4, math.inf, 0.3] * 4, [0.0, 0.0]),
        *([-1.0, 2.0, 3.0] * 10, [1e300, -1e300] * 20, [1e-320] * 5, list(range(12))),
    ],
    ids=lambda values: f"{len(values)} from {values[0]}",
)
@pytest.mark.parametrize("log", [None, True])
def test_odd_histories_are_drawn(values: list[float], log: bool | None) -> None:
    """Whatever the values, there is a picture with something on it and without a warning."""
    plot = plot_loss(history(values), log=log)
    assert colors(plot.png()) > 20
    assert plot.svg().startswith(b"<?xml")


def colors(png: bytes) -> int:
    """Return how many colors a picture has."""
    with Image.open(io.BytesIO(png)) as image:
        return len(image.convert("RGB").getcolors(100_000) or ())


def test_a_single_point_is_visible() -> None:
    """It is drawn as a dot, since it makes no line."""
    dots = [
        line for line in plot_loss(history([0.7])).figure.axes[0].lines if line.get_marker() == "."
    ]
    assert [list(line.get_xdata()) for line in dots] == [[1]]


def test_no_losses_yet() -> None:
    """Empty histories, and no history at all, say so in words."""
    for nothing in (LossHistory(name="cat"), [], [LossHistory()], history([])):
        plot = plot_loss(nothing)
        assert plot.figure.axes[0].texts[0].get_text() == "no losses"
        assert plot.alt == "No losses yet."
        assert plot.png()


def test_several_histories_are_told_apart() -> None:
    """Each has its own color or dashes, and its name in the legend as it is."""
    names = ["$x_1$", "_hidden", "猫", *(f"lr {n}" for n in range(9))]
    plot = plot_loss([history(falling(50) + n, name) for n, name in enumerate(names)])
    assert legend(plot)[:12] == names
    lines = [line for line in plot.figure.axes[0].lines if line.get_linewidth() > 1.5]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines[:12]}) == 12
    assert plot.png()
    many = plot_loss([history(falling(30), str(n)) for n in range(40)])
    assert legend(many)[-1] == "15 (and 24 more)"


def test_another_metric_can_be_drawn() -> None:
    """The key names the axis; a history without it counts as empty."""
    plot = plot_loss(history([1e-4] * 30, key="learning_rate"), key="learning_rate")
    assert plot.figure.axes[0].get_ylabel() == "learning_rate"
    assert plot_loss(history([1.0]), key="val/loss").alt == "No losses yet."


def test_a_long_history_is_thinned() -> None:
    """Two hundred thousand points draw as few, and the file stays small."""
    values = falling(200_000)
    plot = plot_loss(history(values))
    assert all(len(line.get_xdata()) <= 2200 for line in plot.figure.axes[0].lines)
    assert len(plot.png()) < 80_000


def test_the_same_history_gives_the_same_bytes(tmp_path: Path) -> None:
    """Twice from one plot, from two plots, and whatever the user's own style is."""
    import matplotlib as mpl

    first, second = plot_loss(history(falling())), plot_loss(history(falling()))
    with mpl.rc_context({"axes.facecolor": "black", "text.color": "white", "lines.linewidth": 9}):
        third = plot_loss(history(falling()))
        assert third.png() == first.png()
    assert first.png() == first.png() == second.png()
    assert first.svg() == second.svg()
    assert first.save(tmp_path / "a.png").read_bytes() == first.png()
    assert first.save(tmp_path / "deep" / "a.SVG").read_bytes() == first.svg()
    assert 10_000 < len(first.png()) < 60_000


def test_a_plot_that_is_drawn_again_is_the_plot_of_what_is_there_now() -> None:
    """Byte for byte, whatever it showed before: nothing, a log axis, restarts or wild values."""
    wild = falling(300)
    wild[20:24], wild[100] = math.nan, 1e6
    paused = [LossPoint(s, s + 900.0 * (s > 40), 1 / s) for s in range(1, 99)]
    steps = (
        LossHistory(name="cat"),
        history(wild),
        LossHistory({"loss/loss": paused}, "cat"),
        history([10.0 ** (2 - n / 50) for n in range(300)]),
        history([math.nan] * 5),
        history(falling()),
    )
    plot = plot_loss(steps[0], title="0")
    for number, step in enumerate(steps):
        plot.redraw(step, title=str(number))
        fresh = plot_loss(step, title=str(number))
        # The axes may have kept their place; here they are laid out like those of a new plot.
        axes = plot.figure.axes[0]
        axes.set_subplotspec(axes.get_subplotspec())
        plot.figure.set_layout_engine("constrained", h_pad=0.07, w_pad=0.07)
        assert plot.png() == fresh.png()
        assert plot.alt == fresh.alt


@pytest.mark.parametrize(("theme", "paper"), [("light", (255, 255, 255)), ("dark", (27, 31, 36))])
def test_the_paper_is_opaque(theme: str, paper: tuple[int, int, int]) -> None:
    """It does not depend on the page whether the picture is legible."""
    png = plot_loss(history(falling()), theme=theme).png()  # type: ignore[arg-type]
    with Image.open(io.BytesIO(png)) as image:
        assert image.convert("RGBA").getpixel((0, 0)) == (*paper, 255)
        assert image.size == (1050, 525)
        assert "smoothed: cat from" in image.text["Description"]  # type: ignore[attr-defined]


def test_what_cannot_be_drawn_or_saved(tmp_path: Path) -> None:
    """One sentence each, and no file."""
    with pytest.raises(BadInput, match="theme"):
        plot_loss(history([1.0]), theme="pink")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="smoothing must"):
        plot_loss(history([1.0]), smoothing=1.0)
    for name in ("loss.jpg", "loss"):
        with pytest.raises(BadInput, match=r"\.png or \.svg"):
            plot_loss(history([1.0])).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


CELLS = (
    "%matplotlib inline",
    """
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.loss import LossPoint
from aitk_nb.views import plot_loss
history = LossHistory({"loss/loss": [LossPoint(s, 0.0, 1 / s) for s in range(1, 99)]}, "cat")
""",
    "plot_loss(history)",
    "display(plot_loss(history))",
)


@pytest.mark.parametrize("inline", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_it_shows_itself_once_in_a_notebook(inline: bool) -> None:
    """One output of PNG and constant plain text, with and without `%matplotlib inline`."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS[0 if inline else 1 :]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    for cell in notebook.cells[-2:]:
        (output,) = cell.outputs
        assert set(output.data) == {"image/png", "text/plain"}
        assert output.data["text/plain"] == "<loss of 'cat'>"
        assert output.metadata["image/png"]["width"] == 700
        assert output.metadata["image/png"]["alt"].startswith("loss/loss over steps 1 to 98")


def test_neither_pyplot_nor_a_window_is_needed() -> None:
    """Drawing leaves matplotlib's global state alone."""
    code = (
        "import sys; from aitk_nb import LossHistory; from aitk_nb.views import plot_loss;"
        "plot_loss(LossHistory()).png(); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
