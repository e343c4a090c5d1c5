"""`dataset …`: datasets on the server, and what can be done with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aitk_nb.cli import dataset_local
from aitk_nb.cli.app import (
    AsJson,
    app,
    command,
    confirmed,
    if_interrupted,
    on_server,
    plural,
    progress_bar,
    say,
    show_json,
)
from aitk_nb.cli.sanitize import plain
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import AitkError, BadInput, InvalidDataset
from aitk_nb.models.names import check_name
from aitk_nb.models.server import Ability
from aitk_nb.models.verify_report import FileState

if TYPE_CHECKING:
    from aitk_nb.datasets.local import LocalDataset
    from aitk_nb.models.verify_report import VerifyReport

__all__ = ["dataset"]

dataset = typer.Typer(help="Datasets, on this machine and on the server.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")
dataset_local.register(dataset)

OnServer = Annotated[str, typer.Argument(help="Name of the dataset on the server.")]
GivenName = Annotated[str | None, typer.Option(help="Name on the server. [default: the folder's]")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@command("upload", dataset)
@on_server
def dataset_upload(
    client: AIToolkitClient,
    folder: Annotated[Path, typer.Argument(help="Folder or .zip of images, each with a .txt.")],
    name: GivenName = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace files that differ on the server.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--verify-full", help="Read every byte back and compare it.")
    ] = False,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Delete on the server what is not in the folder.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send a folder of images and captions.

    Only what the server lacks is sent.
    """
    given = _checked(name)
    local = _scanned(folder)
    dataset_local.say_left_out(local)
    again = if_interrupted("call it again to send the rest")
    with again, _mendable(local, folder), progress_bar("uploading") as progress:
        info = client.datasets.upload(
            local,
            given,
            if_differs="replace" if replace else "refuse",
            verify="full" if full else "sample",
            mirror=mirror,
            confirm=lambda names: yes or _asked(names),
            progress=progress,
        )
    if info.name != (given or local.name):
        say(f"the server calls it {info.name}")
    say(f"{info.name}: {len(info.images)} images; {info.sent} files sent, {info.kept} were there")
    if info.report is not None:
        say(_looked_at(info.report))
    if info.controls:
        options = " ".join(f"--control-datasets={name}" for name in info.controls)
        say(f"with control images, for aitk-nb train {options}")
    if as_json:
        show_json(
            {
                "name": info.name,
                "images": list(info.images),
                "captions": dict(info.captions),
                "controls": list(info.controls),
                "sent": info.sent,
                "kept": info.kept,
            }
        )
    else:
        typer.echo(info.name)


@contextmanager
def _mendable(local: LocalDataset, folder: Path) -> Iterator[None]:
    """Have a dataset with errors name the command that mends them."""
    try:
        yield
    except InvalidDataset as exc:
        advice = dataset_local.how_to_fix(local, [str(folder)])
        if not advice:
            raise
        raise BadInput(f"{exc} {advice}") from exc


def _looked_at(report: VerifyReport) -> str:
    words = {FileState.LISTED.value: "there by name (--verify-full reads them too)"}
    counts = report.counts.items()
    return "checked: " + ", ".join(f"{count} {words.get(what, what)}" for what, count in counts)


def _checked(name: str | None) -> str:
    """Return the name that was given, empty where none was."""
    return "" if name is None else check_name("dataset", name)


def _scanned(folder: Path) -> LocalDataset:
    # Imported late: the other commands start quicker without it.
    from aitk_nb.datasets.local import LocalDataset

    with progress_bar("looking") as progress:
        return LocalDataset.scan(folder, progress=progress)


def _asked(names: Sequence[str]) -> bool:
    say("\n".join(["These files on the server are not in the folder:", *map(plain, names)]))
    return confirmed(f"Delete these {len(names)} files?")


@command("verify", dataset)
@on_server
def dataset_verify(
    client: AIToolkitClient,
    folder: Annotated[Path, typer.Argument(help="The folder that was sent.")],
    name: GivenName = None,
    full: Annotated[bool, typer.Option("--full", help="Read every byte back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Hold the server's dataset against a folder, file by file.

    Sizes of all files, contents of some, and what is there besides.
    """
    given = _checked(name)
    report = client.datasets.verify(_scanned(folder), given, depth="full" if full else "sample")
    if as_json:
        show_json(report.as_dict())
    else:
        for file in report.files:
            typer.echo(f"{file.state.value:13} {plain(file.name)}")
        for other in report.extra:
            typer.echo(f"{'extra':13} {plain(other)}")
    if not report.ok:
        raise AitkError(_what_is_wrong(report))


def _what_is_wrong(report: VerifyReport) -> str:
    missing, differing = len(report.missing), len(report.differing)
    if not differing:
        return (
            f"{plural(missing, 'file')} missing. Send again: aitk-nb dataset upload, with the same "
            "folder and name."
        )
    return (
        f"{plural(missing, 'file')} missing, {plural(differing, 'file')} different. "
        "To replace what differs: aitk-nb dataset upload --replace, with the same folder and name."
    )


@command("list", dataset)
@on_server
def dataset_list(client: AIToolkitClient, as_json: AsJson = False) -> None:
    """List the datasets on the server."""
    names = client.datasets.list()
    if as_json:
        show_json(list(names))
    else:
        for name in names:
            typer.echo(plain(name))


@command("download", dataset)
@on_server
def dataset_download(
    client: AIToolkitClient,
    name: OnServer,
    folder: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path(),
    as_zip: Annotated[bool, typer.Option("--zip", help="As one zip, packed there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a dataset with its captions.

    What is there already is not fetched again.
    """
    with progress_bar("downloading") as progress:
        report = client.datasets.download(name, folder, as_zip=as_zip, progress=progress)
    say("downloaded" if report.fetched else "was there already")
    if as_json:
        show_json(asdict(report))
    else:
        typer.echo(report.path)


@command("captions", dataset)
@on_server
def dataset_captions(
    client: AIToolkitClient,
    name: OnServer,
    write: Annotated[
        bool, typer.Option("--write", help="Have a model on the server write the missing ones.")
    ] = False,
    model: Annotated[str, typer.Option(help="Model that writes them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the captions of a dataset.

    With --write a model on the server first captions the images that have none.
    """
    # Imported late: the other commands start quicker without it.
    from aitk_nb.datasets.captioning import CaptionOptions

    if write:
        job = client.datasets.caption(name, CaptionOptions(model=model))
        for state in job.watch():
            say(plain(f"{state.status.value} {state.step}/{state.total_steps or '?'} {state.info}"))
        job.wait()
    there = client.datasets.get(name)
    if as_json:
        show_json({image: there.captions.get(image, "") for image in there.images})
        return
    for image in there.images:
        text = " ".join(there.captions.get(image, "").split())
        typer.echo(plain(f"{image}: {text or '(none)'}"))


@command("delete", dataset)
@on_server
def dataset_delete(
    client: AIToolkitClient, name: OnServer, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete a dataset with everything in it.

    The name must be exactly the one that the server lists.
    """
    there = client.datasets.get(name)
    question = f"Delete {name} with {len(there.images)} images from {client.url}?"
    # What cannot be done is said without asking first.
    asks = not yes and client.can(Ability.EDIT_DATASETS)
    if asks and not confirmed(question):
        raise AitkError("Nothing was deleted.")
    client.datasets.delete(name)
    if as_json:
        show_json({"deleted": name, "images": len(there.images)})
    else:
        say(f"{name} is deleted")
