"""`SavedFiles`: where files lie, with a link to each on a page that serves them."""

from __future__ import annotations

from pathlib import Path

from aitk_nb._display import html, session


class SavedFiles:
    """Shows the paths of files; in JupyterLab and Notebook a click downloads one.

    Example:
        >>> aitk_nb.views.SavedFiles("runs/cat.safetensors")
        runs/cat.safetensors
    """

    def __init__(self, *paths: str | Path) -> None:
        """Show these paths, as they are given.

        Args:
            *paths: Files, which need not be there.
        """
        self._paths = [Path(path) for path in paths]

    def __repr__(self) -> str:
        return "\n".join(map(str, self._paths))

    def _repr_html_(self) -> str:
        return html.join(
            html.download(path, _below(path)) if is_served(path) else html.line(path)
            for path in self._paths
        )


def is_served(path: Path) -> bool:
    """Return whether the page that shows the running cell can fetch a file."""
    # Jupyter serves what lies beside a notebook or below, which is where its kernel runs.
    return session.is_attended() and path.is_file() and path.resolve().is_relative_to(Path.cwd())


def _below(path: Path) -> str:
    return path.resolve().relative_to(Path.cwd()).as_posix()
