"""The embedded Gradio server as an object: a process of its own, started, watched and ended."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from aitk_nb.demo.common import leftovers, trainer_process
from aitk_nb.demo.common.folder_lock import FolderLock

APP = Path(__file__).with_name("app.py")
LOG = "terminal.log"
"""The file in the data folder that holds what the app prints."""

_PATIENCE = 120.0
_ENDING = 10.0
_USER, _PASSWORD = "GRADIO_APP_USER", "GRADIO_APP_LOGIN"


class GradioMissing(RuntimeError):
    """The package that this flavour of the server is made with is not installed."""

    install = "pip install 'aitk-nb[gradio]'"
    """The command that installs it."""

    def __init__(self) -> None:
        """Say what to install."""
        super().__init__(f"The package gradio is not installed: {self.install}")


class GradioServer:
    """A Gradio server on loopback that trains, in a process that ends with this one.

    It is a context manager. At the end of the process it stops by itself.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        port: int = 0,
        login: tuple[str, str] | None = None,
        options: Sequence[str] = (),
        python: str = sys.executable,
    ) -> None:
        """Serve the folder `data`, or a temporary one; nothing happens before `start`.

        `port` 0 takes a free one, `login` is the user name and the password that are demanded,
        `options` go to the script as they are, and `python` is the interpreter that has Gradio.
        """
        self._given = None if data is None else Path(data).expanduser()
        self._port = port
        self._login = login
        self._options = tuple(options)
        self._python = python
        self._owner = os.getpid()
        self._guard = threading.RLock()
        self._undo = contextlib.ExitStack()
        self._data: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return self._url

    @property
    def data(self) -> Path:
        """The folder it works in, with `tmp`, `datasets`, `output` and Gradio's upload root."""
        if self._data is None:
            raise RuntimeError("This server has not been started.")
        return self._data

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process that serves and trains."""
        if self._process is None:
            raise RuntimeError("This server has not been started.")
        return self._process

    @property
    def alive(self) -> bool:
        """True while its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Begin to answer.

        Raises:
            GradioMissing: Gradio is not installed.
            FolderInUse: another server works on that folder.
            OSError: it cannot start.
        """
        if self._python == sys.executable and importlib.util.find_spec("gradio") is None:
            raise GradioMissing
        with self._guard, contextlib.ExitStack() as undo:
            if self._data is not None:
                raise RuntimeError("This server was started before; make a new one.")
            self._data = self._folder(undo)
            # The process takes the lock; that it can is told better from here.
            lock = FolderLock(self._data)
            lock.acquire()
            lock.release()
            self._ask_for_port()
            self._process = self._spawn(self._data)
            undo.callback(_end, self._process)
            self._url = self._address(self._process)
            atexit.register(self.stop)
            self._undo = undo.pop_all()
        return self

    def stop(self) -> None:
        """End the process, whatever it does, and remove a temporary folder; once is enough."""
        if os.getpid() != self._owner:
            return  # a fork has no right to either
        with self._guard:
            atexit.unregister(self.stop)
            self._undo.close()

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
        return f"<GradioServer {self._url} data={str(self._data or self._given or 'temporary')!r}>"

    def _folder(self, undo: contextlib.ExitStack) -> Path:
        if self._given is not None:
            self._given.mkdir(parents=True, exist_ok=True)
            return self._given.resolve()
        leftovers.remove()
        made = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX)).resolve()
        undo.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    def _ask_for_port(self) -> None:
        """Raise an OSError for a port that is taken, instead of finding it after a long start."""
        with socket.socket() as asked:
            if os.name == "posix":
                asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                asked.bind(("127.0.0.1", self._port))
            except OSError as exc:
                text = f"Cannot listen on 127.0.0.1:{self._port}: {exc}"
                raise OSError(exc.errno, text) from exc

    def _spawn(self, data: Path) -> subprocess.Popen[str]:
        with (data / LOG).open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [self._python, str(APP), *self._arguments(data)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=data,
                env=self._environment(),
                text=True,
                # Ctrl-C in a terminal is for this process, which then ends the other in order.
                start_new_session=True,
            )

    def _arguments(self, data: Path) -> Iterator[str]:
        yield from ("--data", str(data), "--port", str(self._port))
        if self._login is not None:
            yield from ("--user-env", _USER, "--password-env", _PASSWORD)
        yield from self._options

    def _environment(self) -> dict[str, str]:
        seen = {
            **trainer_process.inherited(os.environ),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
        }
        if self._login is not None:
            seen[_USER], seen[_PASSWORD] = self._login
        return seen

    def _address(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        too_late = threading.Timer(_PATIENCE, process.kill)
        too_late.start()
        try:
            url = next((line.strip() for line in process.stdout if line.strip()), "")
        finally:
            too_late.cancel()
        if not url:
            process.kill()
            process.wait()
            raise OSError(f"The Gradio app ended while it was starting: {self._last_words()}")
        return url

    def _last_words(self) -> str:
        lines = (self.data / LOG).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _end(process: subprocess.Popen[str]) -> None:
    """Close the pipe whose end ends the process, and see to it that it does."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def start_gradio(
    data: str | os.PathLike[str] | None = None,
    *,
    port: int = 0,
    login: tuple[str, str] | None = None,
) -> GradioServer:
    """Return a Gradio server that answers; stop it, or use it in a `with`."""
    return GradioServer(data, port=port, login=login).start()
