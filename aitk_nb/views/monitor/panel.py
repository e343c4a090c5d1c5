"""`Panel`: what a monitor shows while it watches, as one output of a cell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import ipywidgets as widgets
from IPython.display import DisplayHandle, display

from aitk_nb._display import html
from aitk_nb.jobs.health import Health, HealthState
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.samples import prompts_of
from aitk_nb.models.job import JobState, JobStatus
from aitk_nb.models.server import Ability
from aitk_nb.views.action import Action, ConfirmedAction
from aitk_nb.views.monitor.activity import Activity
from aitk_nb.views.plots.loss_plot import LossFigure
from aitk_nb.views.widgets import Notice, close_all, view_of

_WIDTH = "min(100%, 700px)"

_STOP = (
    "Stop the job? Its steps since the last checkpoint are lost: Save now writes one. A job that "
    "waits is taken out of its queue."
)
_REPAIR = (
    "Mark it as stopped? Only do this for a job whose process is gone: no signal is sent, so a "
    "process that still exists goes on and holds the GPU."
)
_SAVE = "A checkpoint is written at the end of the next step."
_SAMPLE = "Samples are made at the end of the next step."


class Panel:
    """Status, progress, buttons, messages, plot, and the activity of a job.

    It is one output: widgets while the job is watched, and afterwards a page without any, so that a
    saved notebook shows it. Each part has its height from the start, so that nothing moves.
    """

    def __init__(
        self,
        job: Job,
        activity: Activity,
        on_stop: Callable[[], object] | None = None,
        *,
        keeps_all: bool = False,
    ) -> None:
        """Make the widgets, with a button for each action that the job's server supports.

        Args:
            job: The job that the buttons act on.
            activity: What stands beside the plot.
            on_stop: What the stop button does; by default `job.stop`.
            keeps_all: Whether log and samples stay afterwards too; the plot always does.
        """
        self._activity = activity
        self._keeps_all = keeps_all
        self._line = _text(min_height="44px")
        self._bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width=_WIDTH))
        self._health, self._area = _text(), _text()
        # HTML, because a picture in a widget of its own has no words for those who can't see it.
        self._picture = _text()
        self._beside = _text(min_height="40px")
        self._log = _text(height="132px", overflow="auto")
        # The steps to choose from, and for each prompt its words, pictures and a scroll bar.
        rows = min(len(prompts_of(job.state.config)), 3)
        self._samples = _text(height=f"{45 + 175 * rows}px", overflow="auto")
        self._figure: LossFigure | None = None
        self._handle: DisplayHandle | None = None
        self._state: JobState | None = None
        self._seen = ""
        self._is_shown = False
        self._warned = ""
        self.requested: Literal["", "save", "sample"] = ""
        """What was asked for last, until the server has begun with it."""
        self.error = ""
        """The last failure, until something succeeds."""
        self.stop: ConfirmedAction | None = None
        self.repair: ConfirmedAction | None = None
        if on_stop is not None or job.can(Ability.STOP):
            answer, act = ("Yes, stop it", "Stopping …"), on_stop or job.stop
            self.stop = ConfirmedAction("Stop the job …", _STOP, answer, act, self.say)
            self.stop.ask.layout.margin = "2px 2px 2px auto"
        if job.can(Ability.STOP):
            words = ("Mark as stopped …", _REPAIR, ("Yes, mark it", "Marking …"))
            self.repair = ConfirmedAction(*words, lambda: job.repair(confirmed=True), self.say)
            self.repair.offer(False)
        can_save, can_sample = job.can(Ability.SAVE_NOW), job.can(Ability.SAMPLE_NOW)
        self.save = self._button("Save now", "save", job.save_now, _SAVE) if can_save else None
        self.sample = (
            self._button("Sample now", "sample", job.sample_now, _SAMPLE) if can_sample else None
        )
        asking = [one for one in (self.stop, self.repair) if one is not None]
        row = [one.button for one in (self.save, self.sample) if one is not None]
        row += [] if self.stop is None else [self.stop.ask]
        wrapped = widgets.Layout(flex_flow="row wrap", width=_WIDTH, min_height="36px")
        below = [self._health] + ([] if self.repair is None else [self.repair.ask])
        messages = [*below, self._area, *(one.question for one in asking)]
        self.widget = widgets.VBox(
            [
                *(self._line, self._bar, widgets.HBox(row, layout=wrapped)),
                widgets.VBox(messages, layout=widgets.Layout(min_height="32px")),
                *(self._picture, self._beside),
                *([self._log] if activity.has_log else []),
                *([self._samples] if activity.makes_samples else []),
            ]
        )

    def _button(
        self, label: str, word: Literal["save", "sample"], act: Callable[[], object], done: str
    ) -> Action:
        def told(_result: object) -> str:
            self.requested = word
            return done

        return Action(label, "Requesting …", act, self.say, told)

    def show(self, line: str, pace: str, state: JobState, figure: LossFigure | None) -> None:
        """Show the state of the job, and how fast it goes; without `figure` the plot stays."""
        self._state, self._seen = state, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        head = html.join([html.strong(state.name), " ", line])
        self._line.value = str(html.join([html.status([head]), html.note(pace)]))
        self._bar.value = state.progress or 0.0
        runs = state.status is JobStatus.RUNNING
        for action in (self.save, self.sample):
            if action is not None:
                action.button.layout.display = "" if runs else "none"
        if self.stop is not None:
            self.stop.offer(state.status.is_active)
        if figure is not None:
            self._figure, self._picture.value = figure, str(figure.html())
        if not self._is_shown:
            # Outside IPython this prints a line, and there is no handle.
            self._is_shown = True
            self._handle = display(self._page(view_of(self.widget)), display_id=True)

    def settle(self, asked: str, state: JobState) -> None:
        """Drop what is said of a request once `state`, which is younger, shows it begun."""
        waits = state.save_requested if asked == "save" else state.sample_requested
        if asked and asked == self.requested and not waits:
            self.requested = ""
            self.say("", "info")

    def show_health(self, health: Health) -> None:
        """Show what is wrong or waited for, and remove it when it is right again."""
        waits = health.state in {HealthState.UNREACHABLE, HealthState.QUEUED}
        text = str(health) if health.is_bad or waits else ""
        if self.repair is not None:
            self.repair.offer(health.can_be_repaired)
        if text != self._warned:
            kind: html.Kind = "info" if health.state is HealthState.QUEUED else "warning"
            self._health.value = str(html.status([html.message(text, kind)] if text else []))
            self._warned = text

    def show_activity(self, line: str) -> None:
        """Show a line on GPU and cost, the end of the log, and the newest samples."""
        self._beside.value = str(html.note(line))
        self._log.value = str(html.code(self._activity.log))
        if self._activity.samples:
            self._samples.value = str(self._activity.samples.grid.html())

    def say(self, text: str, kind: html.Kind) -> None:
        """Show a message below the buttons; an empty one removes the last."""
        self.error = text if kind == "error" else ""
        self._area.value = str(html.status([html.message(text, kind)])) if text else ""

    @property
    def _actions(self) -> list[Action]:
        asked = [one.yes for one in (self.stop, self.repair) if one is not None]
        return [*asked, *(one for one in (self.save, self.sample) if one is not None)]

    @property
    def is_busy(self) -> bool:
        """True while a button's action runs."""
        return any(action.is_running for action in self._actions)

    def wait(self) -> None:
        """Return when no button's action runs anymore."""
        for action in self._actions:
            action.wait()

    def end(self) -> None:
        """Leave a page with the last failure if there is one, and free the widgets."""
        if self._handle is not None:
            self._handle.update(self._page({}))
        # A run by papermill stores the state of closed widgets too.
        shown = (self._picture, self._beside, self._log, self._samples)
        for part in (self._line, self._health, self._area, *shown):
            part.value = ""
            close_all(part)
        close_all(self.widget)
        if self.error:
            # The failure still holds when the panel is gone.
            display(Notice(self.error, "error"))

    def _page(self, view: dict[str, Any]) -> _Page:
        parts: list[html.Html] = []
        is_over = self._state is None or self._state.status.is_final
        # At first not where notebooks are executed and compared: it holds the time.
        if self._state is not None and not is_over and (self._keeps_all or not view):
            what = f"{self._state.status.value} at step {self._state.step_text}"
            seen = f"{self._state.name} was {what} when last seen, {self._seen}. It may have gone "
            parts.append(html.message(f"{seen}on since: run the cell again to follow it."))
        if self._keeps_all:
            if self._activity.samples:
                parts.append(self._activity.samples._repr_html_())
            if self._activity.log:
                log = html.code(self._activity.log)
                parts.append(html.details("Last lines of the log", [log]))
        return _Page(self._figure, parts, view)


class _Page:
    """A plot with what stands beside it, and the widget that shows it while there is one."""

    def __init__(
        self, figure: LossFigure | None, parts: list[html.Html], view: dict[str, Any]
    ) -> None:
        self._figure = figure
        self._parts = parts
        self._view = view

    def __repr__(self) -> str:
        return repr(self._figure)

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self._figure._repr_mimebundle_() if self._figure else ({}, {})
        if self._parts and data:
            data["text/html"] = html.join([data["text/html"], *self._parts])
        return data | self._view, metadata


def _text(**layout: str) -> widgets.HTML:
    return widgets.HTML(layout=widgets.Layout(**layout))
