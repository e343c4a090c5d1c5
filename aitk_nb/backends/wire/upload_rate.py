"""How much is sent at once: learned from what the line takes, and from what it does not.

Why it is so: docs/behavior.md#gateways
"""

import threading

from aitk_nb.connection.connection import OUTAGE

LANES = 8
"""Requests at once, at most."""
FIRST_LANES = 2
BUDGET = 16_000_000
"""Bytes of one request with several files, at most: the server holds it in memory. A gateway takes
about 100 MB; a single file above the budget goes alone."""
FIRST_BUNDLE = 1_000_000
SMALLEST = 2**16
LIMIT = 100.0
"""Seconds after which the proxy before a pod cuts a request."""
PATIENCE = 40.0
"""Seconds that a request is planned to last: well inside `LIMIT`, since lines get slower too."""
WORTH = 2.0
"""Seconds that a request with several files is planned to last: what breaks is sent again."""
TELLING = 2**15
"""Bytes from which a request tells something about the line, and not only about its delay."""


class UploadRate:
    """The limits for the next request to one server.

    It begins carefully, opens up with each request that goes through, and halves when one does
    not. All sizes are bytes, all times seconds. Several threads may use it.
    """

    def __init__(self, *, lanes: int = LANES, down: float = OUTAGE) -> None:
        """Allow at most `lanes` requests at once, and bear silence for `down` seconds."""
        self._lock = threading.Lock()
        self._most = lanes
        self.down = down
        self.lanes = min(FIRST_LANES, lanes)
        """Requests that may run at once now."""
        self.budget = BUDGET
        """Bytes that a request with several files may have now."""
        self.refused: int | None = None
        """The smallest body that was refused for its size: the proven limit."""
        self.rate: float | None = None
        """Bytes per second that the whole line takes."""
        self.patience = PATIENCE
        self._ceiling = PATIENCE

    def begin(self) -> None:
        """Begin another upload: what was too large may go through by now, and is tried once."""
        with self._lock:
            self.refused = None

    def bundle(self, left: int) -> int:
        """Return how many bytes the next request of several files may have, of `left` in all."""
        with self._lock:
            worth: float = FIRST_BUNDLE
            if self.rate is not None:
                worth = self.rate / self.lanes * min(WORTH, self.patience / 2)
            # Towards the end the rest is spread over all lanes.
            spread = left / (2 * self._most)
            return int(min(self.budget, max(SMALLEST, min(worth, spread))))

    def lanes_for(self, size: int) -> int:
        """Return how many requests may share the line, so that this one ends in time."""
        with self._lock:
            if self.rate is None or size == 0:
                return self.lanes
            return max(1, min(self.lanes, int(self.rate * self.patience / size)))

    def went(self, size: int, seconds: float, lanes: int) -> None:
        """Learn from a request of `size` bytes that went through beside `lanes - 1` others."""
        with self._lock:
            self._learn(size, seconds, lanes)
            self.lanes = min(self._most, self.lanes + 1)
            self.patience = min(self._ceiling, self.patience * 1.5)
            if self.refused is None:
                self.budget = min(BUDGET, self.budget * 2)

    def broke(self, sent: int, size: int, seconds: float, lanes: int, *, cut: bool) -> None:
        """Learn from a request of `size` bytes that broke after `sent` of them.

        `cut` says that it was ended for its length in time, which will happen again.
        """
        with self._lock:
            if self.rate is None or cut:
                self._learn(sent, seconds, lanes)
            self.lanes = max(1, self.lanes // 2)
            self.budget = max(SMALLEST, min(self.budget, size) // 2)
            self.patience = min(self.patience, max(1.0, seconds / 2))
            if cut:
                self._ceiling = self.patience

    def too_large(self, size: int) -> None:
        """Learn that a body of `size` bytes is more than the server, or a proxy, takes."""
        with self._lock:
            self.refused = min(size, self.refused or size)
            self.budget = max(1, min(self.budget, size // 2))

    def is_proven_too_large(self, size: int) -> bool:
        """Return whether as large a body has been refused before."""
        with self._lock:
            return self.refused is not None and size >= self.refused

    def _learn(self, size: int, seconds: float, lanes: int) -> None:
        if size < TELLING:
            return
        rate = size / max(seconds, 1e-3) * max(1, lanes)
        self.rate = rate if self.rate is None else 0.7 * self.rate + 0.3 * rate
