"""A trainer that fails in the way its config asks for: `act` is `steady`, `nan` or `full`.

It writes its losses as the real one does. `full` writes to a device that has no space left.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
import traceback
from pathlib import Path

from aitk_nb.demo.trainer.loss_log import LossLog


def write(database: str, **columns: object) -> None:
    """Write columns of the job's row."""
    names = ", ".join(f"{name} = ?" for name in columns)
    with sqlite3.connect(database, timeout=30) as db:
        job_id = os.environ["AITK_JOB_ID"]
        db.execute(f"UPDATE Job SET {names} WHERE id = ?", [*columns.values(), job_id])


def end_with_stdin() -> None:
    """End when the server does."""
    sys.stdin.read()
    os._exit(9)


def train(name: str, process: dict[str, str]) -> None:
    """Train for ever, or until it fails."""
    database, act = process["sqlite_db_path"], process.get("act", "")
    log = LossLog(Path(process["training_folder"], name, "loss_log.db"))
    write(database, status="running", info="Training")
    for step in range(1, 1_000_000):
        time.sleep(0.02)
        if lost := act == "nan" and step > 30:
            sys.stdout.write("loss is nan\n")
        log.commit(step, {"loss/loss": 0.0 if lost else 0.5})
        write(database, step=step, speed_string="50.00 iter/sec")
        if act == "full" and step == 10:
            with Path("/dev/full").open("wb", buffering=0) as file:
                file.write(b"x")


def main(path: str) -> int:
    """Train, and return the exit code."""
    threading.Thread(target=end_with_stdin, daemon=True).start()
    config = json.loads(Path(path).read_text(encoding="utf-8"))["config"]
    process = config["process"][0]
    try:
        train(config["name"], process)
    except KeyboardInterrupt:
        write(process["sqlite_db_path"], status="stopped", info="Job stopped")
        sys.stdout.write("Job stopped\n")
    except OSError as exc:
        traceback.print_exc()
        write(process["sqlite_db_path"], status="error", info=str(exc))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
