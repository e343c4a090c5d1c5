"""`RunPodServer`: the imitation as an object: start it, use its address, stop it."""

import atexit
import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from aitk_nb.demo.common import serving
from aitk_nb.demo.runpod.cloud import Cloud


class RunPodServer:
    """RunPod's API and proxy on loopback, with pods that really serve; a context manager."""

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        boot: float = 1.0,
        settle: float = 1.0,
        cut: float = 100.0,
    ) -> None:
        """Boot pods within `boot` seconds by `clock`; their servers answer `settle` s later."""
        from aitk_nb.demo.runpod.api import RunPodApi

        self.cloud = Cloud(clock=clock, boot=boot, settle=settle)
        self.api = RunPodApi(self.cloud, cut=cut)
        self._port = port
        self._owner = os.getpid()
        self._undo = ExitStack()

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Begin to answer; raises `OSError` when it cannot."""
        with ExitStack() as undo:
            listener = serving.listen(self._port)
            undo.callback(listener.close)
            self._port = listener.getsockname()[1]
            undo.callback(self.cloud.close)
            serving.serve(self.api, listener, undo)
            atexit.register(self.stop)
            self._undo = undo.pop_all()
        return self

    def stop(self) -> None:
        """End all pods; a second call does nothing."""
        if os.getpid() == self._owner:
            atexit.unregister(self.stop)
            self._undo.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<RunPodServer {self.url}>"


_shared: dict[int, RunPodServer] = {}
_guard = threading.Lock()


def shared_runpod() -> RunPodServer:
    """Return the imitation of this process, started at the first call."""
    with _guard:
        if os.getpid() not in _shared:
            _shared[os.getpid()] = RunPodServer().start()
        return _shared[os.getpid()]
