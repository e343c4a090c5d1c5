"""`plot_buckets`: the sizes that the trainer gives the images of a dataset, drawn to scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from aitk_nb.datasets.local.buckets import Bucket, BucketPlan
from aitk_nb.errors import BadInput
from aitk_nb.views.plots.loss_plot import LossFigure
from aitk_nb.views.plots.style import INKS, Theme, check_theme, own_style

_SHOWN = 7
"""Buckets of one resolution that are drawn; the others are counted."""
_GAP = 0.16
"""Between two boxes, in sides of the resolution's square."""
_LETTER = 0.085
"""Width of a small letter, in the same unit."""


class BucketFigure(LossFigure):
    """A picture of buckets, which a notebook shows as a PNG; from `plot_buckets`.

    Example:
        >>> plan = aitk_nb.LocalDataset(photos).buckets(resolution=[512])
        >>> aitk_nb.views.plot_buckets(plan).save("buckets.svg").name
        'buckets.svg'
    """


def plot_buckets(plan: BucketPlan, *, theme: Theme = "light") -> BucketFigure:
    """Return a picture of a plan: each bucket as a box of its shape, with its number of images.

    There is one row for each resolution, whose square is the dotted outline: a much smaller box
    holds images that are smaller than the resolution.

    Args:
        plan: What to draw.
        theme: Colors for a light or a dark page.

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
        figure = Figure((9.0, 0.5 + 1.75 * len(rows)))
        figure.suptitle(_title(plan), x=0.02, ha="left", fontsize=11, weight="bold")
        drawn = figure.subplots(len(rows), squeeze=False)[:, 0]
        width = max(_draw_row(axes, row, theme) for axes, row in zip(drawn, rows, strict=True))
        for axes in drawn:
            # The same scale in all rows, so that their squares are of one size.
            axes.set_xlim(-0.05, max(width, _SHOWN * (1.0 + _GAP) + 1.6))
    return BucketFigure(figure, f"<buckets of {plan.images} images>", _in_words(plan), theme)


def _title(plan: BucketPlan) -> str:
    batch = f" of {plan.batch_size} images" if plan.batch_size > 1 else ""
    return f"{plan.images} images, {plan.steps_per_epoch} steps{batch} per epoch"


def _draw_row(axes: Axes, row: Sequence[Bucket], theme: Theme) -> float:
    """Draw the buckets of one resolution, and return the width; in sides of its square."""
    inks = INKS[theme]
    fills = LinearSegmentedColormap.from_list("images", [inks.few, inks.many])
    pixels, most = row[0].resolution, max(len(bucket.images) for bucket in row)
    axes.set_axis_off()
    axes.text(0, 1.42, f"resolution {pixels}", fontsize=9, va="top")
    place = 0.0
    for bucket in row[:_SHOWN]:
        wide, high, share = bucket.width / pixels, bucket.height / pixels, len(bucket.images) / most
        cropped = f"{bucket.cropped:.0%} cropped" if bucket.cropped >= 0.005 else "not cropped"
        names = f"{bucket.width} × {bucket.height}", cropped
        room = max(wide, 1.0, _LETTER * max(map(len, names)))
        center = place + room / 2
        axes.add_patch(Rectangle((center - wide / 2, 0), wide, high, color=fills(share), lw=0))
        axes.add_patch(
            Rectangle((center - 0.5, 0), 1, 1, fill=False, ls=":", lw=0.8, ec=inks.quiet)
        )
        ink = inks.paper if share > 0.5 else inks.ink
        many: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 10, "color": ink}
        axes.text(center, high / 2, str(len(bucket.images)), **many)
        below: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 7, "color": inks.quiet}
        axes.text(center, -0.06, "\n".join(names), **below)
        place += room + _GAP
    if rest := row[_SHOWN:]:
        images = sum(len(bucket.images) for bucket in rest)
        text = f"and {images} image{'s' if images > 1 else ''}\nin {len(rest)} more"
        axes.text(place, 0.5, text, color=inks.quiet, va="center", fontsize=8)
        place += 1.2
    axes.set_ylim(-0.52, 1.45)
    axes.set_aspect("equal", anchor="NW")
    return place


def _in_words(plan: BucketPlan) -> str:
    first = [
        f"at {bucket.resolution} {len(bucket.images)} of {bucket.width} × {bucket.height}"
        for bucket in plan.buckets[:12]
    ]
    more = ", …" if len(plan.buckets) > len(first) else ""
    return f"{_title(plan)}; {', '.join(first)}{more}"
