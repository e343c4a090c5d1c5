"""One request to an engine, followed over lost lines until its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from aitk_nb.backends.webui.inference import WebUIInference
from aitk_nb.backends.wire.deadline import RETURN, backoff
from aitk_nb.errors import AitkError, ConnectionFailed, Rejected, TransferFailed
from aitk_nb.inference.frames import SeenFrames
from aitk_nb.models.inference import Engine, Frame


class Generation:
    """Sends one request, and yields each of its frames once."""

    def __init__(
        self,
        store: WebUIInference,
        engine: Engine,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._sleep = sleep
        self._seen = SeenFrames()
        self._id = ""

    def frames(self, body: Mapping[str, Any]) -> Iterator[Frame]:
        """Yield each frame once, over lost lines; cancel the request where the caller stops."""
        try:
            try:
                with self._store.generate(self._engine, body) as (self._id, pieces):
                    yield from self._seen.new(pieces)
            except ConnectionFailed:
                if not self._id:
                    raise
            # A stream that ends between two frames, and not with the last, was cut as well.
            yield from self._rest()
        finally:
            if self._id and not self._seen.is_over:
                with suppress(AitkError):
                    self._store.cancel(self._engine, self._id)

    def _rest(self) -> Iterator[Frame]:
        """Yield what has not been seen, until the server is away or silent for too long."""
        tries, silent_since = 0, self._clock()
        while not self._seen.is_over:
            before = self._seen.count
            lost: AitkError = TransferFailed({"the generation": "nothing comes"})
            try:
                with self._reattached() as pieces:
                    yield from self._seen.new(pieces)
            except ConnectionFailed as exc:
                lost = exc
            if self._seen.is_over:
                return
            if self._seen.count > before:
                tries, silent_since = 0, self._clock()
            elif self._clock() - silent_since >= self._store.outage:
                raise lost
            self._sleep(backoff(tries, RETURN))
            tries += 1

    @contextmanager
    def _reattached(self) -> Iterator[Iterator[bytes]]:
        try:
            with self._store.reattach(self._engine, self._id) as pieces:
                yield pieces
        except Rejected as exc:
            if exc.status == 404 or (exc.status in (502, 503) and self._is_gone()):
                hint = "the engine was restarted and has lost it. Send it again with the same seed"
                raise Rejected("go on with a generation", hint, 404) from exc
            # A UI that has just come back does not know its engine yet.
            if exc.status not in (502, 503):
                raise
            raise ConnectionFailed(self._store.url, exc.reply) from exc

    def _is_gone(self) -> bool:
        """Return whether the server doesn't list the engine anymore, so that waiting is in vain."""
        try:
            return self._engine.name not in [one.name for one in self._store.engines()]
        except AitkError:
            return False
