"""`ProgressBar`: honest about the time left, drawn where somebody sees it, and gone at the end."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel

from aitk_nb._display import html, progress
from aitk_nb._display.progress import ProgressBar, reporting

TOTAL = 35_000_000


class Transfer:
    """A transfer whose clock is set by the test."""

    def __init__(self) -> None:
        self.now = 0.0
        self.bar = ProgressBar("uploading", clock=lambda: self.now)

    def reach(self, now: float, done: float) -> str:
        """Have so many bytes done at that time, and return what is told."""
        self.now = now
        self.bar(int(done), TOTAL)
        return str(self.bar)


def test_what_only_filled_buffers_is_no_speed() -> None:
    """A proxy takes 19 MB at once and passes on 2.2 MB/s: 15.6 s in all, as measured."""
    transfer, speed = Transfer(), TOTAL / 15.6
    for tenth in range(120):
        now = tenth / 10
        told = transfer.reach(now, min(TOTAL, 19.4e6 * min(1.0, now) + speed * now))
        if now < 4:
            assert "left" not in told
        elif transfer.bar.left is not None and "left" in told:
            assert abs(transfer.bar.left - (15.6 - now)) < 2.5, told
    assert "35.0 MB of 35.0 MB · finishing" == told


def test_a_slow_beginning_does_not_lengthen_the_end() -> None:
    """The speed of the last seconds counts, once it is the speed of all of them."""
    transfer = Transfer()
    for second in range(40):
        told = transfer.reach(second, 1e5 * min(second, 12) + 1e6 * max(0, second - 12))
    assert "1 MB/s · about 7 s left" in told


def test_nothing_is_told_of_the_first_percents() -> None:
    """Nor of a transfer that stands still."""
    transfer = Transfer()
    for second in range(10):
        assert " left" not in transfer.reach(second, 0.02 * TOTAL * second / 10)
    for second in range(10, 60):
        told = transfer.reach(second, 0.5 * TOTAL)
    assert "17.5 MB of 35.0 MB" == told


def test_what_is_taken_back_makes_no_negative_speed() -> None:
    """A request that broke is counted anew."""
    transfer = Transfer()
    for second, done in enumerate((0, 5e6, 6e6, 7e6, 8e6, 9e6, 1e6)):
        told = transfer.reach(second, done)
    assert "1.0 MB of 35.0 MB" == told


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.integers(0, 10**9), st.integers(0, 10**9)), max_size=30
    )
)
def test_whatever_is_reported_something_is_told(calls: list[tuple[float, int, int]]) -> None:
    """In any order, with any totals."""
    now = [0.0]
    bar = ProgressBar("uploading", clock=lambda: now[0])
    for wait, done, total in calls:
        now[0] += wait
        bar(done, total)
        assert "of" in str(bar)
        assert bar.left is None or bar.left >= 0


# -- where it is drawn -------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Be one."""
        return True


@pytest.mark.parametrize(("in_bytes", "says"), [(True, "0.5 kB of 1.0 kB"), (False, "512 of 1024")])
def test_progress_is_drawn_on_terminals_only(
    in_bytes: bool, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one line, which is empty again at the end; elsewhere nothing is written."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    for screen in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", screen)
        with reporting("auto", "working", in_bytes=in_bytes) as progress:
            progress(512, 1024)
        drawn = screen.getvalue()
        assert isinstance(screen, Terminal) == bool(drawn)
        if drawn:
            first, blank, end = drawn.removeprefix("\r").split("\r")
            assert first == f"working {'━' * 12}{'─' * 12} {says}"
            assert (blank.strip(), len(blank), end) == ("", len(first), "")


def test_a_function_gets_what_there_is_and_none_gets_nothing() -> None:
    """Both draw nothing."""
    seen: list[tuple[int, int]] = []
    with reporting(lambda done, total: seen.append((done, total)), "working") as progress:
        progress(1, 2)
    with reporting(None, "working") as progress:
        progress(3, 4)
    assert [(1, 2)] == seen


def shell(allow_stdin: bool, published: list[Any]) -> Any:
    """Return a shell of a kernel, and keep what it is to show."""

    def publish(data: Any, metadata: Any, *, transient: Any, update: bool) -> None:
        published.append((data, transient["display_id"], update))

    request = {
        "header": {"msg_type": "execute_request"},
        "content": {"allow_stdin": allow_stdin},
    }
    return SimpleNamespace(display_pub=SimpleNamespace(publish=publish), get_parent=lambda: request)


@pytest.mark.parametrize("attended", [True, False])
def test_a_cell_shows_it_to_people_only(attended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one place, with a text that does not change; at the end the place is empty."""
    published: list[Any] = []
    found = SimpleNamespace(get_ipython=lambda: shell(attended, published))
    monkeypatch.setitem(sys.modules, "IPython", found)
    now = [0.0]
    bar = ProgressBar("<uploading>", clock=lambda: now[0])
    for tick in range(30):
        now[0] = tick / 10
        bar(tick, 100)
        bar.newest = html.note(f"picture {tick}")
    bar.close()
    if not attended:
        assert not published
        return
    assert 5 < len(published) < 12
    assert 1 == len({place for _, place, _ in published})
    assert [False, *[True] * (len(published) - 1)] == [update for _, _, update in published]
    texts = [data.get("text/plain", "") for data, _, _ in published]
    assert [*["<uploading>"] * (len(published) - 1), ""] == texts
    assert "&lt;uploading&gt;" in published[0][0]["text/html"]
    assert "picture 9" in published[0][0]["text/html"]
    assert "picture 2" in published[-2][0]["text/html"]
    assert {} == published[-1][0]


def test_a_short_transfer_shows_nothing_in_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a cell that sends a little ends the same with and without people."""
    published: list[Any] = []
    found = SimpleNamespace(get_ipython=lambda: shell(True, published))
    monkeypatch.setitem(sys.modules, "IPython", found)
    with reporting("auto", "uploading") as progress:
        progress(0, 100)
        progress(100, 100)
    assert not published


CELL = """
from aitk_nb._display import progress
progress._Cell.short = 0.0
with progress.reporting("auto", "uploading") as progress:
    progress(50, 100)
"""


@pytest.mark.parametrize("attended", [True, False])
def test_a_real_kernel_tells_whether_anybody_is_there(attended: bool) -> None:
    """By what came with the request to execute the cell."""
    manager, client = start_new_kernel(kernel_name="python3")
    seen: list[Any] = []
    try:
        client.execute_interactive(
            CELL, allow_stdin=attended, timeout=60, output_hook=seen.append, stdin_hook=print
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    shown = [one["content"]["data"] for one in seen if "display_data" in one["msg_type"]]
    assert [one["content"] for one in seen if one["msg_type"] == "error"] == []
    assert (2 if attended else 0) == len(shown)
    if attended:
        assert "uploading" == shown[0]["text/plain"]
        output = nbformat.v4.new_output("display_data", data=shown[1])
        nbformat.validate(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
        )


def test_the_module_imports_no_notebook_software() -> None:
    """A script that uploads something loads none of it."""
    assert not {"IPython", "ipywidgets", "rich"} & set(vars(progress))
