"""The command line: `aitk-nb`.

Exit codes: 0 done; 1 the server or the job failed; 2 bad input; 3 nobody (or no training server)
answers; 4 the server wants a token, or another one; 130 interrupted, by Ctrl-C or by SIGTERM.
"""

from __future__ import annotations

from aitk_nb.cli.app import app, as_far_as_it_goes
from aitk_nb.cli.auth import auth, doctor
from aitk_nb.cli.dataset import dataset
from aitk_nb.cli.demo import demo
from aitk_nb.cli.discover import discover
from aitk_nb.cli.jobs import compare, download, jobs, losses, stop, watch
from aitk_nb.cli.lora import lora
from aitk_nb.cli.params import params
from aitk_nb.cli.run import run
from aitk_nb.cli.serve import serve
from aitk_nb.cli.train import train
from aitk_nb.cli.version import version

__all__ = [
    "app",
    "auth",
    "compare",
    "dataset",
    "demo",
    "discover",
    "doctor",
    "download",
    "jobs",
    "lora",
    "losses",
    "main",
    "params",
    "run",
    "serve",
    "stop",
    "train",
    "version",
    "watch",
]


def main(name: str | None = None) -> None:
    """Run the command line, calling it `name` in help texts."""
    as_far_as_it_goes()
    app(prog_name=name)
