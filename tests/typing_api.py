"""How people use the package; never run, only checked by mypy in its strict mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, assert_type

import aitk_nb
from aitk_nb.errors import AitkError, JobConflict, NotFound, TransferFailed
from aitk_nb.jobs.samples import Samples
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.job import DownloadReport, RemoteFile, Sample
from aitk_nb.models.loss import LossPoint
from aitk_nb.models.server import Gpu


def connecting(token: str) -> None:
    """Every way to say where and who."""
    assert_type(aitk_nb.connect(), aitk_nb.AIToolkitClient)
    aitk_nb.connect("demo:")
    aitk_nb.connect("http://127.0.0.1:8675", token=token)
    aitk_nb.connect("http://127.0.0.1:8675", token=aitk_nb.Secret(token), verify=Path("ca.pem"))
    aitk_nb.connect("https://x", credentials=("user", token), headers={"X-Gateway": token})
    aitk_nb.connect(aitk_nb.Connection("http://127.0.0.1:8675", token=aitk_nb.Secret(token)))
    aitk_nb.connect(headers={"X-Gateway": aitk_nb.Secret(token)})


def the_whole_path(folder: Path) -> DownloadReport:
    """From a folder of photographs to a LoRA."""
    with aitk_nb.connect() as client:
        if client.can(aitk_nb.Ability.GPUS):
            assert_type(client.gpus(), tuple[Gpu, ...])
        dataset = client.datasets.upload(folder, "my photographs", progress=show)
        assert_type(dataset, DatasetInfo)
        params = aitk_nb.TrainingParams(
            name="cat",
            dataset=dataset.name,
            steps=500,
            learning_rate=1e-4,
            resolution=(512, 768),
            prompts=("a cat",),
            extra="train: {optimizer: prodigy}",
        )
        job = client.jobs.start(params, if_exists="resume")
        assert_type(job.start_result, Literal["created", "attached", "resumed"] | None)
        assert_type(job.wait(timeout=3600), aitk_nb.JobState)
        for state in job.watch(every=5, timeout=3600):
            assert_type(state.status, aitk_nb.JobStatus)
            assert_type(state.progress, float | None)
        return job.download("loras")


def preparing(client: aitk_nb.AIToolkitClient, params: aitk_nb.TrainingParams) -> None:
    """What is known before a start, and several at once."""
    assert_type(client.jobs.preflight(params, price_per_hour=0.5), aitk_nb.PreflightReport)
    assert_type(client.jobs.preflight(params).ok, bool)
    assert_type(client.jobs.estimate(params).seconds, float | None)
    assert_type(client.jobs.plan(params), aitk_nb.DryRunReport)
    assert_type(client.jobs.start_all([params]), tuple[aitk_nb.Job, ...])
    assert_type(client.jobs.plan_all([params]), tuple[aitk_nb.DryRunReport, ...])


def following(job: aitk_nb.Job) -> None:
    """What a job tells."""
    history = job.losses()
    assert_type(job.losses(since=history), aitk_nb.LossHistory)
    assert_type(history.points(), tuple[LossPoint, ...])
    assert_type(history.summary().end, float)
    frame = history.frame()
    frame.to_csv("losses.csv")
    assert_type(job.samples(), Samples)
    assert_type(job.samples(limit=0).shown, tuple[Sample, ...])
    assert_type(job.files(), tuple[RemoteFile, ...])
    assert_type(job.log(), str)
    assert_type(job.log(tail=6), str)
    assert_type(job.params(name="cat_2"), aitk_nb.TrainingParams)
    assert_type(job.inspect_lora([500]).rank, int | None)
    assert_type(job.download("loras", [500, 1000], name="my cat").files, Mapping[str, str])
    for sample in job.samples():
        job.download("samples", sample)
    assert_type(job.stop(save=True).step, int)
    job.delete()


def failing(client: aitk_nb.AIToolkitClient, params: aitk_nb.TrainingParams) -> str:
    """What can be caught, and the facts on it."""
    try:
        client.jobs.start(params)
    except JobConflict as conflict:
        return ", ".join(conflict.differences)
    except NotFound as missing:
        return f"{missing.kind} {missing.name}"
    except TransferFailed as failed:
        return ", ".join(failed.failures)
    except AitkError as error:
        return str(error)
    return ""


def show(done: int, total: int) -> None:
    """Take progress."""


def looking(path: Path) -> None:
    """A LoRA on the disk."""
    assert_type(aitk_nb.inspect_lora(path).finite, bool | None)
