"""`plot_buckets`: a picture of the sizes that the trainer gives the images of a dataset."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from aitk_nb.datasets.local.buckets import Bucket, BucketPlan
from aitk_nb.errors import BadInput
from aitk_nb.views.plots.loss_plot import LossFigure
from aitk_nb.views.plots.style import Theme, own_style

__all__ = ["BucketFigure", "plot_buckets"]

_INKS = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "quiet": "#59636e"},
    "dark": {"paper": "#1b1f24", "ink": "#e6edf3", "quiet": "#9aa4ae"},
}
# Few images and many, from faint to strong; the number stands in each.
_FILLS = {"light": ("#d7e8f4", "#0072B2"), "dark": ("#23394a", "#56B4E9")}
_SHOWN = 7
"""Buckets of one resolution that are drawn; the others are counted."""
_WIDTH = 9.0
_DPI = 150
_GAP = 0.16
"""Between two boxes, in sides of the resolution's square."""
_LETTER = 0.085
"""Width of a small letter, in the same unit."""


class BucketFigure(LossFigure):
    """A drawn plan of buckets; the last line of a cell shows it, once and as a PNG."""


def plot_buckets(plan: BucketPlan, *, theme: Theme = "light") -> BucketFigure:
    """Return a picture of a plan: each bucket as a box of its shape, with its number of images.

    One row for each resolution, whose square is the dashed outline: a box that is much smaller
    holds pictures that are smaller than the resolution.

    Raises:
        BadInput: the plan is empty, or `theme` cannot be used.
    """
    if theme not in _INKS:
        raise BadInput(f"The theme is 'light' or 'dark', not {theme!r}.")
    if not plan.buckets:
        raise BadInput("There is no image that could be put into a bucket.")
    rows = [
        [bucket for bucket in plan.buckets if bucket.resolution == pixels]
        for pixels in plan.resolutions
    ]
    with own_style():
        paper = _INKS[theme]["paper"]
        figure = Figure(figsize=(_WIDTH, 0.5 + 1.75 * len(rows)), dpi=_DPI, facecolor=paper)
        figure.suptitle(
            _title(plan), x=0.02, ha="left", color=_INKS[theme]["ink"], fontsize=11, weight="bold"
        )
        top = 1 - 0.45 / figure.get_size_inches()[1]
        high = top / len(rows)
        areas = [(0.02, top - (number + 1) * high, 0.96, high) for number in range(len(rows))]
        drawn = [figure.add_axes(area) for area in areas]
        width = max(_draw_row(axes, row, theme) for axes, row in zip(drawn, rows, strict=True))
        for axes in drawn:
            # The same scale in all rows, so that their squares are of one size.
            axes.set_xlim(-0.05, max(width, _SHOWN * (1.0 + _GAP) + 1.6))
    label = f"<buckets of {plan.images} images>"
    return BucketFigure(figure, label, _in_words(plan))


def _title(plan: BucketPlan) -> str:
    batch = f" of {plan.batch_size} images" if plan.batch_size > 1 else ""
    return f"{plan.images} images: an epoch has {plan.steps_per_epoch} steps{batch}"


def _draw_row(axes: Axes, row: Sequence[Bucket], theme: Theme) -> float:
    """Draw the buckets of one resolution, and return the width; in sides of its square."""
    inks, (faint, strong) = _INKS[theme], _FILLS[theme]
    pixels, most = row[0].resolution, max(len(bucket.images) for bucket in row)
    axes.set_axis_off()
    axes.text(0, 1.42, f"resolution {pixels}", color=inks["ink"], fontsize=9, va="top")
    place = 0.0
    for bucket in row[:_SHOWN]:
        wide, high = bucket.width / pixels, bucket.height / pixels
        names = _lines(bucket)
        room = max(wide, 1.0, _LETTER * max(map(len, names)))
        left = place + (room - wide) / 2
        share = len(bucket.images) / most
        box = Rectangle((left, 0), wide, high, color=_mixed(faint, strong, share), linewidth=0)
        axes.add_patch(box)
        corner = (place + (room - 1) / 2, 0)
        square = Rectangle(corner, 1, 1, fill=False, ls=":", lw=0.8, ec=inks["quiet"])
        axes.add_patch(square)
        ink = inks["paper"] if share > 0.5 else inks["ink"]
        many = str(len(bucket.images))
        centre = place + room / 2
        axes.text(centre, high / 2, many, color=ink, ha="center", va="center", fontsize=10)
        text = "\n".join(names)
        axes.text(centre, -0.06, text, color=inks["quiet"], ha="center", va="top", fontsize=7)
        place += room + _GAP
    if len(row) > _SHOWN:
        rest = row[_SHOWN:]
        images = sum(len(bucket.images) for bucket in rest)
        text = f"and {images} images\nin {len(rest)} more"
        axes.text(place, 0.5, text, color=inks["quiet"], va="center", fontsize=8)
        place += 1.2
    axes.set_ylim(-0.52, 1.45)
    axes.set_aspect("equal", anchor="NW")
    return place


def _lines(bucket: Bucket) -> tuple[str, ...]:
    size = f"{bucket.width} × {bucket.height}"
    cropped = f"{bucket.cropped:.0%} cropped" if bucket.cropped >= 0.005 else "nothing cropped"
    return (size, cropped)


def _mixed(faint: str, strong: str, share: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    pairs = zip(to_rgb(faint), to_rgb(strong), strict=True)
    red, green, blue = (low + (high - low) * share for low, high in pairs)
    return red, green, blue


def _in_words(plan: BucketPlan) -> str:
    first = [
        f"at {bucket.resolution} {len(bucket.images)} of {bucket.width} × {bucket.height}"
        for bucket in plan.buckets[:12]
    ]
    more = ", …" if len(plan.buckets) > len(first) else ""
    return f"{_title(plan)}; {', '.join(first)}{more}"
