"""A relay on loopback that is as far away as one likes: bytes arrive late, and all as late.

It is a process of its own, `python slow_line.py URL SECONDS`, which ends with its stdin: in the
process that is measured it would take from both sides, and more from the one that is faster.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit


@contextlib.contextmanager
def slow_line(upstream: str, rtt: float) -> Iterator[str]:
    """Yield the address of a line to `upstream` with a round trip of `rtt` seconds."""
    with subprocess.Popen(
        [sys.executable, __file__, upstream, str(rtt)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class SlowLine:
    """The relay: a connection costs a round trip before its first byte, as TCP's handshake does."""

    def __init__(self, upstream: str, rtt: float) -> None:
        self._upstream = urlsplit(upstream)
        self._rtt = rtt
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((self._upstream.hostname, self._upstream.port))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = time.monotonic() + self._rtt
            self._carry(client, server, opened)
            self._carry(server, client, 0.0)

    def _carry(self, source: socket.socket, target: socket.socket, earliest: float) -> None:
        late: queue.Queue[tuple[float, bytes]] = queue.Queue()

        def take() -> None:
            with contextlib.suppress(OSError):
                while block := source.recv(2**18):
                    late.put((max(time.monotonic(), earliest) + self._rtt / 2, block))
            late.put((time.monotonic() + self._rtt / 2, b""))

        def give() -> None:
            while True:
                due, block = late.get()
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    if not block:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(block)
                except OSError:
                    return

        for work in (take, give):
            threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    print(SlowLine(sys.argv[1], float(sys.argv[2])).url, flush=True)  # noqa: T201  (a command)
    sys.stdin.read()
