"""`LiveView`: a watched job on a terminal."""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from aitk_nb.cli.app import plain
from aitk_nb.cli.chart import chart
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.progress import cost_line, status_line
from aitk_nb.jobs.watcher import Update, Watcher

_WIDEST = 100


class LiveView(Live):
    """A status line, a progress bar, a small chart, and what is wrong; redrawn on stderr."""

    def __init__(
        self, name: str, price_per_hour: float = 0.0, console: Console | None = None
    ) -> None:
        """Show the job `name`; with a `price_per_hour`, its cost."""
        console = console or Console(stderr=True, highlight=False)
        super().__init__(console=console, auto_refresh=False)
        self._name = name
        self._price = price_per_hour

    @property
    def is_usable(self) -> bool:
        """True where lines can be drawn over."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def show(self, update: Update, watcher: Watcher) -> None:
        """Draw an update of the job."""
        left = watcher.rate.seconds_left(update.state)
        words = (
            f"{self._name}  {status_line(update.state, watcher.rate)}",
            cost_line(self._price, watcher.history, left),
        )
        # As text: what a server says is not markup, and no command to the terminal either.
        parts: list[RenderableType] = [Text(plain(" · ".join(filter(None, words))))]
        width = min(self.console.width, _WIDEST)
        if (share := update.state.progress) is not None:
            parts.append(ProgressBar(total=1.0, completed=share, width=width))
        ascii_only = not self.console.encoding.lower().startswith("utf")
        if drawn := chart(watcher.history, width, ascii_only=ascii_only):
            parts.append(Text(drawn))
        health = update.health
        if health.is_bad or health.state in {HealthState.QUEUED, HealthState.UNREACHABLE}:
            parts.append(Text(plain(str(health)), style="yellow"))
        self.update(Group(*parts), refresh=True)
