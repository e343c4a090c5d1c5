"""`plot_buckets`: the sizes that the trainer gives the images of a dataset, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from aitk_nb._units import plural
from aitk_nb.datasets.local.buckets import Bucket, BucketPlan
from aitk_nb.errors import BadInput
from aitk_nb.views.plots.loss_plot import LossFigure
from aitk_nb.views.plots.style import COLORS, INKS, Theme, check_theme, own_style

_SHOWN = 6
"""Buckets of one resolution that are drawn; the others are counted."""
# All in inches.
_CELL = 1.15
_SQUARE = 0.62
"""Side of the resolution's square."""
_MOST = 0.95
"""The longest side of a box: a banner is drawn smaller, with its square."""
_ROW = 2.05


class BucketFigure(LossFigure):
    """A picture of buckets, which a notebook shows as a PNG; from `plot_buckets`.

    Example:
        >>> plan = aitk_nb.LocalDataset(photos).buckets(resolution=[512])
        >>> aitk_nb.views.plot_buckets(plan).save("buckets.svg").name
        'buckets.svg'
    """


def plot_buckets(plan: BucketPlan, *, theme: Theme = "page") -> BucketFigure:
    """Return a picture of a plan: each bucket as a box of its shape, with its number of images.

    There is one row for each resolution, whose square is the dotted outline: a much smaller box
    holds images that are smaller than the resolution. The more images, the stronger its color.

    Args:
        plan: What to draw.
        theme: Colors, as for `plot_loss`.

    Returns:
        The picture, which a notebook shows and which `save` writes as `.png` or `.svg`.

    Raises:
        BadInput: The plan is empty, or `theme` is invalid.

    Example:
        >>> aitk_nb.views.plot_buckets(aitk_nb.LocalDataset(photos).buckets())
        <buckets of 12 images>
    """
    check_theme(theme)
    if not plan.buckets:
        raise BadInput("There is no image to put into a bucket.")
    rows = [
        [bucket for bucket in plan.buckets if bucket.resolution == pixels]
        for pixels in plan.resolutions
    ]
    with own_style(theme):
        width, height = 0.1 + _SHOWN * _CELL, 0.35 + _ROW * len(rows)
        figure = Figure((width, height))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(0, height))
        axes.set_axis_off()
        axes.text(0.1, height - 0.1, _title(plan), va="top", fontsize=11, weight="bold")
        for number, row in enumerate(rows):
            _draw_row(axes, row, height - 0.35 - _ROW * number, theme)
    return BucketFigure(
        figure, f"<buckets of {plural(plan.images, 'image')}>", _in_words(plan), theme
    )


def _title(plan: BucketPlan) -> str:
    batch = f" of {plan.batch_size} images" if plan.batch_size > 1 else ""
    return (
        f"{plural(plan.images, 'image')}, {plural(plan.steps_per_epoch, 'step')}{batch} per epoch"
    )


def _draw_row(axes: Axes, row: Sequence[Bucket], top: float, theme: Theme) -> None:
    """Draw the buckets of one resolution below `top`."""
    inks = INKS[theme]
    pixels, most = row[0].resolution, max(len(bucket.images) for bucket in row)
    shown = row if len(row) <= _SHOWN else row[: _SHOWN - 1]
    axes.text(0.1, top - 0.1, f"resolution {pixels}", fontsize=9, va="top")
    bottom = top - 1.35
    below: dict[str, Any] = {"ha": "center", "va": "top", "linespacing": 1.35}
    for number, bucket in enumerate(shown):
        center = 0.05 + (number + 0.5) * _CELL
        side = min(_SQUARE, _MOST * pixels / max(bucket.width, bucket.height))
        wide, high = side * bucket.width / pixels, side * bucket.height / pixels
        box, square = (center - wide / 2, bottom), (center - side / 2, bottom)
        fill = to_rgba(COLORS[theme][0], 0.3 + 0.7 * len(bucket.images) / most)
        axes.add_patch(Rectangle(box, wide, high, fc=fill, ec=COLORS[theme][0], lw=0.8))
        outline: dict[str, Any] = {"fill": False, "ls": ":", "lw": 0.9, "ec": inks.quiet}
        axes.add_patch(Rectangle(square, side, side, **outline))
        cropped = f"{bucket.cropped:.0%} cropped" if bucket.cropped >= 0.005 else "not cropped"
        sides = f"{bucket.width} × {bucket.height}"
        axes.text(center, bottom - 0.06, plural(len(bucket.images), "image"), fontsize=9, **below)
        words: dict[str, Any] = {"fontsize": 8.5, "color": inks.quiet, **below}
        axes.text(center, bottom - 0.24, f"{sides}\n{cropped}", **words)
    if rest := row[len(shown) :]:
        images = plural(sum(len(bucket.images) for bucket in rest), "image")
        text = f"and {images}\nin {len(rest)} more"
        center = 0.05 + (_SHOWN - 0.5) * _CELL
        axes.text(center, bottom + 0.3, text, color=inks.quiet, va="center", ha="center", size=9)


def _in_words(plan: BucketPlan) -> str:
    first = [
        f"at {bucket.resolution} {len(bucket.images)} of {bucket.width} × {bucket.height}"
        for bucket in plan.buckets[:12]
    ]
    more = ", …" if len(plan.buckets) > len(first) else ""
    return f"{_title(plan)}; {', '.join(first)}{more}"
