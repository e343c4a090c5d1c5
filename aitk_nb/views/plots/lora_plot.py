"""`plot_lora`: how strongly a LoRA changes each layer of the base model."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from aitk_nb.lora.norms import layer_norms
from aitk_nb.views.plots.loss_plot import LossFigure
from aitk_nb.views.plots.style import COLORS, Theme, check_theme, fitted, own_style

_NAMED = 3
"""Layers whose names are told."""


class LoraFigure(LossFigure):
    """A picture of a LoRA's layers, which a notebook shows as a PNG; from `plot_lora`.

    Example:
        >>> figure = aitk_nb.views.plot_lora(job.download("loras").path)
        >>> figure.save("cat.svg").name
        'cat.svg'
    """


def plot_lora(file: str | Path, *, theme: Theme = "page") -> LoraFigure:
    """Return a small picture of a local LoRA: the norm of the change to each layer.

    Args:
        file: A local file with a LoRA or a LoKr.
        theme: Colors, as for `plot_loss`.

    Returns:
        The picture, which a notebook shows and which `save` writes as `.png` or `.svg`.

    Raises:
        BadInput: The file can't be read or has no layers to measure, or `theme` is invalid.

    Example:
        >>> aitk_nb.views.plot_lora(job.download("loras").path)
        <layers of cat.safetensors>
    """
    check_theme(theme)
    norms = layer_norms(file)
    name = Path(file).name
    strongest = sorted(norms, key=lambda layer: -norms[layer])[:_NAMED]
    words = "; ".join(f"{layer} {norms[layer]:.3g}" for layer in strongest)
    with own_style(theme):
        figure = Figure((7.0, 2.5))
        axes = figure.add_subplot(xlabel="layer, in the order of the file", ylabel="norm")
        axes.vlines(np.arange(1, len(norms) + 1), 0, [*norms.values()], COLORS[theme][0], lw=1.6)
        axes.set_ylim(bottom=0)
        lines = f"{name}: {len(norms)} layers", f"strongest: {strongest[0]}"
        axes.set_title("\n".join(fitted(line, 440, 9) for line in lines), size=9)
    alt = f"{name}, the norm of the change to each of {len(norms)} layers. Strongest: {words}"
    return LoraFigure(figure, f"<layers of {name}>", alt, theme)
