"""`CaptionCard`: one image with its caption, which can be enlarged and left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb.datasets.local.problems import Problem

_SMALL, _LARGE = 180, 560
"""Height of the picture in CSS pixels."""


class CardLayouts:
    """What the cards of one form share, so that it has few models."""

    def __init__(self) -> None:
        self.text = widgets.Layout(width="auto", flex_flow="column", align_items="stretch")
        self.invisible = {"button_color": "transparent", "font_size": "0"}
        self.above = {"description_width": "fit-content"}
        self.badges = widgets.Layout(flex="1 1 auto", min_width="0")
        self.button = widgets.Layout(width="auto", flex="0 0 auto")
        self.below = widgets.Layout(align_items="flex-start", justify_content="space-between")


class CaptionCard:
    """The widgets of one card; it says nothing of its own."""

    def __init__(self, shared: CardLayouts) -> None:
        """Make an empty card."""
        self.image: Path | None = None
        """What it shows, or has shown last."""
        self.caption = ""
        """What it was filled with."""
        self._picture = widgets.HTML()
        # An invisible button over the picture: a click there, or the keyboard, enlarges it.
        self._over = widgets.Layout(width="auto")
        self.enlarge = widgets.Button(layout=self._over, style=shared.invisible)
        self.text = widgets.Textarea(
            placeholder="no caption",
            continuous_update=False,
            rows=4,
            layout=shared.text,
            style=shared.above,
        )
        self._badges = widgets.HTML(layout=shared.badges)
        self.leave_out = widgets.Button(layout=shared.button)
        below = widgets.HBox([self._badges, self.leave_out], layout=shared.below)
        self.box = widgets.VBox([self._picture, self.enlarge, self.text, below])

    def show(
        self,
        image: Path,
        caption: str,
        picture: bytes,
        problems: Sequence[Problem] = (),
        *,
        is_large: bool = False,
        is_marked: bool = False,
        is_left_out: bool = False,
    ) -> None:
        """Show an image.

        Args:
            image: Its file, whose name labels the caption.
            caption: Its caption.
            picture: A JPEG of it; empty if it can't be shown.
            problems: What is wrong with it.
            is_large: Whether it takes the whole width.
            is_marked: Whether it is the one that somebody looks for.
            is_left_out: Whether it is not used.
        """
        self.image, self.caption, name = image, caption, image.name
        height = f"{_LARGE if is_large else _SMALL}px"
        framed = html.framed(picture, name, height, is_faint=is_left_out)
        self._picture.value = str(framed)
        self._over.height, self._over.margin = height, f"calc(-4px - {height}) 2px 2px"
        self.enlarge.description = f"{'Shrink' if is_large else 'Enlarge'} {name}"
        self.enlarge.disabled = not picture
        self.text.description = self.text.tooltip = name
        self.text.value = caption
        self.leave_out.description = "Put back" if is_left_out else "Leave out"
        badges = [html.badge(problem.name, problem.status.kind) for problem in problems[:3]]
        badges = [html.badge("left out", "info")] if is_left_out else badges
        self._badges.value = str(html.join(badges, " "))
        self.box.layout.grid_column = "1 / -1" if is_large else "auto"
        color = "var(--jp-brand-color1,#1976d2)" if is_marked else "transparent"
        self.box.layout.border_left = f"3px solid {color}"

    def clear(self) -> None:
        """Show nothing: a hidden card keeps no image, so that what a notebook stores is small."""
        self._picture.value = self._badges.value = ""
