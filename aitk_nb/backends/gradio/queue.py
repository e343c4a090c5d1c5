"""`QueuedCall`: one long call through a Gradio app's queue, followed in the background.

Why it is so: docs/behavior.md#gradio
"""

import contextlib
import enum
import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from aitk_nb.backends.gradio.app import TRAIN, GradioApp
from aitk_nb.errors import AitkError, ConnectionFailed, Rejected

_log = logging.getLogger(__name__)

_EVENT: Final = "data:"


class Phase(enum.Enum):
    """Where a call is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    """The connection broke: nobody will tell us how it ends."""

    @property
    def is_over(self) -> bool:
        """True when nothing more will come."""
        return self in {Phase.DONE, Phase.FAILED, Phase.LOST}


@dataclass(frozen=True, slots=True)
class CallState:
    """A call as the queue last told of it."""

    phase: Phase
    rank: int = 0
    """Calls before it in the queue."""
    text: str = ""
    """The result, the error, or the server's last remark."""


class QueuedCall:
    """One call of a function that may take hours; the process may end while it runs.

    The server holds its messages for one reader, once: a line that broke cannot be taken up again
    (measured on Gradio 4, 5 and 6). `gradio_client` is not used here, because its threads hold up
    the end of the process until the call ends.
    """

    def __init__(self, app: GradioApp, api_name: str, data: Sequence[Any], session: str) -> None:
        """Prepare a call in a session that no other call of the queue uses."""
        self._app = app
        self._api_name = api_name
        self._data = list(data)
        self._session = session
        self.event = ""
        """The server's word for this call, by which it can be withdrawn; empty before `start`."""
        self._line: socket.socket | None = None
        self.state = CallState(Phase.WAITING)
        """The call as it stands."""
        self.has_begun = False
        """True once the queue has said that it runs."""

    def start(self) -> None:
        """Put the call into the queue.

        Raises:
            Rejected: the server does not take it.
            ConnectionFailed: it cannot have arrived.
        """
        what = f"call {self._api_name}"
        body = {"data": self._data, "session_hash": self._session}
        try:
            answer = self._app.http.post_json(
                f"{self._app.prefix}/call{self._api_name}", body, what=what
            )
        except ConnectionFailed as exc:
            if isinstance(exc.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                raise
            # It may have arrived: the stream tells, if anything does.
            answer = {}
        self.event = str(answer.get("event_id", "")) if isinstance(answer, dict) else ""

    def cut(self) -> None:
        """Break the line: the server drops a call that waits, and one that runs goes on."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def follow(self, is_unwanted: Callable[[], bool]) -> CallState:
        """Return how the call ended, or that its connection was lost.

        Args:
            is_unwanted: Asked with each message while the call waits; True ends it.
        """
        end = CallState(Phase.LOST, text="The connection to the server broke.")
        try:
            for message in self._messages():
                self._take(message)
                self.has_begun |= self.state.phase is Phase.RUNNING
                if self.state.phase.is_over:
                    end = self.state
                    break
                if self.state.phase is Phase.WAITING and is_unwanted():
                    break
        except Rejected as exc:
            end = CallState(Phase.LOST, text=str(exc))
        except AitkError as exc:
            _log.info("the connection of %s broke: %s", self._api_name, exc)
        return end

    def _messages(self) -> Iterator[Mapping[str, Any]]:
        path = f"{self._app.prefix}/queue/data?session_hash={self._session}"
        headers = {"Accept": "text/event-stream"}
        with self._app.http.stream(path, what="follow a call", headers=headers) as response:
            network = response.extensions.get("network_stream")
            self._line = network.get_extra_info("socket") if network else None
            for line in response.iter_lines():
                if not line.startswith(_EVENT):
                    continue
                try:
                    message = json.loads(line[len(_EVENT) :])
                except ValueError:
                    continue
                if isinstance(message, dict):
                    yield message

    def _take(self, message: Mapping[str, Any]) -> None:
        if self.event and message.get("event_id") not in {None, self.event}:
            return
        kind = message.get("msg")
        if kind == "estimation":
            self.state = replace(self.state, rank=_number(message.get("rank")))
        elif kind == "process_starts":
            self.state = CallState(Phase.RUNNING, text=self.state.text)
        elif kind == "log":
            # A training job says something as soon as it has started.
            self.state = CallState(Phase.RUNNING, text=self._said(message.get("log")))
        elif kind == "process_completed":
            self.state = self._completed(message)
        elif kind in {"unexpected_error", "close_stream", "server_stopped"}:
            self.state = CallState(Phase.LOST, text=self._said(message.get("message")))

    def _completed(self, message: Mapping[str, Any]) -> CallState:
        output = message.get("output")
        output = output if isinstance(output, dict) else {}
        if message.get("success") and "data" not in output:
            # What Gradio 4 and 5 say of a call that was taken out of the queue.
            return CallState(Phase.LOST, text="Removed from the queue.")
        if message.get("success"):
            first = (output.get("data") or [""])[0]
            return CallState(Phase.DONE, text=self._said(first))
        # Gradio 4 puts quotes around the words of a gr.Error.
        said = self._said(output.get("error")).strip("'\"")
        return CallState(Phase.FAILED, text=said or "The app doesn't say why.")

    def _said(self, text: object) -> str:
        return self._app.http.clean(str(text or ""))[:2000]


def withdraw(app: GradioApp, session: str, event: str) -> bool:
    """Take a training job out of the queue, whoever put it there; one that has started goes on.

    Return whether it waits no more. Gradio 4 hears a cancel only of what runs; there, and of a
    call whose word is not known, an empty queue is the only sign.
    """
    if not event or app.version.startswith("4."):
        return app.waiting() == 0
    body = {"session_hash": session, "fn_index": app.function(TRAIN).index, "event_id": event}
    app.http.post_json(f"{app.prefix}/cancel", body, what="cancel a call", repeat=True)
    return True


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
