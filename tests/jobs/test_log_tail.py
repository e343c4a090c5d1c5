"""`LogTail`: the end of a log as a terminal shows it, asked for piece by piece."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from aitk_nb.jobs.log_tail import LogTail, as_shown
from aitk_nb.models.job import JobState, JobStatus, LogChunk

RUNNING = JobState("cat", JobStatus.RUNNING, pid=7)


class Log:
    """A server with a log that grows."""

    def __init__(self, text: str, *, old: bool = False) -> None:
        self.text = text
        self.old = old
        self.asked: list[int | None] = []

    def read_log(self, state: JobState, offset: int | None) -> LogChunk:
        """Answer as the web UI does, before or after July 2026."""
        self.asked.append(offset)
        if self.old:
            return LogChunk(self.text, 0, reset=True)
        data = self.text.encode()
        if offset is None or offset > len(data):
            return LogChunk(self.text, len(data), reset=True)
        return LogChunk(data[offset:].decode(errors="replace"), len(data), reset=False)


def test_a_progress_bar_is_one_line_as_it_stands_now() -> None:
    """A nested bar too, which the trainer draws below and goes up again."""
    text = (
        "# Running job: cat\nLoading\n"
        "\rcat:  10%|#  | 1/10 [lr: 1e-4]\rcat:  20%|## | 2/10 [lr: 1e-4]"
        "\n\rGenerating:   0%| | 0/2\x1b[A\n\rGenerating: 50%|# | 1/2\x1b[A"
        "\rcat:  30%|###| 3/10 [lr: 1e-4]"
    )
    assert (
        "# Running job: cat",
        "Loading",
        "cat:  30%|###| 3/10 [lr: 1e-4]",
        "Generating: 50%|# | 1/2",
    ) == as_shown(text)
    assert ("Saving at step 10", "Saved") == as_shown("bar\rSaving at step 10\r\nSaved\n\n")


def test_colors_titles_and_tokens_are_taken_out() -> None:
    """Nothing reaches a page or a terminal that is more than text."""
    assert ("red", "token …") == as_shown(
        "\x1b[31mred\x1b[0m\n\x1b]0;title\x07token hf_abcDEF1234567\x00"
    )


@given(st.text(st.sampled_from("ab\r\n\x1b[A2;m\x00\x9b█é"), max_size=300))
def test_whatever_a_log_holds_lines_come_out(text: str) -> None:
    """None of them empty, and without control characters."""
    for line in as_shown(text):
        assert line.strip()
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", line)


def test_only_what_is_new_is_asked_for() -> None:
    """By the offset that the server gave, not by counting letters: a bar has letters of 3 bytes."""
    log, tail = Log("one █\n"), LogTail()
    tail.read(log, RUNNING)  # type: ignore[arg-type]
    log.text += "two\n"
    tail.read(log, RUNNING)  # type: ignore[arg-type]
    assert ("one █", "two") == tail.lines(5)
    assert ("two",) == tail.lines(1)
    assert [None, 8] == log.asked


def test_another_process_has_another_log() -> None:
    """The offset into the old one would lead into its middle."""
    log, tail = Log("old and long\n"), LogTail()
    tail.read(log, RUNNING)  # type: ignore[arg-type]
    log.text = "new, and longer than the old\n"
    tail.read(log, JobState("cat", JobStatus.RUNNING, pid=8))  # type: ignore[arg-type]
    assert ("new, and longer than the old",) == tail.lines(5)
    assert [None, None] == log.asked


def test_an_older_server_answers_the_whole_log_each_time() -> None:
    """And nothing is doubled."""
    log, tail = Log("one\n", old=True), LogTail()
    for _ in range(3):
        tail.read(log, RUNNING)  # type: ignore[arg-type]
    assert ("one",) == tail.lines(5)
