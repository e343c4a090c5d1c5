"""The command line: `aitk-nb`.

Exit codes: 0 done; 1 the server or the job failed; 2 bad input; 3 server unreachable, or still
starting; 4 authentication failed; 130 interrupted by Ctrl-C or SIGTERM.
"""

import io
import sys

from aitk_nb.cli.app import app

__all__ = ["app", "main"]


def main(name: str | None = None) -> None:
    """Run the command line, calling it `name` in help texts."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding lacks is shown as an escape, instead of failing.
            stream.reconfigure(errors="backslashreplace")
    app(prog_name=name)
