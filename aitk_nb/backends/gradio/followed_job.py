"""`FollowedJob`: one job that this process brings to its training: held back, queued, queued again.

A server drops a call that waits when its event stream is cut, as proxies do after a time (RunPod:
100 s); one that runs goes on, and keeps the next one waiting (measured on Gradio 4, 5 and 6). So
only the next job of ours is in the server's queue, and it is queued again when it was dropped.

Why it is so: docs/behavior.md#gradio
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from aitk_nb.backends.gradio.queue import CallState, Phase, QueuedCall
from aitk_nb.errors import AitkError, ConnectionFailed

T = TypeVar("T")

_log = logging.getLogger(__name__)

_AGAIN: Final = 1.0
"""Seconds between two looks at what must come before the job."""


@dataclass(eq=False)
class FollowedJob:
    """The thread of one job, which ends with it, or with the process."""

    name: str
    ahead: Callable[[], int]
    """How many jobs of ours come before it."""
    join: Callable[[bool], QueuedCall | None]
    """Puts it into the server's queue, for the first time or again; None if it is unwanted."""
    was_dropped: Callable[[], bool | None]
    """Whether it never began though its connection was lost; None if that is not known yet."""
    is_unwanted: Callable[[], bool]
    """Whether it was taken out of the queue, here or by another process."""
    at_end: Callable[[CallState, bool], None]
    """Told the last state, and whether it had begun."""
    _call: QueuedCall | None = None
    _held: CallState = field(default_factory=lambda: CallState(Phase.WAITING))
    _end: CallState | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _left: threading.Event = field(default_factory=threading.Event)

    @property
    def state(self) -> CallState:
        """The job as it stands."""
        return self._end or (self._call.state if self._call else self._held)

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether its end was noted within `timeout` seconds."""
        return self._over.wait(timeout)

    def start(self) -> None:
        """Put the job into the server's queue, or hold it back until those before it have ended.

        Raises:
            AitkError: the server does not take it.
        """
        if ahead := self.ahead():
            self._held = CallState(Phase.WAITING, ahead)
        else:
            self._call = self.join(False)
        threading.Thread(target=self._run, name=f"aitk-nb {self.name}", daemon=True).start()

    def leave(self) -> None:
        """Follow it no more: one that waits is lost."""
        self._left.set()
        self.cut()

    def cut(self) -> None:
        """Break the line to the server's queue, if there is one."""
        if self._call is not None:
            self._call.cut()

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        end = CallState(Phase.LOST, text="Removed from the queue.")
        try:
            while call := self._call or self._turn(again=self._held.text != ""):
                self._call = call
                end = call.follow(self._is_given_up)
                if end.phase is not Phase.LOST or call.has_begun or self._is_given_up():
                    break
                _log.info("the connection of %s was lost while it waited", self.name)
                self._held = CallState(Phase.WAITING, text="Its place in the queue was lost.")
                self._call = None
                if not self._answer(self.was_dropped):
                    break
        except AitkError as exc:
            end = CallState(Phase.LOST, text=f"It could not be queued: {exc}")
        if self._left.is_set():
            end = CallState(Phase.LOST, text="The process that started it let go of it.")
        self._end = end
        try:
            self.at_end(end, bool(self._call and self._call.has_begun))
        finally:
            self._over.set()

    def _is_given_up(self) -> bool:
        return self._left.is_set() or self.is_unwanted()

    def _turn(self, *, again: bool) -> QueuedCall | None:
        """Return the call, once no job of ours comes before it; None if it is given up."""

        def ask() -> QueuedCall | None:
            ahead = self.ahead()
            self._held = CallState(Phase.WAITING, ahead, self._held.text)
            return None if ahead else self.join(again)

        return self._answer(ask)

    def _answer(self, ask: Callable[[], T | None]) -> T | None:
        """Return what `ask` tells as soon as it tells anything; None if the job is given up."""
        while not self._is_given_up():
            try:
                if (told := ask()) is not None:
                    return told
            except ConnectionFailed as exc:
                _log.info("%s waits for its server: %s", self.name, exc)
            self._left.wait(_AGAIN)
        return None
