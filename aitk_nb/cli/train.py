"""`aitk-nb train`: start a training job, or check what starting it would do."""

import warnings
from collections.abc import Callable
from typing import Annotated, Literal

import typer

from aitk_nb.cli.app import AsJson, Every, command, if_interrupted, plain, say, show
from aitk_nb.cli.job_output import follow, goes_on
from aitk_nb.cli.params import say_remarks, with_fields
from aitk_nb.cli.server_options import on_server
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import AitkError
from aitk_nb.jobs.job import Job
from aitk_nb.jobs.start import describe
from aitk_nb.models import Flavour, JobStatus
from aitk_nb.training.params import TrainingParams


@command("train")
@with_fields
@on_server
def train(
    client: AIToolkitClient,
    *,
    params: Callable[[], TrainingParams],
    wait: bool = False,
    if_exists: Literal["attach", "resume", "new"] = "attach",
    preflight: bool = False,
    dry_run: bool = False,
    price_per_hour: Annotated[float | None, typer.Option(min=0, show_default=False)] = None,
    every: Every = 2.0,
    as_json: AsJson = False,
) -> None:
    """Start a training job; again, attach to the same one.

    Args:
        wait: Wait until the job ends.
        if_exists: What to do if a job of this name exists.
        preflight: Run preflight checks only; don't start the job.
        dry_run: List the requests of a start without sending them.
        price_per_hour: Hourly price, for --preflight.
    """
    client.architectures()
    given = params()
    if preflight:
        _preflight(client, given, price_per_hour, as_json=as_json)
        return
    say_remarks(given)
    if dry_run:
        report = client.jobs.plan(given, if_exists=if_exists)
        show(report.as_dict, str(report), as_json=as_json)
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        job = client.jobs.start(given, if_exists=if_exists)
    for warning in caught:
        say(f"warning: {plain(str(warning.message))}")
    told(client, job, wait=wait, every=every, as_json=as_json)


def told(client: AIToolkitClient, job: Job, *, wait: bool, every: float, as_json: bool) -> None:
    """Say what a start did, and follow the job if that was asked for."""
    with if_interrupted(goes_on(client, job)):
        say(f"{job.name}: {describe(job)}")
        if wait:
            follow(job, every)
        elif client.flavour is Flavour.GRADIO and job.state.status is JobStatus.QUEUED:
            say("A job that waits is lost when this command ends, so it goes on until it begins.")
            for state in job.watch(every):
                if state.status is not JobStatus.QUEUED:
                    break
    show(lambda: job.summary().as_dict(), job.name, as_json=as_json)
    if wait:
        job.wait()


def _preflight(
    client: AIToolkitClient, params: TrainingParams, price: float | None, *, as_json: bool
) -> None:
    found = client.jobs.preflight(params, price_per_hour=price)
    show(found.as_dict, repr(found), as_json=as_json)
    if not found.ok:
        about = ", ".join(check.name for check in found.problems)
        raise AitkError(f"Preflight checks failed for {params.name}: {about}.")
