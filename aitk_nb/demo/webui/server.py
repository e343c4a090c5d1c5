"""A demo server as an object: start it, use its address, stop it."""

import atexit
import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aitk_nb.demo.common import leftovers, serving, trainer_process
from aitk_nb.demo.common.store import Store
from aitk_nb.demo.webui.eras import NEWEST, Era, EraName
from aitk_nb.demo.webui.worker import Worker

PREFIX = "demo:"


class DemoServer:
    """A training server on loopback, with its own thread and its trainers as child processes.

    It is a context manager. At the end of the process it stops by itself.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        port: int = 0,
        token: str | None = None,
        era: EraName = NEWEST,
        command: Sequence[str] = trainer_process.TRAINER,
        lives_on: float = 1.6,
        save_seconds: float = 0.2,
    ) -> None:
        """Serve the folder `data`, or a temporary one; nothing happens before `start`.

        `port` 0 takes a free one, `token` is what callers must send, `era` is the version of AI
        Toolkit that it is like, and `command` is the trainer. As the real one's, a trainer keeps
        its GPU for `lives_on` seconds after its last words, and a checkpoint takes `save_seconds`,
        in which a stop leaves half of it.
        """
        self._given = None if data is None else Path(data).expanduser()
        self._port = port
        self._token = token
        self._era = Era(era)
        self._command = command
        self._lives_on = lives_on
        self._save_seconds = save_seconds
        self._worker: Worker | None = None
        self._owner = os.getpid()
        self._guard = threading.RLock()
        self._undo = contextlib.ExitStack()
        self._data: Path | None = None
        self._alive = False

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def data(self) -> Path:
        """The folder with `aitk_db.db`, `datasets` and `output`."""
        if self._data is None:
            raise RuntimeError("This server has not been started.")
        return self._data

    def start(self) -> Self:
        """Begin to answer; raises `FolderInUse` or `OSError` when it cannot."""
        with self._guard, contextlib.ExitStack() as undo:
            if self._data is not None:
                raise RuntimeError("This server was started before; make a new one.")
            self._data = self._folder(undo)
            store = Store(self._data)
            store.open()
            undo.callback(store.close)
            listener = serving.listen(self._port)
            undo.callback(listener.close)
            self._port = listener.getsockname()[1]
            worker = Worker(
                store,
                command=self._command,
                lives_on=self._lives_on,
                save_seconds=self._save_seconds,
                era=self._era,
            )
            self._worker = worker
            undo.callback(worker.stop)
            self._serve(store, worker, listener, undo)
            worker.start()
            atexit.register(self.stop)
            self._undo = undo.pop_all()
            self._alive = True
        return self

    def stop(self) -> None:
        """End trainers and thread, and remove a temporary folder; a second call does nothing."""
        if os.getpid() != self._owner:
            return  # a fork has neither the thread nor the right to remove the folder
        with self._guard:
            self._alive = False
            atexit.unregister(self.stop)
            self._undo.close()

    def lose_exit_handlers(self) -> None:
        """Let trainers that run now end unnoticed, as after a restart of the real worker."""
        if self._worker is not None:
            self._worker.lose_exit_handlers()

    @property
    def alive(self) -> bool:
        """True between `start` and `stop`."""
        return self._alive

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<DemoServer {self.url} data={str(self._data or self._given or 'temporary')!r}>"

    def _folder(self, undo: contextlib.ExitStack) -> Path:
        if self._given is not None:
            self._given.mkdir(parents=True, exist_ok=True)
            return self._given.resolve()
        leftovers.remove()
        made = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX)).resolve()
        undo.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    def _serve(
        self, store: Store, worker: Worker, listener: socket.socket, undo: contextlib.ExitStack
    ) -> None:
        from aitk_nb.demo.webui.app import build
        from aitk_nb.demo.webui.wire import Site

        site = Site(store, worker, self._token or None, era=self._era)
        serving.serve(build(site), listener, undo)
        undo.callback(site.closing.set)


def start(
    data: str | os.PathLike[str] | None = None,
    *,
    port: int = 0,
    token: str | None = None,
    era: EraName = NEWEST,
    lives_on: float = 1.6,
    save_seconds: float = 0.2,
) -> DemoServer:
    """Return a server that answers; stop it, or use it in a `with`."""
    return DemoServer(
        data, port=port, token=token, era=era, lives_on=lives_on, save_seconds=save_seconds
    ).start()
