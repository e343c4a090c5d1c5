"""Commands for the jobs of a server: `jobs`, `watch`, `stop`, `losses`, `compare`, `download`.

`safe-to-stop` tells whether all that counts of them is here.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import aitk_nb
from aitk_nb.cli.app import (
    AsJson,
    Every,
    command,
    confirmed,
    if_interrupted,
    plain,
    say,
    show,
    show_json,
)
from aitk_nb.cli.chart import chart
from aitk_nb.cli.job_output import as_dict, follow, goes_on, line
from aitk_nb.cli.server_options import Where, at_address, on_server
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import AitkError, BadInput
from aitk_nb.jobs.job import Job
from aitk_nb.losses.history import LossHistory
from aitk_nb.models.job import JobState

LOSS_FILES = {".csv", ".db", ".json", ".log", ".tsv", ".txt"}
"""Suffixes of files with losses."""

JobName = Annotated[str, typer.Argument(help="Name or id of the job.")]
Runs = Annotated[
    list[str],
    typer.Argument(help="Names or ids of jobs; or files: a loss_log.db, CSV, JSON or log.txt."),
]
Png = Annotated[Path | None, typer.Option(help="Write the plot to this file.")]


@command("jobs")
@on_server
def jobs(client: AIToolkitClient, as_json: AsJson = False) -> None:
    """List the training jobs, newest first."""
    found = client.jobs.list()
    show(lambda: [as_dict(job.state) for job in found], repr(found), as_json=as_json)


@command("watch")
@on_server
def watch(
    client: AIToolkitClient,
    job: JobName,
    every: Every = 2.0,
    price_per_hour: Annotated[float, typer.Option(min=0)] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Follow a job until it ends.

    A terminal shows a small chart. Ctrl-C stops watching, not the job.

    Args:
        price_per_hour: Hourly price of the server, to show the running cost.
    """
    handle = client.jobs.get(job)
    with if_interrupted(goes_on(client, handle)):
        follow(handle, every, price_per_hour=price_per_hour)
    show(lambda: handle.summary().as_dict(), line(handle.state), as_json=as_json)
    handle.wait()


@command("stop")
@on_server
def stop(
    client: AIToolkitClient,
    job: JobName,
    save: bool = False,
    force: bool = False,
    kill: bool = False,
    yes: bool = False,
    as_json: AsJson = False,
) -> None:
    """Stop a job, and wait until it has released the GPU.

    Args:
        save: Write a checkpoint first.
        force: Mark a job without a process as stopped; asks first.
        kill: Kill its process if it does not end in time.
        yes: Don't ask for confirmation.
    """
    if kill and (force or save):
        raise BadInput("A killed job does not save: use --kill without --save and --force.")
    if force and save:
        raise BadInput("A job without a process can't save: use either --save or --force.")
    handle = client.jobs.get(job)
    state = handle.state
    if force:
        state = _marked(handle, yes)
    elif state.status.is_final:
        say(f"{plain(handle.name)} has already ended")
    else:
        say(f"{'saving and ' if save else ''}stopping {plain(handle.name)} …")
        try:
            state = handle.stop(save=save)
        except AitkError as exc:
            if not kill:
                raise
            say(plain(str(exc)))
            state = handle.kill()
        if save:
            say(f"saved {plain(', '.join(handle.saved) or 'nothing: it was not running')}")
    show(lambda: as_dict(state) | {"saved": [*handle.saved]}, line(state), as_json=as_json)


def _marked(job: Job, yes: bool) -> JobState:
    """Mark a job as stopped that the server calls active, once that is confirmed."""
    if not job.state.status.is_active:
        return job.state
    say(f"{line(job.state)}\n{plain(str(job.health()))}")
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("Can't prompt for confirmation here; pass --yes.")
        if not confirmed(
            f"Mark {plain(job.name)} as stopped? No signal is sent: a process that still exists "
            "goes on."
        ):
            raise BadInput(f"{plain(job.name)} was not changed.")
    return job.repair(confirmed=True)


@command("losses")
@at_address
def losses(
    where: Where,
    jobs: Runs,
    csv: Path | None = None,
    png: Png = None,
    parquet: Path | None = None,
    as_json: AsJson = False,
) -> None:
    """Show, plot or export the losses of jobs.

    Names that end in .csv, .db, .json, .log, .tsv or .txt are files; files alone require no server.

    Args:
        csv: Write the values to this file.
        parquet: Write the values to this file; requires pyarrow.
    """
    if (csv or parquet) is not None and len(jobs) > 1:
        raise BadInput("A table holds the losses of one job: name only one.")
    with _opened(where, jobs) as runs:
        histories = [run.losses() if isinstance(run, Job) else run for run in runs]
    if csv is not None:
        histories[0].to_csv(csv)
        say(f"values written to {csv}")
    if parquet is not None:
        histories[0].to_parquet(parquet)
        say(f"values written to {parquet}")
    _plot(histories, png)
    if as_json:
        shown = [_as_dict(history) for history in histories]
        show_json(shown[0] if len(shown) == 1 else shown)
        return
    for history in histories:
        typer.echo(plain(f"{history.name}  {history.summary()}"))
        if sys.stdout.isatty():
            width = min(shutil.get_terminal_size().columns, 100)
            plain_only = "utf" not in (sys.stdout.encoding or "").lower()
            typer.echo(chart(history, width, ascii_only=plain_only))


@command("compare")
@at_address
def compare(where: Where, jobs: Runs, png: Png = None, as_json: AsJson = False) -> None:
    """Compare jobs: where they differ, and which is ahead.

    Names that end in .csv, .db, .json, .log, .tsv or .txt are files; files alone require no server.
    """
    with _opened(where, jobs) as runs:
        report = aitk_nb.compare_jobs(runs)
    _plot(report.histories, png)
    show(report.as_dict, f"{report.table!r}\n{report.verdict}", as_json=as_json)


@contextlib.contextmanager
def _opened(where: Where, names: Sequence[str]) -> Iterator[list[Job | LossHistory]]:
    """Yield jobs and files in the order of their names, connected if there is a job."""
    # By its end: a folder of results may hold a file with the bare name of a job. Read before
    # anything is connected or started.
    paths = {name: Path(name) for name in names if Path(name).suffix.lower() in LOSS_FILES}
    files = {name: _from_file(path) for name, path in paths.items()}
    with contextlib.ExitStack() as stack:
        client: AIToolkitClient | None = None
        runs: list[Job | LossHistory] = []
        for name in names:
            if name in files:
                runs.append(files[name])
                continue
            client = client or stack.enter_context(where.connected())
            runs.append(client.jobs.get(name))
        yield runs


def _from_file(path: Path) -> LossHistory:
    history = LossHistory.read(path, path.stem)
    if not history.keys:
        raise BadInput(f"{plain(str(path))} contains no losses.")
    return history


def _plot(histories: Sequence[LossHistory], png: Path | None) -> None:
    if png is not None:
        aitk_nb.plot_loss(histories).save(png)
        say(f"plot written to {png}")


def _as_dict(history: LossHistory) -> dict[str, object]:
    columns = {key: history.columns(key) for key in history.keys}
    return {
        "name": history.name,
        "diverged_step": history.summary().diverged_step,
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
    folder: Annotated[Path, typer.Option("--out", "-o")] = Path(),
    which: str = "final",
    to: str = "",
    name: str = "",
    samples: Annotated[bool, typer.Option("--samples/--no-samples")] = True,
    config: Annotated[bool, typer.Option("--config/--no-config")] = True,
    as_json: AsJson = False,
) -> None:
    """Download a job's LoRA with samples and config.

    Or other checkpoints, by --which. Files that are there already are checked, and not downloaded
    again.

    Args:
        folder: Output folder.
        which: final, all, best, steps as 250,500, or the name of a file.
        to: comfyui:PATH or a1111:PATH: where that program looks for LoRAs.
        name: Name of the checkpoint. [default: the job's]
        samples: Bring the samples.
        config: Bring the config as a job file.
    """
    steps = which.replace(",", " ").split()
    chosen = [int(step) for step in steps] if all(map(str.isdecimal, steps)) else which
    report = client.jobs.get(job).download(
        folder, chosen or "final", samples=samples, config=config, to=to, name=name
    )
    say("downloaded" if report.fetched else "already downloaded")
    show(lambda: asdict(report), report.path, as_json=as_json)


@command("safe-to-stop")
@on_server
def safe_to_stop(
    client: AIToolkitClient,
    folder: list[Path] | None = None,
    as_json: AsJson = False,
) -> None:
    """Check whether stopping the server's machine loses anything.

    Exits with 1 if something that counts is on the server alone: a job that runs or waits, a
    checkpoint, or a file or caption of a dataset.

    Args:
        folder: Look for copies below this folder too.
    """
    report = client.safe_to_stop(folder or ())
    show(report.as_dict, "\n".join(map(plain, repr(report).splitlines())), as_json=as_json)
    if not report:
        raise typer.Exit(1)
