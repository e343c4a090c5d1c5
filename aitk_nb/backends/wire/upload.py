"""Files on their way to a server: several requests at once, and each file until it is there."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from aitk_nb.backends.base import Progress, Upload
from aitk_nb.backends.wire.file_readers import Changed, CountingReader, LocalFile
from aitk_nb.backends.wire.parallel import Tally
from aitk_nb.backends.wire.upload_rate import LIMIT, Pace
from aitk_nb.errors import (
    AitkError,
    ConnectionFailed,
    Rejected,
    ServerNotReady,
    TransferFailed,
    Unauthorized,
)

__all__ = ["Parcel", "send_all", "send_bundles"]

ATTEMPTS = 6
"""How often a file is sent before it is given up, when the line breaks each time."""
MOST = 64
"""Files in one request: more spare little delay, and each is lost with the request."""
OVERHEAD = 200
"""Bytes that a form spends on each file, more or less."""
LONGEST_WAIT = 8.0
PIECE = 2**18
"""Bytes that are read, digested and counted at a time."""

_log = logging.getLogger(__name__)


class Parcel(NamedTuple):
    """A file that goes into a request, and the reader through which it has to be read."""

    file: Upload
    reader: CountingReader


Send = Callable[[Sequence[Parcel]], None]
"""Puts all parcels into one request, and returns when the server says that it has them."""


def send_all(
    files: Sequence[Upload],
    send: Callable[[Upload, CountingReader], None],
    progress: Progress,
    pace: Pace | None = None,
) -> dict[str, str]:
    """Send every file in a request of its own; otherwise as `send_bundles`."""
    return send_bundles(files, lambda parcels: send(*parcels[0]), progress, pace, most=1)


def send_bundles(
    files: Sequence[Upload],
    send: Send,
    progress: Progress,
    pace: Pace | None = None,
    *,
    most: int = MOST,
) -> dict[str, str]:
    """Send every file, small ones together, and return the SHA-256 of what was sent, by name.

    What breaks is sent again, smaller and with fewer requests beside it. An interrupt ends the
    requests that are on their way, of which the server keeps nothing, and is raised.

    Raises:
        TransferFailed: some did not arrive; the others did.
        Unauthorized: the server wants other credentials.
    """
    total = sum(file.size for file in files)
    progress(0, total)
    sending = _Sending(files, send, Tally(progress, total), pace or Pace(), most)
    sending.run()
    if sending.failures:
        order = {file.name: sending.failures.get(file.name) for file in files}
        failures = {name: why for name, why in order.items() if why is not None}
        raise TransferFailed(failures, done=len(files) - len(failures))
    return sending.digests


class _Ended(AitkError):
    """The upload is over, so that this request need not go on."""


@dataclass(slots=True)
class _Item:
    file: Upload
    tries: int = 0
    alone: bool = False
    """True once it was in a request that was refused, nobody knows for which of its files."""

    @property
    def body(self) -> int:
        """What it adds to the body of a request, in bytes."""
        return self.file.size + OVERHEAD


@dataclass(slots=True)
class _Trip:
    """One request."""

    items: list[_Item]
    size: int
    """Bytes of its body."""
    lanes: int
    """How many requests may run while this one does."""
    began: float = field(default_factory=time.monotonic)


class _Sending:
    """One upload: what waits, what is on its way, and what became of the rest."""

    def __init__(
        self, files: Sequence[Upload], send: Send, tally: Tally, pace: Pace, most: int
    ) -> None:
        self._send = send
        self._tally = tally
        self._pace = pace
        self._most = most
        self._piece = PIECE if most > 1 else 0
        self._change = threading.Condition()
        self._fresh = deque(_Item(file) for file in files)
        self._later: list[tuple[float, int, _Item]] = []
        self._tickets = itertools.count()
        self._left = sum(file.size for file in files)
        self._trips: list[_Trip] = []
        self._over: BaseException | None = None
        self._silent_since: float | None = None
        self._silences = 0
        self._quiet_until = 0.0
        self.failures: dict[str, str] = {}
        self.digests: dict[str, str] = {}

    def run(self) -> None:
        """Send all, and raise what is no failure of a file."""
        self._pace.begin()
        count = min(len(self._fresh), 8)
        # They are not waited for at the end of the program: an interrupt is to be one.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        try:
            for thread in threads:
                thread.start()
            with self._change:
                while self._over is None and self._is_busy():
                    self._change.wait(0.2)
        except BaseException as exc:
            self._end(exc)
            raise
        finally:
            _join(threads, 2.0 if self._over else None)
        if self._over is not None:
            raise self._over

    def _is_busy(self) -> bool:
        return bool(self._fresh or self._later or self._trips)

    def _end(self, why: BaseException) -> None:
        with self._change:
            self._over = self._over or why
            self._change.notify_all()

    def _check(self) -> None:
        """Break off the request whose file is read next, once the upload is over."""
        if self._over is not None:
            raise _Ended("The upload was broken off.")

    def _work(self) -> None:
        try:
            while (trip := self._next_trip()) is not None:
                self._travel(trip)
        except BaseException as exc:  # noqa: BLE001 (it is raised by `run`)
            self._end(exc)

    # -- what goes next ------------------------------------------------------------------------

    def _next_trip(self) -> _Trip | None:
        """Return the next request as soon as it may begin; None when there is none any more."""
        with self._change:
            while self._over is None and self._is_busy():
                trip = self._pick()
                if trip is not None:
                    self._trips.append(trip)
                    return trip
                self._change.wait(self._nap())
            return None

    def _nap(self) -> float:
        due = min((when for when, _, _ in self._later), default=time.monotonic() + 1)
        due = max(due, self._quiet_until)
        return min(1.0, max(0.01, due - time.monotonic()))

    def _pick(self) -> _Trip | None:
        now = time.monotonic()
        if now < self._quiet_until:
            return None
        while self._later and self._later[0][0] <= now:
            self._fresh.appendleft(heapq.heappop(self._later)[2])
        self._refuse_what_is_too_large()
        if not self._fresh:
            return None
        items = self._bundle()
        size = sum(item.body for item in items)
        lanes = self._pace.lanes_for(size)
        if len(self._trips) >= min([lanes, *(trip.lanes for trip in self._trips)]):
            return None
        for _ in items:
            self._fresh.popleft()
        return _Trip(items, size, lanes)

    def _bundle(self) -> list[_Item]:
        """Return the items at the front that share a request."""
        room = self._pace.bundle(self._left)
        items: list[_Item] = []
        for item in itertools.islice(self._fresh, self._most):
            room -= item.body
            if items and (room < 0 or item.alone or items[0].alone):
                break
            items.append(item)
        return items

    def _refuse_what_is_too_large(self) -> None:
        while self._fresh and self._pace.is_proven_too_large(self._fresh[0].body):
            self._fail(self._fresh.popleft(), self._too_large())

    def _too_large(self) -> str:
        limit = (self._pace.refused or 0) / 1e6
        return (
            f"it is too large: the server, or a proxy before it, takes no request of {limit:.3g} "
            "MB; make the file smaller, or reach the server without the proxy"
        )

    # -- what becomes of it --------------------------------------------------------------------

    def _travel(self, trip: _Trip) -> None:
        files = [LocalFile(item.file) for item in trip.items]
        readers = [
            CountingReader(file, self._tally.add, self._check, self._piece) for file in files
        ]
        parcels = [
            Parcel(item.file, reader) for item, reader in zip(trip.items, readers, strict=True)
        ]
        failure: AitkError | None = None
        try:
            self._send(parcels)
        except AitkError as exc:
            failure = exc
        finally:
            for file in files:
                file.close()
        sent = sum(reader.sent for reader in readers)
        if failure is not None:
            for reader in readers:
                reader.undo()
        with self._change:
            seconds = time.monotonic() - trip.began
            if failure is None:
                self._arrived(parcels, trip, seconds)
            else:
                self._sort_out(failure, trip, sent, seconds)
            self._trips.remove(trip)
            self._change.notify_all()

    def _arrived(self, parcels: Sequence[Parcel], trip: _Trip, seconds: float) -> None:
        self._silent_since, self._silences = None, 0
        self._pace.went(trip.size, seconds, len(self._trips))
        self._left -= sum(parcel.file.size for parcel in parcels)
        self.digests |= {parcel.file.name: parcel.reader.sha256 for parcel in parcels}

    def _sort_out(self, failure: AitkError, trip: _Trip, sent: int, seconds: float) -> None:
        """Let each item of a request that failed wait for its next one, or fail."""
        if isinstance(failure, _Ended):
            return
        if isinstance(failure, Unauthorized):
            self._over = self._over or failure
        elif isinstance(failure, ConnectionFailed):
            self._broke(failure, trip, sent, seconds)
        elif isinstance(failure, Rejected) and failure.status == 413:
            self._pace.too_large(trip.size)
            self._split(trip, self._too_large())
        elif isinstance(failure, Changed):
            for item in trip.items:
                if item.file.name == failure.name:
                    self._fail(item, str(failure))
            self._again(item for item in trip.items if item.file.name != failure.name)
        else:
            for item in trip.items:
                item.alone = True
            self._split(trip, str(failure))

    def _broke(self, failure: ConnectionFailed, trip: _Trip, sent: int, seconds: float) -> None:
        _log.info("a request of %d bytes broke after %.1f s: %s", trip.size, seconds, failure)
        if _nobody_there(failure):
            self._wait_for_server(failure, trip)
            return
        cut = seconds > 1 and any(word in failure.reason for word in ("524", "504", "in time"))
        self._pace.broke(sent, trip.size, seconds, len(self._trips), cut=cut)
        # What is cut although it has the line to itself will hardly do better the next time.
        hopeless = cut and len(trip.items) == len(self._trips) == 1
        for item in trip.items:
            item.tries += 2 if hopeless else 1
            if item.tries >= ATTEMPTS:
                self._fail(item, f"{failure} {self._why_slow(item)}".strip())
            else:
                self._put_back(item, _backoff(item.tries))

    def _why_slow(self, item: _Item) -> str:
        rate = self._pace.rate
        if rate is None or item.file.size / rate < LIMIT:
            return ""
        return (
            f"At {rate / 1e6:.2g} MB/s it takes {item.file.size / rate:.0f} s, and a proxy cuts "
            f"after about {LIMIT:.0f} s: make the file smaller, or use a faster line."
        )

    def _wait_for_server(self, failure: ConnectionFailed, trip: _Trip) -> None:
        """Hold everything back for a moment; nothing of this was the fault of a file."""
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since >= self._pace.down:
            rest = [*trip.items, *self._fresh, *(item for _, _, item in self._later)]
            self._fresh.clear()
            self._later.clear()
            for item in rest:
                self._fail(item, str(failure))
            return
        self._silences += 1
        self._quiet_until = now + min(_backoff(self._silences), 2.0)
        self._again(trip.items)

    def _split(self, trip: _Trip, reason: str) -> None:
        """Send the items again in smaller requests; a single one has failed."""
        if len(trip.items) == 1:
            self._fail(trip.items[0], reason)
        else:
            self._again(trip.items)

    def _again(self, items: Iterable[_Item]) -> None:
        if self._over is None:
            self._fresh.extendleft(reversed(list(items)))

    def _put_back(self, item: _Item, seconds: float) -> None:
        when = time.monotonic() + seconds
        heapq.heappush(self._later, (when, next(self._tickets), item))

    def _fail(self, item: _Item, why: str) -> None:
        self._left -= item.file.size
        self.failures[item.file.name] = why


def _join(threads: Sequence[threading.Thread], longest: float | None) -> None:
    until = None if longest is None else time.monotonic() + longest
    for thread in threads:
        # An interrupt may come before a thread has begun; there is nothing to wait for then.
        with suppress(RuntimeError):
            thread.join(None if until is None else max(0.0, until - time.monotonic()))


def _nobody_there(failure: ConnectionFailed) -> bool:
    """Return whether no server was reached at all: it restarts, say."""
    if isinstance(failure, ServerNotReady):
        return not any(status in failure.reason for status in ("504", "524"))
    return isinstance(failure.__cause__, httpx.ConnectError | httpx.ConnectTimeout)


def _backoff(tries: int) -> float:
    """Return seconds to wait, each time about twice as long, never twice the same."""
    longest = min(LONGEST_WAIT, 0.25 * 2**tries)
    return random.uniform(longest / 2, longest)  # noqa: S311 (no secret)
