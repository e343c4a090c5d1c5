"""`UploadQueue`: which files go into the next request, and what becomes of those that failed."""

import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from aitk_nb.backends.base import Upload
from aitk_nb.backends.wire.deadline import RETURN, backoff
from aitk_nb.backends.wire.file_readers import Changed
from aitk_nb.backends.wire.upload_rate import LIMIT, UploadRate
from aitk_nb.errors import AitkError, ConnectionFailed, Rejected, ServerNotReady, Unauthorized

ATTEMPTS = 6
"""How often a file is sent before it is given up, if the connection breaks each time."""
OVERHEAD = 200
"""Bytes that a form spends on each file, more or less."""
LONGEST_WAIT = 8.0
"""Seconds between two attempts, at most."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class QueuedFile:
    """A file that is still to be sent."""

    file: Upload
    tries: int = 0
    alone: bool = False
    """True once it was in a rejected request and it is unknown which file caused that."""

    @property
    def body(self) -> int:
        """What it adds to the body of a request, in bytes."""
        return self.file.size + OVERHEAD


@dataclass(slots=True)
class UploadRequest:
    """One request under way."""

    files: list[QueuedFile]
    size: int
    """Bytes of its body."""
    lanes: int
    """How many requests may run while this one does."""
    began: float = field(default_factory=time.monotonic)


class UploadQueue:
    """The files of one upload; not safe for threads: the caller holds a lock."""

    def __init__(self, files: Sequence[Upload], rate: UploadRate, most: int) -> None:
        """Put at most `most` files into one request, and learn the connection's `rate`."""
        self._rate = rate
        self._most = most
        self._waiting = deque(QueuedFile(file) for file in files)
        self._later: list[tuple[float, int, QueuedFile]] = []
        self._tickets = itertools.count()
        self._left = sum(file.size for file in files)
        self._running: list[UploadRequest] = []
        self._silent_since: float | None = None
        self._silences = 0
        self._quiet_until = 0.0
        self.over: BaseException | None = None
        """Why the whole upload has ended early."""
        self.failures: dict[str, str] = {}
        """Why, for each file that was given up."""
        self.digests: dict[str, str] = {}
        """SHA-256 of each file that arrived."""

    @property
    def is_busy(self) -> bool:
        """True while files wait or are under way, and nothing has ended the upload."""
        return self.over is None and bool(self._waiting or self._later or self._running)

    def take(self) -> UploadRequest | None:
        """Return the next request, or None if none may begin now."""
        now = time.monotonic()
        if now < self._quiet_until:
            return None
        while self._later and self._later[0][0] <= now:
            self._waiting.appendleft(heapq.heappop(self._later)[2])
        while self._waiting and self._rate.is_proven_too_large(self._waiting[0].body):
            self._fail(self._waiting.popleft(), self._too_large())
        if not self._waiting:
            return None
        files = self._bundle()
        size = sum(queued.body for queued in files)
        lanes = self._rate.lanes_for(size)
        if len(self._running) >= min([lanes, *(request.lanes for request in self._running)]):
            return None
        for _ in files:
            self._waiting.popleft()
        request = UploadRequest(files, size, lanes)
        self._running.append(request)
        return request

    def pause(self) -> float:
        """Return how many seconds to wait before `take` is worth another call."""
        due = min((when for when, _, _ in self._later), default=time.monotonic() + 1)
        return min(1.0, max(0.01, max(due, self._quiet_until) - time.monotonic()))

    def arrived(self, request: UploadRequest, digests: Mapping[str, str]) -> None:
        """Note that all files of a request have arrived."""
        self._silent_since, self._silences = None, 0
        self._rate.went(request.size, time.monotonic() - request.began, len(self._running))
        self._left -= sum(queued.file.size for queued in request.files)
        self.digests |= digests
        self._running.remove(request)

    def failed(self, request: UploadRequest, failure: AitkError, sent: int) -> None:
        """Let each file of a failed request, of which `sent` bytes were sent, wait or fail."""
        if isinstance(failure, Unauthorized):
            self.over = self.over or failure
        elif isinstance(failure, ConnectionFailed):
            self._broke(failure, request, sent)
        elif isinstance(failure, Rejected) and failure.status == 413:
            self._rate.too_large(request.size)
            self._split(request, self._too_large())
        elif isinstance(failure, Changed):
            for queued in request.files:
                if queued.file.name == failure.name:
                    self._fail(queued, str(failure))
            self._again(queued for queued in request.files if queued.file.name != failure.name)
        else:
            for queued in request.files:
                queued.alone = True
            self._split(request, str(failure))
        self._running.remove(request)

    def _bundle(self) -> list[QueuedFile]:
        """Return the files at the front that share a request."""
        room = self._rate.bundle(self._left)
        files: list[QueuedFile] = []
        for queued in itertools.islice(self._waiting, self._most):
            room -= queued.body
            if files and (room < 0 or queued.alone or files[0].alone):
                break
            files.append(queued)
        return files

    def _too_large(self) -> str:
        limit = (self._rate.refused or 0) / 1e6
        return (
            f"it is too large: the server, or a proxy in front of it, rejects requests of "
            f"{limit:.3g} MB; make the file smaller, or reach the server without the proxy"
        )

    def _broke(self, failure: ConnectionFailed, request: UploadRequest, sent: int) -> None:
        seconds = time.monotonic() - request.began
        _log.info("a request of %d bytes broke after %.1f s: %s", request.size, seconds, failure)
        if _nobody_there(failure):
            self._wait_for_server(failure, request)
            return
        cut = seconds > 1 and any(word in failure.reason for word in ("524", "504", "in time"))
        self._rate.broke(sent, request.size, seconds, len(self._running), cut=cut)
        # A request that is cut although it runs alone will hardly do better the next time.
        hopeless = cut and len(request.files) == len(self._running) == 1
        for queued in request.files:
            queued.tries += 2 if hopeless else 1
            if queued.tries >= ATTEMPTS:
                self._fail(queued, f"{failure} {self._why_slow(queued)}".strip())
            else:
                when = time.monotonic() + backoff(queued.tries, LONGEST_WAIT)
                heapq.heappush(self._later, (when, next(self._tickets), queued))

    def _why_slow(self, queued: QueuedFile) -> str:
        rate = self._rate.rate
        if rate is None or queued.file.size / rate < LIMIT:
            return ""
        return (
            f"At {rate / 1e6:.2g} MB/s it takes {queued.file.size / rate:.0f} s, and a proxy cuts "
            f"after about {LIMIT:.0f} s: make the file smaller, or use a faster connection."
        )

    def _wait_for_server(self, failure: ConnectionFailed, request: UploadRequest) -> None:
        """Hold everything back for a moment; no file is to blame."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= self._rate.down:
            rest = [*request.files, *self._waiting, *(queued for _, _, queued in self._later)]
            self._waiting.clear()
            self._later.clear()
            for queued in rest:
                self._fail(queued, str(failure))
            return
        self._silences += 1
        self._quiet_until = now + backoff(self._silences, RETURN)
        self._again(request.files)

    def _split(self, request: UploadRequest, reason: str) -> None:
        """Send the files again in smaller requests; a single one has failed."""
        if len(request.files) == 1:
            self._fail(request.files[0], reason)
        else:
            self._again(request.files)

    def _again(self, files: Iterable[QueuedFile]) -> None:
        if self.over is None:
            self._waiting.extendleft(reversed(list(files)))

    def _fail(self, queued: QueuedFile, why: str) -> None:
        self._left -= queued.file.size
        self.failures[queued.file.name] = why


def _nobody_there(failure: ConnectionFailed) -> bool:
    """Return whether no server was reached at all, as while it restarts."""
    if isinstance(failure, ServerNotReady):
        return not any(status in failure.reason for status in ("504", "524"))
    return isinstance(failure.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
