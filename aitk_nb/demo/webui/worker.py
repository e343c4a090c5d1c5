"""Runs the jobs of a demo server: one at a time in each queue, each in its own process."""

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Self

from aitk_nb.demo.common import trainer_process
from aitk_nb.demo.common.store import Store
from aitk_nb.demo.common.tables import Job, NoSuchJob, Queue, Value
from aitk_nb.demo.common.trainer_process import Child
from aitk_nb.demo.webui.eras import Era

_log = logging.getLogger(__name__)
_WATCH = 0.05


class Worker:
    """Looks at the queues each second, starts what is next, and notes how processes end."""

    def __init__(
        self,
        store: Store,
        *,
        command: Sequence[str] = trainer_process.TRAINER,
        every: float = 1.0,
        patience: float = 5.0,
        lives_on: float = 0.0,
        save_seconds: float = 0.0,
        era: Era | None = None,
    ) -> None:
        """Use `store`, starting `command` with the config's path added.

        `every` is the time between two looks in seconds, and `patience` how long a trainer may
        take to end when the worker stops. A trainer lives on for `lives_on` seconds after its last
        words, and needs `save_seconds` for a checkpoint.
        """
        self._store = store
        self._command = command
        self._every = every
        self._patience = patience
        self._era = era or Era()
        self._manners = {
            trainer_process.LIVES_ON: str(lives_on),
            trainer_process.SAVE_SECONDS: str(save_seconds),
        }
        self._children: dict[int, Child] = {}
        # Whoever signals a process or notes its end holds this, so that no pid is used after its
        # process has been reaped.
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aitk-nb demo worker", daemon=True)

    def start(self) -> Self:
        """Begin to look at the queues."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all trainers and the thread; no job is left running in the database."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._end_children()
            for job in self._store.db.jobs(active=True):
                if job.status != "queued":
                    self._write(job.id, {"status": "stopped", "info": "Job stopped", "pid": None})

    def launch(self, job: Job) -> None:
        """Start the trainer of a job at once, unless its last one still runs."""
        with self._lock:
            if job.id not in {child.job_id for child in self._children.values()}:
                self._launch(job)

    def interrupt(self, job_id: str, pid: int) -> bool:
        """Send SIGINT to the job's process and mark it stopped; False if that is not our child."""
        with self._lock:
            child = self._children.get(pid)
            if child is None or child.job_id != job_id or child.process.poll() is not None:
                return False
            child.interrupt()
            self._write(job_id, {"status": "stopped", "info": "Job stopped"})
            return True

    def lose_exit_handlers(self) -> None:
        """Note the end of no trainer that runs now, as after a restart of the real worker."""
        with self._lock:
            for child in self._children.values():
                child.is_watched = False

    def kill(self, job_id: str, pid: int) -> bool:
        """Kill the job's process; False if that is not our child, whom the real server would kill.

        No stranger's process is touched here, whoever has its number.
        """
        with self._lock:
            for child in self._children.values():
                if (child.job_id, child.process.pid) == (job_id, pid):
                    child.process.kill()
                    return True
        return False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that live now."""
        with self._lock:
            return tuple(self._children)

    def _run(self) -> None:
        due = time.monotonic() + self._every
        while not self._stopping.wait(self._nap(due)):
            try:
                self._reap()
                if time.monotonic() >= due:
                    due = time.monotonic() + self._every
                    self._look()
            except (OSError, sqlite3.Error):
                # A full disk or a folder that was removed must not end the worker.
                _log.warning("the demo worker could not do its round", exc_info=True)

    def _nap(self, due: float) -> float:
        left = max(0.0, due - time.monotonic())
        return min(left, _WATCH) if self._children else left

    def _look(self) -> None:
        for queue in self._store.db.queues("id"):
            if queue.is_running:
                self._advance(queue)
            else:
                self._call_back(queue)

    def _call_back(self, queue: Queue) -> None:
        for job in self._store.db.jobs_of_queue(queue.gpu_ids, "running"):
            self._write(job.id, {"return_to_queue": True, "info": "Stopping job..."})

    def _advance(self, queue: Queue) -> None:
        if self._store.db.jobs_of_queue(queue.gpu_ids, "running", "stopping"):
            return
        waiting = self._store.db.jobs_of_queue(queue.gpu_ids, "queued")
        if not waiting:
            self._store.db.set_queue(queue.gpu_ids, running=False)
        else:
            # Also while the process of the last job lives on, and be it the same job's.
            self._launch(waiting[0])

    def _launch(self, job: Job) -> None:
        starting: dict[str, Value] = {
            "status": "running",
            "stop": False,
            "return_to_queue": False,
            "info": "Starting job...",
        }
        try:
            self._store.db.update_job(job.id, starting)
            with_losses = self._era.has("/api/jobs/{id}/loss")
            folder = trainer_process.prepare(self._store, job, with_losses=with_losses)
            child = trainer_process.spawn(self._store, job, folder, self._command, self._manners)
        except NoSuchJob:
            return
        except trainer_process.Unusable:
            # The real worker dies of this; the job stays as it is and blocks its queue.
            return
        except trainer_process.Refused as exc:
            self._write(job.id, {"status": "error", "info": f"Refused: {exc}."})
            return
        except (OSError, ValueError) as exc:
            self._write(job.id, {"status": "error", "info": f"Error launching job: {exc}"})
            return
        with self._lock:
            self._children[child.process.pid] = child
            self._write(job.id, {"pid": child.process.pid})

    def _reap(self) -> None:
        with self._lock:
            for pid, child in list(self._children.items()):
                if child.process.poll() is not None:
                    del self._children[pid]
                    self._note_end(child)

    def _note_end(self, child: Child) -> None:
        child.hang_up()
        message = child.ending()
        if message is None or not child.is_watched:
            return
        if self._era.has("crashes are noted"):
            trainer_process.append_line(child.log, message)
        elif self._era.has("/api/queue"):
            return  # the worker has let it go
        else:
            message = f"Error launching job: {trainer_process.last_words(child.log)}"
        self._write(
            child.job_id, {"status": "error", "info": message, "pid": None}, only_if="running"
        )

    def _end_children(self) -> None:
        children = list(self._children.values())
        for child in children:
            if child.process.poll() is not None:
                continue
            job = self._store.db.job(child.job_id)
            if job is not None and job.status == "running":
                child.interrupt()
            else:
                child.hang_up()  # it has said its last words, and only lives on
        until = time.monotonic() + self._patience
        while any(c.process.poll() is None for c in children) and time.monotonic() < until:
            time.sleep(0.02)
        for child in children:
            if child.process.poll() is None:
                child.process.kill()
                child.process.wait()
            child.hang_up()
        self._children.clear()

    def _write(self, job_id: str, changes: dict[str, Value], only_if: str | None = None) -> None:
        try:
            self._store.db.update_job(job_id, changes, only_if=only_if)
        except NoSuchJob:
            return
