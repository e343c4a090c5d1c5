"""`Panel`: what a monitor shows while it watches, as one output of a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from IPython.display import DisplayHandle, display

from aitk_nb import _html
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.views.action import Action
from aitk_nb.views.monitor.activity import Thumbnail
from aitk_nb.views.plots.loss_plot import LossFigure
from aitk_nb.views.widgets import Notice, close_all, view_of


@dataclass(frozen=True, slots=True)
class Actions:
    """What the buttons do; None for no button."""

    stop: Callable[[], object] | None = None
    save: Callable[[], object] | None = None
    sample: Callable[[], object] | None = None
    repair: Callable[[], object] | None = None


class Panel:
    """Status line, progress, plot, buttons, messages, and the activity of a job.

    It is one output: widgets while the job is watched, and the last plot when that ends, so that a
    saved notebook shows the plot without any widget.
    """

    def __init__(self, actions: Actions) -> None:
        """Make the widgets, with a button for each action."""
        self._texts = [widgets.HTML() for _ in range(6)]
        self._line, self._health, self._area, self._beside, self._log, self._samples = self._texts
        self._bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="40%"))
        self._picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self._figure: LossFigure | None = None
        self._handle: DisplayHandle | None = None
        self._is_shown = False
        self._warned = ""
        self.error = ""
        """The last failure, until something succeeds."""
        self.stop = self._button("Stop the job", "Stopping …", actions.stop, "")
        self.save = self._button(
            "Save now",
            "Requesting …",
            actions.save,
            "A checkpoint is written at the end of the next step.",
        )
        self.sample = self._button(
            "Sample now",
            "Requesting …",
            actions.sample,
            "Samples are made at the end of the next step.",
        )
        self.repair = None if actions.repair is None else Repair(actions.repair, self.say)
        row = [one.button for one in (self.stop, self.save, self.sample) if one is not None]
        below = [] if self.repair is None else [self.repair.widget]
        self.widget = widgets.VBox(
            [
                *(self._line, widgets.HBox([self._bar, *row]), self._health, *below, self._area),
                *(self._picture, self._beside, self._log, self._samples),
            ]
        )

    def _button(
        self, label: str, busy: str, act: Callable[[], object] | None, done: str
    ) -> Action | None:
        return None if act is None else Action(label, busy, act, self.say, lambda _result: done)

    def show(self, line: str, state: JobState, figure: LossFigure | None) -> None:
        """Show the state of the job; without `figure` the plot stays."""
        self._line.value = str(_html.status([_html.join([_html.strong(state.name), " ", line])]))
        self._bar.value = state.progress or 0.0
        runs = state.status is JobStatus.RUNNING
        usable = (state.status.is_active, runs, runs)
        for action, is_usable in zip((self.stop, self.save, self.sample), usable, strict=True):
            if action is not None:
                action.button.layout.display = "" if is_usable else "none"
        if figure is not None:
            png, (width, _) = figure.png(), figure.figure.get_size_inches()
            # Drawn at double density: at its natural width it is sharp on any screen.
            self._figure, self._picture.value = figure, png
            self._picture.width = str(round(width * 100))
        if not self._is_shown:
            # Outside IPython this prints a line, and there is no handle.
            self._is_shown = True
            self._handle = display(_Bundle(self._figure, self.widget), display_id=True)

    def show_health(self, health: Health) -> None:
        """Show what is wrong or waited for, and remove it when it is right again."""
        waits = health.state in {HealthState.UNREACHABLE, HealthState.QUEUED}
        text = str(health) if health.is_bad or waits else ""
        if self.repair is not None:
            self.repair.offer(health.can_be_repaired)
        if text != self._warned:
            kind: _html.Kind = "info" if health.state is HealthState.QUEUED else "warning"
            self._health.value = str(_html.status([_html.message(text, kind)] if text else []))
            self._warned = text

    def show_activity(self, line: str, log: str, samples: Iterable[Thumbnail]) -> None:
        """Show a line on GPU and cost, the end of the log, and the newest samples."""
        self._beside.value = str(_html.note(line)) if line else ""
        self._log.value = str(_html.code(log)) if log else ""
        self._samples.value = str(_html.pictures(samples))

    def say(self, text: str, kind: _html.Kind) -> None:
        """Show a message below the progress; an empty one removes the last."""
        self.error = text if kind == "error" else ""
        self._area.value = str(_html.status([_html.message(text, kind)])) if text else ""

    @property
    def _actions(self) -> list[Action]:
        repair = None if self.repair is None else self.repair.yes
        return [one for one in (self.stop, self.save, self.sample, repair) if one is not None]

    @property
    def is_busy(self) -> bool:
        """True while a button's action runs."""
        return any(action.is_running for action in self._actions)

    def wait(self) -> None:
        """Return when no button's action runs anymore."""
        for action in self._actions:
            action.wait()

    def end(self) -> None:
        """Leave only the plot, with the last failure if there is one, and free the widgets."""
        if self._handle is not None:
            self._handle.update(_Bundle(self._figure, None))
        # A run by papermill stores the state of closed widgets too.
        for part in self._texts:
            part.value = ""
        self._picture.value = b""
        close_all(self.widget)
        if self.error:
            # The failure still holds when the panel is gone.
            display(Notice(self.error, "error"))


class _Bundle:
    """A plot, and the widget that shows it while there is one."""

    def __init__(self, figure: LossFigure | None, widget: widgets.Widget | None) -> None:
        self._figure = figure
        self._widget = widget

    def __repr__(self) -> str:
        return repr(self._figure)

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self._figure._repr_mimebundle_() if self._figure else ({}, {})
        return data | (view_of(self._widget) if self._widget else {}), metadata


_QUESTION = (
    "Mark it as stopped? Only do this for a job whose process is gone: no signal is sent, so a "
    "process that still exists goes on and holds the GPU."
)


class Repair:
    """A button that appears when it may help, and two more that confirm."""

    def __init__(self, act: Callable[[], object], say: Callable[[str, _html.Kind], None]) -> None:
        """Run `act` once it is confirmed; report the result with `say`."""
        narrow = widgets.Layout(width="auto", align_self="flex-start")
        self.ask = widgets.Button(description="Mark as stopped …", layout=narrow)
        self.yes = Action(
            "Yes, mark it", "Marking …", act, say, lambda _result: "Marked as stopped."
        )
        self.no = widgets.Button(description="Cancel", layout=narrow)
        self._question = widgets.VBox(
            [
                widgets.HTML(str(_html.message(_QUESTION, "warning"))),
                widgets.HBox([self.yes.button, self.no]),
            ],
            layout=widgets.Layout(display="none"),
        )
        self.ask.on_click(lambda _button: self._show(asking=True))
        self.no.on_click(lambda _button: self._show(asking=False))
        self.yes.button.on_click(lambda _button: self._show(asking=False))
        self.widget = widgets.VBox([self.ask, self._question])
        self.offer(False)

    def offer(self, may_help: bool) -> None:
        """Show the button, or remove it and its question."""
        self.widget.layout.display = "" if may_help else "none"
        if not may_help:
            self._show(asking=False)

    def _show(self, *, asking: bool) -> None:
        self._question.layout.display = "" if asking else "none"
        self.ask.layout.display = "none" if asking else ""
