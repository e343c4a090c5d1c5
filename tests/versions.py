"""The versions of AI Toolkit that tests ask, and the server that the environment names instead.

`AITK_CONTRACT_URL` and `AITK_TOKEN` are that server's, `AITK_CONTRACT_VERSION` is which of `ERAS`
or `GRADIOS` it is, and `AITK_CONTRACT_TRAIN` are options that make it train something small.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import get_args

import aitk_nb
from aitk_nb.demo import EraName

ERAS: tuple[EraName, ...] = get_args(EraName)
"""Versions of the web UI, oldest first."""

GRADIOS = ("gradio-4", "gradio-5", "gradio-6")
"""Generations of the Gradio app."""

NEWEST_ENDPOINT: dict[EraName, str] = {
    "2025-08": "2025-07-17",
    "2025-11": "2025-10-14",
    "2026-05": "2026-05-18",
    "2026-08": "2026-08-14",
    "0.13": "2026-09-19",
}
"""As `discover` dates AI Toolkit's own web UIs of these months."""


@dataclass(frozen=True)
class Foreign:
    """A server that the tests did not start."""

    url: str
    token: str
    version: str = ""
    """Empty if nobody told it."""

    train: tuple[str, ...] = ()
    """Options of `aitk-nb train`."""

    def era(self) -> EraName:
        """Return which version of the web UI it is, or the last one that is older."""
        if self.version:
            return next(era for era in ERAS if era == self.version)
        found = aitk_nb.discover(self.url, credentials=self.token or None).newest or ""
        return [era for era in ERAS if NEWEST_ENDPOINT[era] <= found][-1]


def _foreign() -> Foreign | None:
    url = os.environ.get("AITK_CONTRACT_URL", "")
    token = os.environ.get("AITK_TOKEN", "")
    version = os.environ.get("AITK_CONTRACT_VERSION", "")
    train = tuple(shlex.split(os.environ.get("AITK_CONTRACT_TRAIN", "")))
    return Foreign(url, token, version, train) if url else None


# Read here, because the fixture that cleans the environment runs before each test.
FOREIGN = _foreign()
