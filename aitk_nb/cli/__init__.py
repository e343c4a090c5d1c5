"""The command line: `aitk-nb`.

Exit codes: 0 done; 1 the server or the job failed; 2 bad input; 3 server unreachable, or still
starting; 4 authentication failed; 130 interrupted by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

from aitk_nb.cli.app import app, as_far_as_it_goes

__all__ = ["app", "main"]


def main(name: str | None = None) -> None:
    """Run the command line, calling it `name` in help texts."""
    as_far_as_it_goes()
    app(prog_name=name)
