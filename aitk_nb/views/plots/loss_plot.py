"""`plot_loss`: a picture of one or more loss histories that shows itself in a notebook."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from aitk_nb._files import replacing
from aitk_nb.errors import BadInput
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import Sample
from aitk_nb.views.plots.loss_axes import More, draw
from aitk_nb.views.plots.loss_marks import Along
from aitk_nb.views.plots.style import Theme, own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LossFigure", "plot_loss"]

_COLOURS = 128


class LossFigure:
    """A drawn plot; the last line of a cell shows it, once and as a PNG."""

    # No subclass of Figure: IPython registers a formatter for those that would go before ours.

    def __init__(self, figure: Figure, label: str, alt: str, theme: Theme = "light") -> None:
        """Show `figure` as `label` in plain text; `alt` tells what is seen."""
        self._theme: Theme = theme
        self.figure = figure
        """The matplotlib figure, to add to."""
        self.alt = alt
        """What the picture shows, in words."""
        self._label = label
        # Kept, as it remembers how large each text is.
        self._canvas = FigureCanvasAgg(figure)

    def png(self) -> bytes:
        """Return the picture as PNG; the same history gives the same bytes."""
        from PIL import Image, PngImagePlugin

        with _drawing():
            self._canvas.draw()  # type: ignore[no-untyped-call]
        about = PngImagePlugin.PngInfo()
        for name, text in self._about.items():
            about.add_text(name, text)
        pixels = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        picture = Image.fromarray(pixels).convert("RGB")
        # A third of the bytes for the same sight: a notebook keeps every plot that it shows.
        small = picture.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        # The colour of the paper must not be the mean of its neighbours.
        if palette := small.getpalette():
            corner = (0, 0, 1, 1)
            spot = 3 * small.crop(corner).tobytes()[0]
            palette[spot : spot + 3] = picture.crop(corner).tobytes()
            small.putpalette(palette)
        buffer = io.BytesIO()
        # The highest compression takes seven times as long, for a tenth less.
        small.save(buffer, "PNG", pnginfo=about, dpi=(self.figure.dpi,) * 2)
        return buffer.getvalue()

    def redraw(self, history: LossHistory, *, title: str) -> None:
        """Show `history` instead of what was shown, in half the time of a new plot."""
        with _drawing():
            self.alt = draw([history], title=title, theme=self._theme, onto=self.figure)[1]

    def svg(self) -> bytes:
        """Return the picture as SVG; the same history gives the same bytes."""
        buffer = io.BytesIO()
        with _drawing():
            self.figure.savefig(
                buffer, format="svg", metadata={**self._about, "Date": None, "Creator": None}
            )
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the picture as `.png` or `.svg`, by the suffix of `path`, and return the path.

        Raises:
            BadInput: the suffix is another one, or the file cannot be written.
        """
        target = Path(path).expanduser()
        kind = target.suffix.lower().lstrip(".")
        if kind not in {"png", "svg"}:
            raise BadInput(f"A plot is saved as .png or .svg, not as {target.name!r}.")
        content = self.png() if kind == "png" else self.svg()
        with replacing(target) as draft:
            draft.write_bytes(content)
        return target

    def __repr__(self) -> str:
        return self._label

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        # IPython encodes bytes itself. A picture of double density at its natural size is sharp
        # on any screen; its plain text does not change from run to run.
        width, height = (round(inches * 100) for inches in self.figure.get_size_inches())
        data = {"image/png": self.png(), "text/plain": self._label}
        return data, {"image/png": {"width": width, "height": height, "alt": self.alt}}

    @property
    def _about(self) -> dict[str, str]:
        return {"Title": self._label.strip("<>"), "Description": self.alt}


@contextmanager
def _drawing() -> Iterator[None]:
    with own_style(), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes, which can be seen.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def plot_loss(
    history: LossHistory | Sequence[LossHistory],
    *,
    key: str = "",
    smooth: float | None = None,
    x: Along = "step",
    per_epoch: float = 0.0,
    log: bool | None = None,
    checkpoints: Iterable[int] = (),
    samples: Iterable[int | Sample] = (),
    learning_rate: bool = False,
    title: str | None = None,
    theme: Theme = "light",
) -> LossFigure:
    """Return a plot of one history, or of several to compare.

    Each value is drawn faintly and the smoothed curve strongly. A few values far away from all
    others are left out of the curve and of the axis, and marked at its edge. A dotted line stands
    where the training was started again.

    Args:
        history: What to draw.
        key: The metric; `loss/loss` when left out.
        smooth: Weight of the past, from 0 (no smoothing) to below 1, as `LossHistory.smoothed`
            takes it; when left out, one that fits.
        x: What the axis below counts: steps, the time since the first one, or epochs.
        per_epoch: Steps in an epoch, for `x="epoch"`.
        checkpoints: Steps at which one was saved, for a single history.
        samples: Steps at which pictures were made, or the samples, for a single history.
        learning_rate: Whether it is drawn too, for a single history, on an axis at the right.
        log: Whether the losses' axis is logarithmic; when left out, if it helps.
        title: Above the picture; when left out, the job's name.
        theme: Colours for a page that is light or dark; "light" is legible on both.

    Raises:
        BadInput: `smooth`, `x`, `per_epoch` or `theme` cannot be used.
    """
    if theme not in ("light", "dark"):
        raise BadInput(f"The theme is 'light' or 'dark', not {theme!r}.")
    if x not in ("step", "time", "epoch"):
        raise BadInput(f"The axis counts 'step', 'time' or 'epoch', not {x!r}.")
    if x == "epoch" and not per_epoch > 0:
        raise BadInput("For epochs, per_epoch has to say how many steps one has.")
    marks = More(
        along=x,
        per_epoch=per_epoch,
        checkpoints=tuple(checkpoints),
        samples=tuple(_step(one) for one in samples),
        rate=learning_rate,
    )
    histories = [history] if isinstance(history, LossHistory) else list(history)
    names = [one.name for one in histories if one.name]
    if title is None:
        title = f"{key or 'Loss'} of {names[0]}" if len(names) == len(histories) == 1 else ""
    with _drawing():
        figure, alt = draw(histories, key, smooth, log=log, title=title, theme=theme, more=marks)
    return LossFigure(figure, _label(names), alt, theme)


def _step(sample: int | Sample) -> int:
    return sample if isinstance(sample, int) else sample.step


def _label(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:4])) + (", …" if len(names) > 4 else "")
    return f"<loss of {shown}>" if names else "<loss>"
