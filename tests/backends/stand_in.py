"""A stand-in for the trainer: quick, and with the manners of the real one.

It is started as a script with the path of the job config. With `act: wait` in the process it
trains until it is stopped, otherwise it is done after its steps; `act: linger` takes its time to
end, and `act: deaf` hears no signal. It saves and samples on demand.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any


class Training:
    """One run."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.name = config["config"]["name"]
        self.process = config["config"]["process"][0]
        self.database = self.process["sqlite_db_path"]
        self.folder = Path(self.process["training_folder"], self.name)
        self.act = self.process.get("act", "")
        self.saved = self._last_saved()
        self.step = self.saved

    def run(self) -> None:
        """Train until all steps are done, or for ever."""
        self.write(status="running", info="Training")
        while self.act in {"wait", "linger", "deaf"} or self.step < self.process["train"]["steps"]:
            time.sleep(0.02)
            self.step += 1
            self.write(step=self.step, speed_string="50.00 iter/sec")
            self._on_demand()
        self._keep(f"{self.name}.safetensors")
        self.write(status="completed", info="Training completed")

    def stop(self) -> None:
        """End as the real one does: some time after the signal, with last words in the log."""
        self.write(status="stopped", info="Job stopped", step=self.saved)
        time.sleep(1.0 if self.act == "linger" else 0.05)
        sys.stdout.write("========================================\nJob stopped\n==========\n")

    def write(self, **columns: object) -> None:
        """Write columns of the job's row."""
        names = ", ".join(f"{name} = ?" for name in columns)
        with sqlite3.connect(self.database, timeout=30) as db:
            db.execute(f"UPDATE Job SET {names} WHERE id = ?", [*columns.values(), job_id()])

    def _on_demand(self) -> None:
        with sqlite3.connect(self.database, timeout=30) as db:
            row = db.execute("SELECT save_now, sample_now FROM Job WHERE id = ?", [job_id()])
            save, sample = row.fetchone() or (0, 0)
        if save:
            self.write(save_now=0)
            name = f"{self.name}_{self.step:09d}.safetensors"
            sys.stdout.write(f"\nSaving at step {self.step}\n")
            self._keep(name)
            sys.stdout.write(f"Saved checkpoint to {self.folder / name}\nSaved optimizer to x\n")
            sys.stdout.flush()
        if sample:
            self._keep(f"samples/{time.time_ns() // 10**6}__{self.step:09d}_0.jpg")
            self.write(sample_now=0)

    def _keep(self, name: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"{name} at {self.step}".encode())
        self.saved = self.step

    def _last_saved(self) -> int:
        numbered = self.folder.glob(f"{self.name}_*.safetensors")
        return max((int(path.stem.rpartition("_")[2]) for path in numbered), default=0)


def job_id() -> str:
    """Return the id of the job that this process works on."""
    return os.environ["AITK_JOB_ID"]


def end_with_stdin() -> None:
    """End when the server does."""
    sys.stdin.read()
    os._exit(9)


def main(path: str) -> int:
    """Train, and return the exit code."""
    threading.Thread(target=end_with_stdin, daemon=True).start()
    training = Training(json.loads(Path(path).read_text(encoding="utf-8")))
    if training.act == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stdout.write(f"# Running job: {training.name} 🐈\n")
        sys.stdout.flush()
        training.run()
    except KeyboardInterrupt:
        training.stop()
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
