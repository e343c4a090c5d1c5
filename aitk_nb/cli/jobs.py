"""Commands that speak to a server."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aitk_nb.cli.app import (
    AsJson,
    Every,
    Where,
    at_address,
    command,
    confirmed,
    if_interrupted,
    on_server,
    progress_bar,
    say,
    show_json,
)
from aitk_nb.cli.chart import chart
from aitk_nb.cli.job_output import as_dict, fail_unless_completed, follow, goes_on, line
from aitk_nb.cli.sanitize import plain
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import BadInput
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory

if TYPE_CHECKING:
    from aitk_nb.jobs.comparison import Comparison
    from aitk_nb.models.job import JobState

__all__ = [
    "download",
    "jobs",
    "losses",
    "stop",
    "watch",
]

LOSS_FILES = {".db", ".csv", ".txt"}
"""How a file ends whose losses can be read."""

JobName = Annotated[str, typer.Argument(help="Name of the job, or its id.")]


@command("jobs")
@on_server
def jobs(client: AIToolkitClient, as_json: AsJson = False) -> None:
    """List the training jobs, newest first."""
    states = [job.state for job in client.jobs.list()]
    if as_json:
        show_json([as_dict(state) for state in states])
        return
    for state in states:
        typer.echo(line(state))


@command("watch")
@on_server
def watch(
    client: AIToolkitClient,
    job: JobName,
    every: Every = 2.0,
    price_per_hour: Annotated[
        float, typer.Option(min=0, help="What an hour of the machine costs, to tell the cost.")
    ] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Follow a job until it ends.

    A terminal shows a small chart. Ctrl-C stops watching, and not the job.
    """
    handle = client.jobs.get(job)
    with if_interrupted(goes_on(client, handle)):
        follow(handle, every, price_per_hour=price_per_hour)
    if as_json:
        show_json(handle.summary())
    else:
        typer.echo(line(handle.state))
    fail_unless_completed(handle)


@command("stop")
@on_server
def stop(
    client: AIToolkitClient,
    job: JobName,
    save: Annotated[bool, typer.Option("--save", help="Write a checkpoint first.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Mark a job without a process as stopped; asks first."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop a job and wait until it has let go of the GPU."""
    handle = client.jobs.get(job)
    if force:
        if save:
            raise BadInput("A job whose process is gone cannot save; leave --save or --force out.")
        state = _marked(handle, yes)
    elif handle.state.status.is_final:
        say(f"{plain(handle.name)} had ended already")
        state = handle.state
    else:
        say(f"stopping {job} …")
        state = handle.stop(save=save)
    if as_json:
        show_json(as_dict(state))
    else:
        typer.echo(line(state))


def _marked(job: Job, yes: bool) -> JobState:
    """Mark a job as stopped that the server calls active, if that is really meant."""
    if not job.state.status.is_active:
        return job.state
    say(f"{line(job.state)}\n{plain(str(job.health()))}")
    question = (
        f"Mark {plain(job.name)} as stopped? No signal is sent: a process that still lives goes on."
    )
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("Nobody can be asked here; say --yes to mark it as stopped.")
        if not confirmed(question):
            raise BadInput(f"{plain(job.name)} was left as it is.")
    return job.repair(confirmed=True)


@command("losses")
@at_address
def losses(
    where: Where,
    jobs: Annotated[
        list[str],
        typer.Argument(help="Names of jobs, or their ids; or files: a loss_log.db, CSV, log.txt."),
    ],
    csv: Annotated[Path | None, typer.Option(help="Write the values to this file.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the plot to this file.")] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write the values to this file; needs pyarrow.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show where the jobs differ and which is ahead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show, plot, export or compare the losses of jobs.

    A file that ends with .db, .csv or .txt is read itself; for files alone no server is asked.
    """
    if (csv or parquet) is not None and len(jobs) > 1:
        raise BadInput("A table holds the losses of one job; name one.")
    comparison, histories = _looked_at(where, jobs, compare=compare)
    if csv is not None:
        histories[0].to_csv(csv)
        say(f"values written to {csv}")
    if parquet is not None:
        histories[0].to_parquet(parquet)
        say(f"values written to {parquet}")
    if png is not None:
        from aitk_nb.views.plots.loss_plot import plot_loss

        plot_loss(histories).save(png)
        say(f"plot written to {png}")
    if comparison is not None:
        if as_json:
            show_json(comparison.as_dict())
        else:
            typer.echo(f"{comparison.table!r}\n{comparison.verdict}")
    elif as_json:
        shown = [_as_dict(history) for history in histories]
        show_json(shown[0] if len(shown) == 1 else shown)
    else:
        for history in histories:
            typer.echo(plain(f"{history.name}  {history.summary()}"))
            if sys.stdout.isatty():
                width = min(shutil.get_terminal_size().columns, 100)
                plain_only = "utf" not in (sys.stdout.encoding or "").lower()
                typer.echo(chart(history, width, ascii_only=plain_only))


def _looked_at(
    where: Where, names: Sequence[str], *, compare: bool
) -> tuple[Comparison | None, tuple[LossHistory, ...]]:
    """Return the losses of jobs and files in the order of their names, compared if asked."""
    with contextlib.ExitStack() as stack:
        client: AIToolkitClient | None = None
        runs: list[Job | LossHistory] = []
        for name in names:
            if _is_file(name):
                runs.append(_from_file(name))
                continue
            if client is None:
                client = stack.enter_context(where.connected())
            runs.append(client.jobs.get(name))
        if compare:
            comparison = _side_by_side(runs)
            return comparison, comparison.histories
        return None, tuple(run.losses() if isinstance(run, Job) else run for run in runs)


def _is_file(name: str) -> bool:
    # By its end as well: a folder of results may hold a file with the bare name of a job.
    path = Path(name)
    return path.suffix.lower() in LOSS_FILES and path.is_file()


def _from_file(name: str) -> LossHistory:
    path = Path(name)
    history = LossHistory.read(path, path.stem)
    if not history.keys:
        raise BadInput(f"{plain(name)} holds no losses.")
    return history


def _side_by_side(runs: Sequence[Job | LossHistory]) -> Comparison:
    # Imported late: the other commands start quicker without it.
    from aitk_nb.jobs.comparison import compare

    return compare(runs)


def _as_dict(history: LossHistory) -> dict[str, object]:
    columns = {key: history.columns(key) for key in history.keys}
    return {
        "name": history.name,
        "losses": {
            key: {"step": steps.tolist(), "value": values.tolist()}
            for key, (steps, values) in columns.items()
        },
    }


@command("download")
@on_server
def download(
    client: AIToolkitClient,
    job: JobName,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path(),
    file: Annotated[str, typer.Option(help="Which file. [default: the LoRA]")] = "",
    as_json: AsJson = False,
) -> None:
    """Download a job's LoRA, or another of its files."""
    with progress_bar("downloading") as progress:
        report = client.jobs.get(job).download(folder, file, progress=progress)
    say("downloaded" if report.fetched else "was there already")
    if as_json:
        show_json(asdict(report))
    else:
        typer.echo(report.path)
