"""`LogTail`: the end of a growing log, as a terminal would show it.

Why it is so: docs/behavior.md#outputs
"""

import re

from aitk_nb.backends.base import Backend
from aitk_nb.models.job import JobState, LogChunk

_KEPT = 16_384
"""Characters of the log that are remembered."""

_WIDTH = 200
_MOVE = re.compile(
    r"\x1b\[(\d{0,4})A|\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\r\n]"
)
_BAR = re.compile(r"\d%\|.*\| *\d+/\d+")
"""What tqdm draws."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SECRET = re.compile(r"hf_[A-Za-z0-9]{8,}|(?<=Bearer )\S+")


class LogTail:
    """Follows one job's log; each look asks only for what is new."""

    def __init__(self, kept: int = _KEPT) -> None:
        """Remember `kept` characters of the log."""
        self._kept = kept
        self._text = ""
        self._offset: int | None = None
        self._pid: int | None = None

    def read(self, backend: Backend, state: JobState) -> None:
        """Ask for what was logged since the last look."""
        if state.pid != self._pid:
            # Another process has another log, and the offset into the old one would lead into
            # the middle of it.
            self._pid, self._offset, self._text = state.pid, None, ""
        chunk: LogChunk = backend.read_log(state, self._offset)
        # A server without offsets answers the whole log each time.
        self._text = (chunk.text if chunk.reset else self._text + chunk.text)[-self._kept :]
        self._offset = chunk.offset or None

    @property
    def text(self) -> str:
        """The end of the log as it was written."""
        return self._text

    def lines(self, count: int) -> tuple[str, ...]:
        """Return the last lines, of all progress bars only the newest."""
        lines = as_shown(self._text)
        bars = [at for at, line in enumerate(lines) if _BAR.search(line)]
        kept = [line for at, line in enumerate(lines) if at not in bars[:-1]]
        return tuple(kept[-count:])


def as_shown(text: str) -> tuple[str, ...]:
    """Return what a terminal shows of `text`: lines that were written over are gone.

    Nothing is left in them that a page or a terminal could take for more than text, nor what
    looks like a token: a log begins with the whole job config.
    """
    screen = [""]
    row = 0
    overwrites = False
    at = 0
    for move in (*_MOVE.finditer(text), None):
        if piece := text[at : move.start() if move else len(text)]:
            screen[row] = piece if overwrites else screen[row] + piece
            overwrites = False
        if move is None:
            break
        at = move.end()
        if move[0] == "\r":
            overwrites = True
        elif move[0] == "\n":
            row, overwrites = row + 1, True
            if row == len(screen):
                screen.append("")
        elif move[1] is not None:
            row, overwrites = max(0, row - int(move[1] or 1)), True
    return tuple(clean for line in screen if (clean := _clean(line)))


def _clean(line: str) -> str:
    plain = _SECRET.sub("…", _CONTROL.sub("", line)).rstrip()
    return plain if len(plain) <= _WIDTH else plain[: _WIDTH - 1] + "…"
