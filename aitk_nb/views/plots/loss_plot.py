"""`plot_loss`: a picture of one or more loss histories that shows itself in a notebook."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from aitk_nb._display import html
from aitk_nb._display.html import Html
from aitk_nb._files import write
from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import Sample
from aitk_nb.views.plots.loss_axes import Extras, draw
from aitk_nb.views.plots.loss_curves import Along
from aitk_nb.views.plots.style import Theme, check_theme, own_style

_COLORS = 128
# A number of JupyterLab's themes, of Voilà's and nbconvert's too: 0 where the page is light, 32
# where it is dark. Elsewhere the ink stays as it is.
_LIGHTER = "filter:brightness(calc(1 + var(--jp-shadow-base-lightness,0)*.0125))"


class LossFigure:
    """A plot, which a notebook shows as a PNG; from `plot_loss`.

    Example:
        >>> aitk_nb.plot_loss(job.losses()).save("loss.png").name
        'loss.png'
    """

    # Not a subclass of Figure: IPython registers a formatter for those that would win over ours.

    def __init__(self, figure: Figure, label: str, alt: str, theme: Theme = "page") -> None:
        """Show a figure.

        Args:
            figure: The matplotlib figure.
            label: What stands for it in plain text.
            alt: What the picture shows, in words.
            theme: Its colors, as for `plot_loss`.
        """
        self._theme: Theme = theme
        self.figure = figure
        """The matplotlib figure, to add to."""
        self.alt = alt
        """What the picture shows, in words."""
        self._label = label
        self._laid_out: object = None
        # Kept, as it remembers how large each text is.
        self._canvas = FigureCanvasAgg(figure)

    def png(self) -> bytes:
        """Return the picture as PNG; the same history gives the same bytes."""
        from PIL import Image, PngImagePlugin

        with own_style(self._theme):
            self._draw()
        about = PngImagePlugin.PngInfo()
        for name, text in self._about.items():
            about.add_text(name, text)
        pixels = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        mode = "RGBA" if self._theme == "page" else "RGB"
        picture = Image.fromarray(pixels).convert(mode)
        # A third of the bytes for the same sight: a notebook keeps every plot that it shows.
        small = picture.quantize(_COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        # The color of the paper must not be the mean of its neighbors.
        if palette := small.getpalette(mode):
            corner = (0, 0, 1, 1)
            spot = len(mode) * small.crop(corner).tobytes()[0]
            palette[spot : spot + len(mode)] = picture.crop(corner).tobytes()
            small.putpalette(palette, mode)
        buffer = io.BytesIO()
        # The highest compression takes seven times as long, for a tenth less.
        small.save(buffer, "PNG", pnginfo=about, dpi=(self.figure.dpi,) * 2, compress_level=5)
        return buffer.getvalue()

    def _draw(self) -> None:
        self._canvas.draw()  # type: ignore[no-untyped-call]
        # Laid out once; again would move everything by a fraction of a pixel, and take longer.
        self.figure.set_layout_engine("none")
        self._laid_out = _layout_key(self.figure)

    def redraw(self, history: LossHistory, *, title: str) -> None:
        """Draw another history in place of the present one.

        Args:
            history: What to draw.
            title: Above the plot.
        """
        with own_style(self._theme):
            self.alt = draw(self.figure, [history], title=title, theme=self._theme)
            # The axes stay where they are if they can: it takes half the time, and nothing jumps.
            same = _layout_key(self.figure) == self._laid_out
            self.figure.set_layout_engine("none" if same else "constrained")

    def svg(self) -> bytes:
        """Return the picture as SVG; the same history gives the same bytes."""
        buffer = io.BytesIO()
        with own_style(self._theme):
            self._draw()
            self.figure.savefig(
                buffer, format="svg", metadata={**self._about, "Date": None, "Creator": None}
            )
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path` as `.png` or `.svg`, by its suffix.

        Returns:
            The path of the file.

        Raises:
            BadInput: The suffix is another one, or the file can't be written.
        """
        target = Path(path)
        kind = target.suffix.lower().lstrip(".")
        if kind not in {"png", "svg"}:
            raise BadInput(f"Plots are saved as .png or .svg; got {target.name!r}.")
        return write(target, self.png() if kind == "png" else self.svg())

    def html(self) -> Html:
        """Return the picture for a page: with its words for those who can't see it."""
        return self._img(self.png())

    def _img(self, png: bytes) -> Html:
        width, height = self._size
        look = "max-width:100%;height:auto" + (f";{_LIGHTER}" if self._theme == "page" else "")
        return html.picture(
            "png", png, self.alt, f'width="{width}" height="{height}" style="{look}"'
        )

    def __repr__(self) -> str:
        return self._label

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        # IPython encodes bytes itself. A picture of double density at its natural size is sharp
        # on any screen; its plain text does not change from run to run.
        # JupyterLab takes words from HTML only, and programs take the picture alone.
        png, (width, height) = self.png(), self._size
        data = {"text/html": self._img(png), "image/png": png, "text/plain": self._label}
        return data, {"image/png": {"width": width, "height": height, "alt": self.alt}}

    @property
    def _size(self) -> tuple[int, int]:
        width, height = self.figure.get_size_inches()
        return round(100 * width), round(100 * height)

    @property
    def _about(self) -> dict[str, str]:
        return {"Title": self._label.strip("<>"), "Description": self.alt}


def _layout_key(figure: Figure) -> object:
    """Return what the place of the axes depends on."""
    axes = figure.axes[0]
    texts = [len(text.get_text()) for text in axes.get_yticklabels()]
    low, high = axes.get_xlim()
    # The label of a tick at the end stands out beyond the axes.
    ends = any(0.97 * (high - low) < tick - low <= high - low for tick in axes.get_xticks())
    legend = [text.get_text() for one in figure.legends for text in one.get_texts()]
    return max(texts, default=0), ends, axes.get_title().count("\n"), legend


def plot_loss(
    history: LossHistory | Sequence[LossHistory],
    *,
    key: str = "",
    smoothing: float | None = None,
    x: Along = "step",
    per_epoch: float = 0.0,
    log: bool | None = None,
    checkpoints: Iterable[int] = (),
    samples: Iterable[int | Sample] = (),
    learning_rate: bool = False,
    title: str | None = None,
    theme: Theme = "page",
) -> LossFigure:
    """Return a plot of one history, or of several to compare.

    Each value is drawn faintly and the smoothed curve strongly; of several histories, a faint band
    shows where about two thirds of the values are. A few values far from all others are left out of
    the curve and of the axis, and marked at its edge. A dotted line marks a restart.

    Args:
        history: What to draw.
        key: The metric; default: `loss/loss`.
        smoothing: From 0 (none) to below 1: the curve averages as many values as
            `LossHistory.smoothed`, but from both sides. The default suits the number of values.
        x: The horizontal axis: steps, time since the first step, or epochs.
        per_epoch: Steps in an epoch; required for `x="epoch"`.
        log: Whether the loss axis is logarithmic; default: if it helps.
        checkpoints: Steps at which one was saved, for a single history.
        samples: Steps at which images were sampled, or the samples, for a single history.
        learning_rate: Whether to draw it too, on an axis at the right, for a single history.
        title: Above the plot; default: the job's name.
        theme: "page" has no ground, so that the picture is legible on light and dark pages; "light"
            and "dark" have their own, for files.

    Returns:
        The plot, which a notebook shows and which `save` writes as `.png` or `.svg`.

    Raises:
        BadInput: `smoothing`, `x`, `per_epoch` or `theme` is invalid.

    Example:
        >>> aitk_nb.plot_loss(job.losses(), checkpoints=job.checkpoints())
        <loss of 'cat'>
    """
    check_theme(theme)
    if x not in ("step", "time", "epoch"):
        raise BadInput(f"x must be 'step', 'time' or 'epoch', not {x!r}.")
    if x == "epoch" and not per_epoch > 0:
        raise BadInput("x='epoch' requires per_epoch, the steps in an epoch.")
    steps = [one if isinstance(one, int) else one.step for one in samples]
    extras = Extras(x, per_epoch, tuple(checkpoints), steps, learning_rate)
    histories = [history] if isinstance(history, LossHistory) else list(history)
    names = [one.name for one in histories if one.name]
    if title is None:
        title = f"{key or 'Loss'} of {names[0]}" if len(names) == len(histories) == 1 else ""
    with own_style(theme):
        figure = Figure()
        look: dict[str, Any] = {"log": log, "title": title, "theme": theme, "extras": extras}
        alt = draw(figure, histories, key, smoothing, **look)
    shown = ", ".join(map(repr, names[:4])) + (", …" if len(names) > 4 else "")
    return LossFigure(figure, f"<loss of {shown}>" if names else "<loss>", alt, theme)
