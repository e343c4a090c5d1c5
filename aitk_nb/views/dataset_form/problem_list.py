"""`ProblemList`: the problems of a dataset; choosing one shows its image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from aitk_nb import _html
from aitk_nb.datasets.local.problems import Problem

_SHOWN = 200
_ROWS = 8


class ProblemList:
    """A list for the keyboard, and the remedy of the chosen problem."""

    def __init__(self, on_choice: Callable[[Problem], None]) -> None:
        """Call `on_choice` with the chosen problem."""
        self._on_choice = on_choice
        self._problems: Sequence[Problem] = ()
        self._is_filling = False
        self.choice = widgets.Select(layout=widgets.Layout(width="100%", max_width="60em"))
        self._remedy = widgets.HTML()
        self.widget = widgets.VBox([self.choice, self._remedy])
        self.choice.observe(self._chosen, names="index")

    def show(self, problems: Sequence[Problem]) -> None:
        """Show problems; a choice that is still among them is kept."""
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
        self._remedy.value = str(_html.note(f"and {more} more. {hint}" if more else hint))

    def _chosen(self, change: Mapping[str, Any]) -> None:
        if self._is_filling or change["new"] is None:
            return
        problem = self._problems[change["new"]]
        self._remedy.value = str(_html.status([_html.message(f"{problem}.", problem.status.kind)]))
        self._on_choice(problem)


def _label(problem: Problem) -> str:
    text = f"{problem.status.sign} {problem.message}".replace("\n", " ")
    return text if len(text) <= 160 else f"{text[:160]}…"
