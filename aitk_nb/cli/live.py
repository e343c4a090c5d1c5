"""`Screen`: what a terminal shows of a job while it is watched."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from aitk_nb.cli.chart import chart
from aitk_nb.cli.sanitize import plain
from aitk_nb.jobs.progress import cost_line, status_line

if TYPE_CHECKING:
    from aitk_nb.jobs.watcher import Glance, Watcher

__all__ = ["Screen"]

_WIDEST = 100


class Screen:
    """A progress line, a small chart, and what is wrong; drawn over itself on stderr."""

    def __init__(
        self, name: str, price_per_hour: float = 0.0, console: Console | None = None
    ) -> None:
        """Show the job `name`; with a `price_per_hour`, its cost."""
        self._name = name
        self._price = price_per_hour
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    @property
    def is_usable(self) -> bool:
        """True where lines can be drawn over."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, glance: Glance, watcher: Watcher) -> None:
        """Draw a look at the job."""
        left = watcher.pace.left(glance.state)
        words = (
            f"{self._name}  {status_line(glance.state, watcher.pace)}",
            cost_line(self._price, watcher.history, left),
        )
        # As text: what a server says is no markup, and no command to the terminal either.
        parts: list[RenderableType] = [Text(plain(" · ".join(filter(None, words))))]
        width = min(self._console.width, _WIDEST)
        if (share := glance.state.progress) is not None:
            parts.append(ProgressBar(total=1.0, completed=share, width=width))
        ascii_only = not self._console.encoding.lower().startswith("utf")
        if drawn := chart(watcher.history, width, ascii_only=ascii_only):
            parts.append(Text(drawn))
        if glance.health.is_bad or glance.health.state.value in {"queued", "unreachable"}:
            parts.append(Text(plain(str(glance.health)), style="yellow"))
        self._live.update(Group(*parts), refresh=True)
