"""Which tests stay in one of pytest-xdist's workers, and so share servers.

Its own groups (`--dist loadgroup`) are written into the ids of tests, which pytest 9 does not take.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadFileScheduling

TOGETHER = {"tests/test_processes.py": "processes", "tests/test_ci_venv.py": "processes"}
"""Files whose tests would be in the way of each other, or of their patience."""


class Groups(LoadFileScheduling):
    """Each file is a group; in `tests/gradio` each generation is one, whose servers are dear."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        generation = re.search(r"\[([45])[-\]]", nodeid)
        if file.startswith("tests/gradio/") and generation:
            return f"gradio-{generation[1]}"
        return TOGETHER.get(file, file)
