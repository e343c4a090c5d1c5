"""Which tests stay in one of pytest-xdist's workers, and so share servers, and which come first.

Its own groups (`--dist loadgroup`) are written into the ids of tests, which pytest 9 does not take.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadFileScheduling

TOGETHER = {"tests/test_processes.py": "processes", "tests/test_ci_venv.py": "processes"} | {
    f"tests/{name}.py": "gradio"
    for name in (
        "auth/test_commands",
        "auth/test_gradio",
        "backends/test_gradio_input",
        "backends/test_gradio_lost",
        "backends/test_gradio_path",
        "backends/test_gradio_privacy",
        "cli/test_serve_gradio",
        "contract/test_gradio",
        "demo/test_gradio_server",
        "discovery/test_discovery",
        "discovery/test_gradio_programs",
        "discovery/test_openapi",
        "discovery/test_typescript",
        "inference/test_engine",
    )
}
"""Files whose tests would be in the way of each other, or which ask the same Gradio server.

That takes five seconds to start.
"""

FIRST = (
    "gradio",
    "processes",
    "tests/notebooks/test_execute.py",
    "tests/contract/test_webui.py",
    "notebooks/06",
    "notebooks/",
    "tests/notebooks/",
    "tests/cli/test_every_server.py",
    "tests/views/",
    "tests/cli/test_d",
    "tests/demo/test_t",
    "tests/demo/test_gradio",
    "tests/backends/test_gradio",
    "tests/faults/",
    "tests/backends/",
    "tests/demo/",
    "tests/cli/",
)
"""The groups that take longest, by how they begin, so that no worker is alone with one in the end.

Usual is that the group of most tests comes first, but a notebook takes longer than 80 cases.
"""


def group(nodeid: str) -> str:
    """Return what a test belongs to: its file, the generation of Gradio, or several files."""
    file = nodeid.split("::", 1)[0]
    generation = re.search(r"\[([45])[-\]]", nodeid)
    if file.startswith("tests/gradio/") and generation:
        return f"gradio-{generation[1]}"
    return TOGETHER.get(file, file)


def place(nodeid: str) -> int:
    """Return which groups a test comes after."""
    own = group(nodeid)
    return next((n for n, start in enumerate(FIRST) if own.startswith(start)), len(FIRST))


class Groups(LoadFileScheduling):
    """Hands whole groups to the workers, in the order in which `place` has sorted the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
