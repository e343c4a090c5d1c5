"""Requests of the engine: what is asked, and the frames that tell how it goes."""

import json
import struct
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

KEPT = 100
"""Finished requests that are remembered."""


class Request:
    """One generation: its body, its state, and its frames so far."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        """Take what was asked, of which only `model.arch` is known to be there."""
        self.id = uuid.uuid4().hex[:12]
        self.model: dict[str, Any] = dict(body["model"])
        self.sample: dict[str, Any] = dict(body.get("sample") or {})
        self.stream: dict[str, Any] = dict(body.get("stream") or {})
        self.is_cancelled = False
        self.info: dict[str, Any] = {
            "request_id": self.id,
            "status": "queued",
            "arch": self.model["arch"],
            "prompt": self.sample.get("prompt", ""),
            "step": 0,
            "total_steps": None,
            "created_at": time.time(),
            "started_at": None,
            "finished_at": None,
            "results": [],
            "error": None,
        }
        self._frames: list[bytes] = []
        self._latents: dict[int, bytes] = {}
        self._changed = threading.Condition()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.info["finished_at"] is not None

    def tell(self, kind: str, payload: bytes = b"", /, **facts: object) -> None:
        """Add a frame; it goes to all who read."""
        with self._changed:
            frame = _frame({"type": kind, "request_id": self.id, **facts}, payload)
            if kind == "latent":
                self._latents[len(self._frames)] = frame
            self._frames.append(frame)
            self._changed.notify_all()

    def end(self, status: str, error: str = "", trace: str = "") -> None:
        """Tell how it ended, and let all who read go."""
        if error:
            was_cancelled = status == "cancelled"
            more = {"traceback": trace} if trace else {}
            self.tell("error", message=error, cancelled=was_cancelled, **more)
        self.tell("end", status=status)
        with self._changed:
            self.info.update(status=status, error=error or None, finished_at=time.time())
            self._changed.notify_all()

    def frames(self) -> Iterator[bytes]:
        """Yield all frames: those so far, of the latents only the newest, and then what comes."""
        with self._changed:
            seen = len(self._frames)
            replay = [f for at, f in enumerate(self._frames) if at not in self._latents]
            if self._latents:
                first = min(self._latents)
                replay.insert(first, self._latents[max(self._latents)])
        yield from replay
        while True:
            with self._changed:
                while len(self._frames) == seen and not self.is_over:
                    self._changed.wait(1.0)
                fresh = self._frames[seen:]
            if not fresh:
                return
            seen += len(fresh)
            yield from fresh

    def wait(self) -> None:
        """Return when it is over."""
        for _ in self.frames():
            pass


class Requests:
    """The engine's queue, first come first served, and its memory."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._all: deque[Request] = deque()
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self.current: Request | None = None

    def add(self, request: Request) -> None:
        """Put a request behind those that wait."""
        with self._changed:
            self._all.append(request)
            self._waiting.append(request)
            over = [one for one in self._all if one.is_over]
            for old in over[: max(0, len(over) - KEPT)]:
                self._all.remove(old)
            self._changed.notify_all()

    def get(self, request_id: str) -> Request | None:
        """Return a request that is remembered."""
        with self._changed:
            return next((one for one in self._all if one.id == request_id), None)

    def take(self, seconds: float) -> Request | None:
        """Return the next that waits; None if none comes within some seconds."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(seconds)
            self.current = self._waiting.popleft() if self._waiting else None
            return self.current

    def cancel(self, request_id: str) -> bool:
        """Cancel a request: at once while it waits, else at its next step."""
        with self._changed:
            request = self.get(request_id)
            if request is None:
                return False
            request.is_cancelled = True
            if request in self._waiting:
                self._waiting.remove(request)
                request.end("cancelled", "cancelled")
            return True

    def end_all(self) -> None:
        """End whatever is not over, as the engine stops."""
        with self._changed:
            self._waiting.clear()
            for request in self._all:
                if not request.is_over:
                    request.end("cancelled", "engine stopping")

    def listing(self) -> dict[str, object]:
        """Return those that wait or run, and those that ended, newest first."""
        with self._changed:
            infos = [one.info for one in self._all]
        return {
            "queued": [info for info in infos if info["finished_at"] is None],
            "recent": [info for info in reversed(infos) if info["finished_at"]][:50],
        }

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)


def _frame(header: Mapping[str, object], payload: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<I", len(text)) + text + struct.pack("<Q", len(payload)) + payload
