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
from aitk_nb.views.plots.style import COLORS, INKS

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
    assert legend(plot) == ["each step", "smoothed"]
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
    assert colors(plot.png()) > 10
    assert plot.svg().startswith(b"<?xml")


def on(ground: str, png: bytes) -> Image.Image:
    """Return a picture as it is seen on a page of one color."""
    page = Image.open(io.BytesIO(png)).convert("RGBA")
    paper = Image.new("RGBA", page.size, ground)
    paper.alpha_composite(page)
    return paper.convert("RGB")


def colors(png: bytes) -> int:
    """Return how many colors a picture has on a white page."""
    return len(on("white", png).getcolors(100_000) or ())


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


@pytest.mark.parametrize("count", [4900, 4990, 5000, 5030, 5100])
def test_the_last_tick_of_a_plot_that_grows_is_inside_the_picture(count: int) -> None:
    """Also if its number is as long as before, so that the axes could stay where they are."""
    plot = plot_loss(history(falling(4300)))
    plot.png()
    plot.redraw(history(falling(count)), title="Loss of cat")
    plot.png()

    (axes,) = plot.figure.axes
    labels = [one.get_window_extent() for one in axes.get_xticklabels() if one.get_text()]
    low, high = axes.get_xlim()
    shown = [
        box for tick, box in zip(axes.get_xticks(), labels, strict=True) if low <= tick <= high
    ]
    assert max(box.x1 for box in shown) <= plot.figure.bbox.width


@pytest.mark.parametrize(("theme", "paper"), [("light", (255, 255, 255)), ("dark", (27, 31, 36))])
def test_the_paper_is_opaque(theme: str, paper: tuple[int, int, int]) -> None:
    """It does not depend on the page whether the picture is legible."""
    png = plot_loss(history(falling()), theme=theme).png()  # type: ignore[arg-type]
    with Image.open(io.BytesIO(png)) as image:
        assert image.convert("RGBA").getpixel((0, 0)) == (*paper, 255)
        assert image.size == (1050, 525)
        assert "smoothed: cat from" in image.text["Description"]  # type: ignore[attr-defined]


def luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb`, as WCAG defines it."""
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colors, as WCAG defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lighter(color: str) -> str:
    """Return a color as `LossFigure.html` shows it on JupyterLab's dark pages."""
    parts = (min(255, round(1.4 * int(color[at : at + 2], 16))) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


@pytest.mark.parametrize("color", [*COLORS["page"], INKS["page"].warning, INKS["page"].ink])
def test_a_page_of_any_color_shows_every_line_and_text(color: str) -> None:
    """Lines have 3:1 to each ground, text has 4.5:1 on white and on JupyterLab's dark pages."""
    assert min(contrast(color, ground) for ground in ("#ffffff", "#111111", "#212121")) >= 3
    if color == INKS["page"].ink:
        assert contrast(color, "#ffffff") >= 4.5
        assert contrast(lighter(color), "#111111") >= 4.5
        assert contrast(lighter(color), "#212121") >= 4.5


def test_the_picture_has_no_ground_of_its_own() -> None:
    """The page's own color is behind it; what is opaque is not made lighter on a dark page."""
    plot = plot_loss(history(falling()))
    for ground in ((255, 255, 255), (17, 17, 17)):
        assert on(f"rgb{ground}", plot.png()).getpixel((0, 0)) == ground
    assert "filter:brightness(" in plot.html()
    assert "filter" not in plot_loss(history(falling()), theme="dark").html()


def test_the_smoothed_curve_does_not_lag_behind_a_steep_fall() -> None:
    """Not nearly all points are below it at the beginning, and it begins where they do."""
    steep = 9.0 / np.arange(1, 200) ** 0.8
    noise = np.random.default_rng(5).lognormal(0, 0.1, steep.size)
    plot = plot_loss(history(steep * noise))
    curve = np.asarray(plot.figure.axes[0].lines[1].get_ydata())
    assert curve[0] == pytest.approx(steep[0] * noise[0])
    for part in (slice(1, 10), slice(1, 30), slice(1, 100)):
        assert 0.2 <= np.mean(steep[part] * noise[part] > curve[part])


def test_names_are_shortened_where_they_do_not_differ() -> None:
    """No two runs have the same words in the legend, however long they begin alike."""
    long = [f"my_character_flux_lora_with_a_long_name_rank_{rank}_final" for rank in (8, 16, 32)]
    plot = plot_loss([history(falling(50), name) for name in long])
    assert legend(plot) == ["…rank_8_…", "…rank_16_…", "…rank_32_…"]
    solid = [f"{'x' * 30}{letter}{'y' * 30}" for letter in "ab"]
    assert len(set(legend(plot_loss([history(falling(50), name) for name in solid])))) == 2


def test_several_histories_have_bands_and_one_has_its_values() -> None:
    """Four clouds of noise over each other would hide the lines; the band holds two thirds."""
    runs = [history(falling(2000) + n, str(n)) for n in range(3)]
    axes = plot_loss(runs).figure.axes[0]
    assert len(axes.lines) == len(axes.collections) == 3
    assert not plot_loss(runs[0]).figure.axes[0].collections
    low, high = (
        axes.collections[0].get_paths()[0].get_extents().get_points()[:, 1][at] for at in (0, 1)
    )
    assert 0.2 < low < high < 1.5


@pytest.mark.parametrize(
    ("values", "key", "wanted"),
    [
        ([1e-4, 8e-5, 6e-5, 4e-5] * 9, "learning_rate", {"4e-5", "6e-5", "8e-5", "1e-4"}),
        ([0.5, 0.4, 0.3] * 9, "loss/loss", {"0.30", "0.40", "0.50"}),
        ([2e5, 3e5, 4e5] * 9, "loss/loss", {"2e5", "3e5", "4e5"}),
    ],
)
def test_the_numbers_of_an_axis_are_written_alike(
    values: list[float], key: str, wanted: set[str]
) -> None:
    """No `0.0001` beside `8e-05`, and no power of ten above the axis."""
    axis = plot_loss(history(values, key=key), key=key, log=False).figure.axes[0].yaxis
    assert wanted <= {text.get_text() for text in axis.get_ticklabels()}
    assert axis.get_offset_text().get_text() == ""


def test_a_single_point_stands_at_its_step() -> None:
    """And not on an axis of hundredths."""
    axis = plot_loss(history([0.7])).figure.axes[0].xaxis
    assert [text.get_text() for text in axis.get_ticklabels()] == ["0", "1", "2"]


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
        assert set(output.data) == {"text/html", "image/png", "text/plain"}
        assert '<img alt="loss/loss over steps 1 to 98' in output.data["text/html"]
        assert output.data["image/png"].strip() in output.data["text/html"]
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


def test_the_validation_loss_is_a_curve_of_its_own() -> None:
    """Of one history and of several, within the axis; not beside a metric that was asked for."""
    points = [LossPoint(step, 0.0, 2.0 - step / 1000) for step in (1, 100, 200, 300)]
    one = history(falling(300)).extended("val/loss", points)
    plot = plot_loss(one)
    assert legend(plot) == ["each step", "smoothed", "validation"]
    assert span(plot)[1] > 2.0
    assert plot.alt.endswith("validation of cat from 2 to 1.7.")
    assert plot.figure.axes[0].lines[2].get_color() == COLORS["page"][1]

    several = plot_loss([one, history(falling(300), "dog")])
    assert legend(several) == ["cat", "dog", "cat, validation"]
    assert span(several)[1] > 2.0
    assert legend(plot_loss(one, key="val/loss")) == ["each step", "smoothed"]
