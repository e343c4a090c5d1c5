"""A stand-in for the trainer: does what `act` in the job config says, and writes the job's row.

It is started as a script, with the path of the job config, like the real one.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path


def main(path: str) -> int:
    """Act, and return the exit code."""
    process = json.loads(Path(path).read_text())["config"]["process"][0]
    database, act = process["sqlite_db_path"], process.get("act", "complete")
    sys.stdout.write(f"acting {act}\n")
    sys.stdout.flush()
    if act == "environment":
        Path(path).with_name("environment.json").write_text(json.dumps(dict(os.environ)))
    if act == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if act == "fail":
        return 3
    if act in {"wait", "deaf"}:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
        return _wait(database)
    _write(database, "status = 'completed', info = 'Training completed'")
    return 0


def _wait(database: str) -> int:
    try:
        _write(database, "info = 'Training'")
        while True:
            time.sleep(0.02)
            if _flag(database):
                _write(database, "status = 'queued', info = 'Job queued'")
                return 1
    except KeyboardInterrupt:
        _write(database, "status = 'stopped', info = 'Job stopped'")
        return 0


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(9)


def _flag(database: str) -> bool:
    with sqlite3.connect(database, timeout=30) as db:
        row = db.execute(
            "SELECT return_to_queue FROM Job WHERE id = ?", [os.environ["AITK_JOB_ID"]]
        ).fetchone()
    return bool(row and row[0])


def _write(database: str, columns: str) -> None:
    with sqlite3.connect(database, timeout=30) as db:
        db.execute(f"UPDATE Job SET {columns} WHERE id = ?", [os.environ["AITK_JOB_ID"]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
