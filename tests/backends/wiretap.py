"""A relay on loopback that keeps every byte a client sends."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Self
from urllib.parse import urlsplit


class Wiretap:
    """Listens in front of a server; without one, it only counts who comes."""

    def __init__(self, upstream: str = "") -> None:
        self._upstream = urlsplit(upstream)
        self._lock = threading.Lock()
        self._said: list[bytearray] = []
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    @property
    def connections(self) -> tuple[bytes, ...]:
        """What was said on each connection, in the order in which they came."""
        with self._lock:
            return tuple(bytes(said) for said in self._said)

    @property
    def requests(self) -> tuple[bytes, ...]:
        """Each request with its body."""
        start = rb"(?=(?:GET|HEAD|POST|PUT|DELETE|OPTIONS) [^\r\n ]+ HTTP/1\.1\r\n)"
        return tuple(
            one for said in self.connections for one in re.split(start, said) if one.strip()
        )

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            said = bytearray()
            with self._lock:
                self._said.append(said)
            if not self._upstream.hostname:
                client.settimeout(5.0)
                with contextlib.suppress(OSError):
                    said += client.recv(2**12)
                client.close()
                continue
            server = socket.create_connection((self._upstream.hostname, self._upstream.port or 80))
            with self._lock:
                self._open |= {client, server}
            for source, target, kept in ((client, server, said), (server, client, None)):
                threading.Thread(
                    target=self._relay, args=(source, target, kept), daemon=True
                ).start()

    def _relay(self, source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(2**16):
                if kept is not None:
                    with self._lock:
                        kept += block
                target.sendall(block)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(sock)
            sock.close()
