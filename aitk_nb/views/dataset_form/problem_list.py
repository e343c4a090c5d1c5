"""`ProblemList`: the problems of a dataset, and what can be done about all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from aitk_nb._display import html
from aitk_nb._units import plural
from aitk_nb.datasets.local.problems import Problem

_SHOWN = 200
_ROWS = 8


class ProblemList:
    """Buttons to fix or leave out what is wrong, and a list for the keyboard."""

    def __init__(self, on_choice: Callable[[Problem], None]) -> None:
        """Call `on_choice` with the chosen problem."""
        self._on_choice = on_choice
        self._problems: Sequence[Problem] = ()
        self._is_filling = False
        self.fix, self.leave_out, self.look = buttons = [
            widgets.Button(layout=widgets.Layout(width="auto")) for _ in range(3)
        ]
        self.fix.button_style = "primary"
        self._verdict = widgets.HTML()
        self.choice = widgets.Select(
            description="Problems",
            style={"description_width": "fit-content"},
            layout=widgets.Layout(
                width="auto", max_width="60em", flex_flow="column", align_items="stretch"
            ),
        )
        self._remedy = widgets.HTML()
        row = widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap"))
        self.widget = widgets.VBox([self._verdict, row, self.choice, self._remedy])
        self.choice.observe(self._chosen, names="index")

    def show(self, problems: Sequence[Problem], broken: int) -> None:
        """Show problems; a choice that is still among them is kept.

        Args:
            problems: What is wrong with the images that are not left out.
            broken: Number of images that an error is about.
        """
        files = {problem.file for problem in problems if problem.code.fixed}
        _offer(self.fix, f"Fix {plural(len(files), 'file')}", bool(files))
        _offer(self.leave_out, f"Leave out {broken}", broken > 0)
        _offer(self.look, "Look at them", bool(problems))
        text = f"{plural(broken, 'image')} can't be used, and will be left out unless fixed."
        self._verdict.value = str(html.message(text, "error")) if broken else ""
        if problems == self._problems and self.choice.options:
            return
        before = self._problems[self.choice.index] if self.choice.index is not None else None
        self._problems = tuple(problems[:_SHOWN])
        self._is_filling = True
        try:
            labels = [_label(problem) for problem in self._problems]
            self.choice.options = [(label, number) for number, label in enumerate(labels)]
            self.choice.rows = max(2, min(_ROWS, len(labels)))
            stays = before in self._problems
            self.choice.index = self._problems.index(before) if stays and before else None
        finally:
            self._is_filling = False
        self.widget.layout.display = "" if problems else "none"
        more = len(problems) - len(self._problems)
        hint = "Choose one to see its image and what to do."
        self._remedy.value = str(html.note(f"and {more} more. {hint}" if more else hint))

    def _chosen(self, change: Mapping[str, Any]) -> None:
        if self._is_filling or change["new"] is None:
            return
        problem = self._problems[change["new"]]
        self._remedy.value = str(html.status([html.message(f"{problem}.", problem.status.kind)]))
        self._on_choice(problem)


def _offer(button: widgets.Button, label: str, is_offered: bool) -> None:
    button.description, button.layout.display = label, "" if is_offered else "none"


def _label(problem: Problem) -> str:
    text = f"{problem.status.sign} {problem.message}".replace("\n", " ")
    return text if len(text) <= 160 else f"{text[:160]}…"
