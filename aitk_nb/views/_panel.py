"""`Panel`: what a monitor shows while it watches, as one output of a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
from IPython.display import DisplayHandle, display

from aitk_nb import _html
from aitk_nb.models import JobState
from aitk_nb.views._action import Action
from aitk_nb.views._form import close_all, view_of
from aitk_nb.views.loss_plot import LossFigure

__all__ = ["Panel"]


class Panel:
    """Status line, progress, plot, a button to stop, and an area for errors.

    It is one output: widgets while the job is watched, and the last picture when that ends, so
    that a saved notebook shows the picture without any widget.
    """

    def __init__(self, stop: Callable[[], object] | None) -> None:
        """Make the widgets; `stop` is what the button does, and without it there is none."""
        self._line = widgets.HTML()
        self._bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="60%"))
        self._picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self._area = widgets.HTML()
        self._figure: LossFigure | None = None
        self._handle: DisplayHandle | None = None
        self._is_shown = False
        self.error = ""
        """The last failure, until something succeeds."""
        self.stop: Action | None = None
        row: list[widgets.Widget] = [self._bar]
        if stop is not None:
            self.stop = Action("Stop the job", "Stopping …", stop, self.say, done=_nothing)
            row.append(self.stop.button)
        self.widget = widgets.VBox(
            [self._line, widgets.HBox(row), self._area, self._picture],
        )

    def show(self, line: str, state: JobState, figure: LossFigure | None) -> None:
        """Show the job as it stands; without `figure` the picture stays."""
        self._line.value = str(_html.status([_html.join([_html.strong(state.name), " ", line])]))
        self._bar.value = state.progress or 0.0
        if self.stop is not None:
            self.stop.button.layout.display = "" if state.status.is_active else "none"
        if figure is not None:
            png, (width, _) = figure.png(), figure.figure.get_size_inches()
            # Drawn at double density: at its natural width it is sharp on any screen.
            self._figure, self._picture.value = figure, png
            self._picture.width = str(round(width * 100))
        if not self._is_shown:
            # Outside IPython this prints a line, and there is no handle.
            self._is_shown = True
            self._handle = display(_Bundle(self._figure, self.widget), display_id=True)

    def say(self, text: str, kind: _html.Kind) -> None:
        """Show a message below the progress; an empty one takes the last away."""
        self.error = text if kind == "error" else ""
        self._area.value = str(_html.status([_html.message(text, kind)])) if text else ""

    def end(self) -> None:
        """Leave the picture alone, with the last failure if there is one, and free the widgets."""
        if self._handle is not None:
            self._handle.update(_Bundle(self._figure, None))
        close_all(self.widget)
        if self.error:
            display(_Remark(self.error))


class _Bundle:
    """A plot, and the widget that shows it while there is one."""

    def __init__(self, figure: LossFigure | None, widget: widgets.Widget | None) -> None:
        self._figure = figure
        self._widget = widget

    def __repr__(self) -> str:
        return repr(self._figure)

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data: dict[str, Any] = {}
        metadata: dict[str, Any] = {}
        if self._figure is not None:
            data, metadata = self._figure._repr_mimebundle_()
        return data | (view_of(self._widget) if self._widget else {}), metadata


class _Remark:
    """A failure that is still true when the panel has gone."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return _html.message(self._text, "error")


def _nothing(_result: object) -> str:
    return ""
