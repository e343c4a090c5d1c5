"""The demo server's trainer: job config in, files out; a process, or a call.

As a process, `python -m aitk_nb.demo.trainer PATH_OF_THE_CONFIG` prints the job's log, writes the
job's row if `AITK_JOB_ID` names one, stops at SIGINT, and ends when the pipe on its stdin does, so
that no trainer outlives its server.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import stat
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from aitk_nb.demo.trainer.job_row import JobRow, Watcher

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_LINE = "=" * 40


def train(
    config: Mapping[str, Any],
    out: TextIO,
    watcher: Watcher | None = None,
    *,
    flush_seconds: float = 0.25,
) -> Path:
    """Train as a job config says, print the log into `out`, and return the path of the LoRA.

    `flush_seconds` is how long losses may wait before they are written.

    Raises:
        ValueError: the config is incomplete, or asks for what this trainer cannot do.
        OSError: the dataset cannot be read, or the folder cannot be written.
    """
    # NumPy is imported as late as this, after `main` has seen to its threads.
    from aitk_nb.demo.trainer import config as trainer_config
    from aitk_nb.demo.trainer.run import TrainingRun

    out.write(f"{json.dumps(config, indent=4)}\n")
    job = trainer_config.read(config)
    bar = "#" * 45
    out.write(f"\n{bar}\n# Running job: {job.name}\n{bar}\n\n")
    out.write("\nRunning  1 process\n")
    out.flush()
    path = TrainingRun(job, out, watcher, flush_seconds).run()
    out.write(f"\n{_LINE}\nResult:\n - 1 completed job\n{_LINE}\n")
    out.flush()
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the config at the given path says, and return the exit code."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    # Whoever started the server in the background may have had SIGINT ignored, which is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in _THREADS:
        os.environ[name] = "1"
    end_with_stdin()
    out = _utf8(sys.stdout)
    seconds = float(os.environ.get("AITK_DEMO_LIVES_ON", "0"))
    code = _to_the_end(path, out, seconds)
    if seconds:
        # The real one takes this long to leave PyTorch, and holds its GPU meanwhile.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(seconds)
    return code


def _to_the_end(path: str, out: TextIO, lives_on: float) -> int:
    row: JobRow | None = None
    try:
        config = json.loads(Path(path).read_text("utf-8"))
        row = _row(config, out)
        process = config["config"]["process"][0]
        if process.get("type") == "InferenceEngine":
            from aitk_nb.demo.trainer.engine import main as engine

            return engine.serve(process, out, row, lives_on)
        done = _run(config, out, row)
    except KeyboardInterrupt:
        return _stopped(row, out)
    except Exception as exc:  # noqa: BLE001 - whatever it is, row and log must tell it
        return _failed(row, out, exc)
    if row is not None:
        row.end("completed", done)
    return 0


def _run(config: Mapping[str, Any], out: TextIO, row: JobRow | None) -> str:
    """Train or caption, and return the last words of its row."""
    from aitk_nb.demo.trainer import captioner

    process = config["config"]["process"][0]
    if process.get("type") not in captioner.CAPTIONERS:
        train(config, out, row)
        return "Training completed"
    try:
        captioner.caption(process, out, row)
    except captioner.Interrupted as exc:
        from aitk_nb.demo.trainer.run import BackToQueue, Stopped

        raise (Stopped if exc.args == ("stopped",) else BackToQueue)(*exc.args) from None
    finally:
        if row is not None:
            row.saved_all()
    return captioner.DONE


def _stopped(row: JobRow | None, out: TextIO) -> int:
    # A second signal must not break what is written here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if row is not None:
        row.end("stopped", "Job stopped")
    out.write(f"\n{_LINE}\nJob stopped\n{_LINE}\n")
    out.flush()
    return 0


def _failed(row: JobRow | None, out: TextIO, exc: Exception) -> int:
    from aitk_nb.demo.trainer.run import BackToQueue, Stopped

    if isinstance(exc, Stopped):
        return _stopped(row, out)
    out.write("\n")
    traceback.print_exception(exc, file=out)
    out.flush()
    if row is not None and isinstance(exc, BackToQueue):
        row.end("queued", "Job queued")
    elif row is not None:
        row.end("error", str(exc) or type(exc).__name__)
    return 1


def _row(config: Mapping[str, Any], out: TextIO) -> JobRow | None:
    from aitk_nb.demo.trainer.job_row import JobRow

    job_id = os.environ.get("AITK_JOB_ID", "").strip()
    database = Path(config["config"]["process"][0].get("sqlite_db_path") or "")
    if not job_id:
        return None
    out.write(f'Job ID: "{job_id}"\n')
    if not database.is_file():
        return None
    out.write(f"Using SQLite database at {database}\n")
    row = JobRow(database, job_id)
    row.begin()
    return row


def _utf8(stream: TextIO) -> TextIO:
    # The progress bar needs it, whatever the locale; names may hold halves of characters.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
    return stream


def end_with_stdin() -> None:
    """End the process at once when the pipe on stdin does; a terminal or a file is left alone."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stdin = sys.stdin.fileno()
        if stat.S_ISFIFO(os.fstat(stdin).st_mode):
            threading.Thread(target=_watch, args=(stdin,), daemon=True).start()


def _watch(stdin: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(stdin, 4096):
            pass
    os._exit(1)
