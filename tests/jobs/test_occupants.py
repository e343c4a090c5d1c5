"""What holds a GPU: jobs of all types, and jobs whose process has died."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aitk_nb.errors import JobConflict
from aitk_nb.jobs.api import Jobs
from aitk_nb.jobs.health import HealthState
from aitk_nb.jobs.queue import freest_gpu, queue_position
from aitk_nb.models.checklist import Status
from aitk_nb.models.job import JobStatus
from aitk_nb.models.server import Gpu
from aitk_nb.training.params import TrainingParams
from tests.scripted import PARAMS, Clock, ScriptedBackend, there

QUEUED, RUNNING, STOPPING = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.STOPPING


class Bench:
    """A server whose GPU 0 is held by something, and a job that waits for it."""

    def __init__(self, name: str = "other", status: JobStatus = RUNNING, **state: Any) -> None:
        self.backend, self.clock = ScriptedBackend(), Clock()
        self.backend.gpu_list = (Gpu(0, "A", 100, 10), Gpu(1, "B", 100, 90))
        other = TrainingParams(name="holder", dataset="cats", steps=9)
        fields: dict[str, Any] = {"name": name, "pid": 7, "tells_pid": True, "gpu_ids": "0"}
        held = replace(there(self.backend, other, status=status), **fields | state)
        self.backend.jobs = {name: held}
        self.jobs = Jobs(self.backend, sleep=self.clock.sleep, clock=self.clock)

    def waiting(self) -> Any:
        """Return a job behind it in the queue."""
        there(self.backend, status=QUEUED)
        return self.jobs.get("cat")

    def gpu_row(self, gpu_ids: str = "0") -> tuple[Status, str, str]:
        """Return the preflight's row about the GPU."""
        report = self.jobs.preflight(PARAMS.model_copy(update={"gpu_ids": gpu_ids}))
        return next((c.status, c.message, c.remedy) for c in report.checks if c.name == "GPU")


HOLDERS = [
    ({"job_type": "caption"}, "'other' (a captioning job)", Status.WARNING),
    ({"job_type": "inference"}, "'other' (the inference engine)", Status.PROBLEM),
    ({"job_type": "dream"}, "'other' (a job of type dream)", Status.WARNING),
]


@pytest.mark.parametrize(("state", "label", "status"), HOLDERS)
def test_jobs_of_all_types_count(state: dict[str, Any], label: str, status: Status) -> None:
    """They are named, with the call that ends them; the engine never ends by itself."""
    bench = Bench(**state)
    call = "client.jobs.get('other').stop() or `aitk-nb stop other`."
    assert "1" == freest_gpu(bench.backend)
    row = bench.gpu_row()
    assert (status, True, True) == (row[0], label in row[1], call in row[2])
    assert ("not start" in row[1]) == ("It keeps the GPU until then." in row[2])
    assert bench.gpu_row("0,1")[0] is Status.WARNING
    assert bench.gpu_row("1")[0] is Status.OK
    job = bench.waiting()
    assert f"where {label} is running" in str(job.queue_position())
    health = job.health()
    assert (HealthState.QUEUED, True) == (health.state, call in health.remedy)


def test_a_training_job_before_it_needs_no_remedy() -> None:
    """It ends by itself; two of them agree in number."""
    bench = Bench(info="Training", step=3)
    job = bench.waiting()
    assert "" == job.health().remedy
    assert "1 active job first, 'other'." in bench.gpu_row()[1]
    second = replace(bench.backend.jobs["other"], name="second")
    bench.backend.jobs["second"] = second
    position = queue_position(bench.backend, job.state)
    assert "where 'second', 'other' are running" in str(position)
    assert ("second", "other") == position.running  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["other", "other dog"])
def test_a_queue_that_a_dead_job_blocks_is_told_at_once(name: str) -> None:
    """With the calls that free it, quoted."""
    bench = Bench(name, STOPPING, has_died=True, info="Stopping job...")
    quoted = f"`aitk-nb stop {name} --force`" if name == "other" else "'other dog' --force"
    health = bench.waiting().health()
    assert f"client.jobs.get({name!r}).repair(confirmed=True)" in health.remedy
    assert quoted in health.remedy
    row = bench.gpu_row()
    assert (Status.PROBLEM, True) == (row[0], quoted in row[2])


def test_a_queue_whose_job_stands_still_is_told_in_time() -> None:
    """Its steps, log and files are watched too."""
    bench = Bench(info="Training", step=3)
    job = bench.waiting()
    assert "may block" not in job.health().text
    for _ in range(10):
        bench.clock.sleep(30.0)
        health = job.health()
    assert "'other' may block it: Stuck at step 3" in health.text
    assert "client.jobs.get('other').repair(confirmed=True)" in health.remedy


def test_the_name_of_another_type_of_job_is_taken() -> None:
    """Nothing attaches to it, and nothing overwrites it."""
    bench = Bench("cat", JobStatus.COMPLETED, job_type="caption")
    for if_exists in ("attach", "resume"):
        with pytest.raises(JobConflict, match="it is 'cat' \\(a captioning job\\)"):
            bench.jobs.start(PARAMS, if_exists=if_exists)  # type: ignore[arg-type]
    report = bench.jobs.preflight(PARAMS)
    row = next(check for check in report.checks if check.name == "name")
    assert (Status.PROBLEM, "Choose another name.") == (row.status, row.remedy)
    assert [] == bench.backend.calls
