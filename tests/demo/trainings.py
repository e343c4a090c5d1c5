"""Job configs for the trainer's tests, and ways to run them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aitk_nb.demo.common.store import Store
from aitk_nb.demo.common.tables import Job

ROOT = Path(__file__).resolve().parents[2]


def config(folder: Path, photos: Path, **changes: Any) -> dict[str, Any]:
    """Return a small job config; `changes` are merged into the sections of the process."""
    process: dict[str, Any] = {
        "type": "diffusion_trainer",
        "training_folder": str(folder),
        "trigger_word": "grace",
        "training_seed": 1,
        "performance_log_every": 10,
        "network": {"type": "lora", "linear": 4, "linear_alpha": 4},
        "save": {"dtype": "bf16", "save_every": 10, "max_step_saves_to_keep": 2},
        "datasets": [{"folder_path": str(photos), "caption_ext": "txt", "resolution": [512]}],
        "train": {"batch_size": 1, "steps": 35, "lr": 1e-3, "optimizer": "adamw8bit"},
        "logging": {"log_every": 1, "use_ui_logger": True},
        "model": {"arch": "flex1"},
        "sample": {"sample_every": 20, "width": 512, "height": 512, "sample_steps": 4},
    }
    for key, value in changes.items():
        section = process.get(key)
        process[key] = {**section, **value} if isinstance(section, dict) else value
    return {
        "job": "extension",
        "config": {"name": "tiny", "process": [process]},
        "meta": {"name": "[name]", "version": "1.0"},
    }


def losses(folder: Path) -> dict[int, float | None]:
    """Return the losses in a job's database by step."""
    with sqlite3.connect(folder / "loss_log.db") as db:
        rows = db.execute("SELECT step, value_real FROM metrics WHERE key = 'loss/loss'")
        found = dict(rows.fetchall())
    db.close()
    return found


def learn(folder: Path, photos: Path, **changes: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Train on one core, without samples, and return the losses in order."""
    plain = {"sample": {"samples": []}, "save": {"save_every": 0}, **changes}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "job.json"
    path.write_text(json.dumps(config(folder, photos, **plain)), "utf-8")
    subprocess.run(
        [sys.executable, "-m", "aitk_nb.demo.trainer", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    found = losses(folder / "tiny")
    return np.array([np.nan if found[s] is None else found[s] for s in sorted(found)], float)


class Running:
    """A trainer in its own process, as the worker starts it, with a row in a database."""

    def __init__(self, data: Path, job: Mapping[str, Any]) -> None:
        """Start to train `job` with the files and the database in `data`."""
        self.folder = data / "output" / "tiny"
        self.store = Store(data)
        self.store.open()
        text = json.loads(json.dumps(job))
        text["config"]["process"][0]["sqlite_db_path"] = str(self.store.database_path)
        found = self.store.db.jobs()
        fields = {"name": "tiny", "gpu_ids": "0", "job_config": json.dumps(text)}
        self.id = found[0].id if found else self.store.db.create_job(fields).id
        path = data / "job.json"
        path.write_text(json.dumps(text), "utf-8")
        self.log = data / "log.txt"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aitk_nb.demo.trainer", str(path)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=data,
                env={**os.environ, "PYTHONPATH": str(ROOT), "AITK_JOB_ID": self.id, "LC_ALL": "C"},
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.store.close()

    @property
    def row(self) -> Job:
        """The job's row as it stands."""
        row = self.store.db.job(self.id)
        assert row is not None
        return row

    @property
    def text(self) -> str:
        """The log so far."""
        return self.log.read_bytes().decode("utf-8")

    def until(self, done: Callable[[], object]) -> None:
        """Wait until `done` is true."""
        for _ in range(2000):
            if done():
                return
            time.sleep(0.01)
        raise AssertionError(f"{self.row}\n{self.text[-3000:]}")

    def end(self) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(30)
