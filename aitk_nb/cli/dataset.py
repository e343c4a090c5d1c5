"""`dataset …`: datasets on the server, and what can be done with them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

import aitk_nb
from aitk_nb._display.progress import reporting
from aitk_nb._units import plural
from aitk_nb.cli import dataset_local
from aitk_nb.cli.app import (
    AsJson,
    app,
    command,
    confirmed,
    if_interrupted,
    plain,
    say,
    show,
    show_json,
)
from aitk_nb.cli.server_options import on_server
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import AitkError, BadInput, InvalidDataset
from aitk_nb.models import Ability, FileState, VerifyReport, check_name

dataset = typer.Typer(help="Datasets, on this machine and on the server.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")
dataset_local.register(dataset)

OnServer = Annotated[str, typer.Argument(help="Name of the dataset on the server.")]
GivenName = Annotated[str | None, typer.Option(help="Name on the server. [default: the folder's]")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")]
Verify = Annotated[
    Literal["sample", "full"],
    typer.Option(help="Compare the contents of some files, or read every byte of all back."),
]


@command("upload", dataset)
@on_server
def dataset_upload(
    client: AIToolkitClient,
    folder: Path,
    name: GivenName = None,
    if_differs: Literal["refuse", "replace"] = "refuse",
    verify: Verify = "sample",
    mirror: bool = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Upload a folder of images and captions.

    Only files that the server lacks are sent.

    Args:
        folder: Folder or .zip of images, each with a .txt.
        if_differs: What to do if the server has other files with the same names.
        mirror: Delete files on the server that are not in the folder.
    """
    given = _checked(name)
    local = _read(folder)
    dataset_local.say_left_out(local)
    again = if_interrupted("run it again to send the rest")
    with again, _fixable(local, folder):
        info = client.datasets.upload(
            local,
            given,
            if_differs=if_differs,
            verify=verify,
            mirror=mirror,
            confirm=lambda names: yes or _confirmed(names),
        )
    if info.name != (given or local.name):
        say(f"the server calls it {info.name}")
    say(f"{info.name}: {info.media}; {plural(info.sent, 'file')} sent, {info.kept} already there")
    for remark in info.remarks:
        say(plain(remark))
    if info.report is not None:
        say(_verified(info.report))
    if info.controls:
        options = " ".join(f"--control-datasets={name}" for name in info.controls)
        say(f"with control images, for aitk-nb train {options}")
    fields = ("name", "images", "captions", "controls", "sent", "kept")
    show(lambda: {field: getattr(info, field) for field in fields}, info.name, as_json=as_json)


@contextmanager
def _fixable(local: aitk_nb.LocalDataset, folder: Path) -> Iterator[None]:
    """Name the command that fixes the errors of a dataset."""
    try:
        yield
    except InvalidDataset as exc:
        advice = dataset_local.how_to_fix(local, [str(folder)])
        if not advice:
            raise
        raise BadInput(f"{exc} {advice}") from exc


def _verified(report: VerifyReport) -> str:
    words = {FileState.LISTED.value: "listed (--verify full reads them too)"}
    counts = report.counts.items()
    return "verified: " + ", ".join(f"{count} {words.get(what, what)}" for what, count in counts)


def _checked(name: str | None) -> str:
    """Return the given name, empty if there is none."""
    return "" if name is None else check_name("dataset", name)


def _read(folder: Path) -> aitk_nb.LocalDataset:
    with reporting("auto", "reading") as progress:
        return aitk_nb.LocalDataset(folder).check(progress=progress)


def _confirmed(names: Sequence[str]) -> bool:
    say("\n".join(["These files on the server are not in the folder:", *map(plain, names)]))
    return confirmed(f"Delete {plural(len(names), 'file')}?")


@command("verify", dataset)
@on_server
def dataset_verify(
    client: AIToolkitClient,
    folder: Path,
    name: GivenName = None,
    verify: Verify = "sample",
    as_json: AsJson = False,
) -> None:
    """Compare a dataset on the server with a local folder, file by file.

    Compares the sizes of all files and the contents of some, and lists extra files.

    Args:
        folder: The folder that was uploaded.
    """
    given = _checked(name)
    report = client.datasets.verify(_read(folder), given, verify=verify)
    lines = [f"{file.state.value:13} {plain(file.name)}" for file in report.files]
    lines += [f"{'extra':13} {plain(other)}" for other in report.extra]
    show(report.as_dict, "\n".join(lines), as_json=as_json)
    if not report.ok:
        different = len(report.differing)
        wrong = f"{plural(len(report.missing), 'file')} missing, {different} different."
        option = "--if-differs replace " if different else ""
        again = f"Run aitk-nb dataset upload {option}with the same folder and name."
        raise AitkError(f"{wrong} {again}")


@command("list", dataset)
@on_server
def dataset_list(client: AIToolkitClient, as_json: AsJson = False) -> None:
    """List the datasets on the server."""
    names = client.datasets.list()
    show(lambda: list(names), "\n".join(map(plain, names)), as_json=as_json)


@command("download", dataset)
@on_server
def dataset_download(
    client: AIToolkitClient,
    name: OnServer,
    out_dir: Annotated[Path, typer.Option("--out", "-o")] = Path(),
    as_zip: Annotated[bool, typer.Option("--zip")] = False,
    as_json: AsJson = False,
) -> None:
    """Download a dataset with its captions.

    Files that are already there are not fetched again.

    Args:
        out_dir: Folder to write to.
        as_zip: Download one zip.
    """
    report = client.datasets.download(name, out_dir, as_zip=as_zip)
    say("downloaded" if report.fetched else "already there")
    show(lambda: asdict(report), report.path, as_json=as_json)


@command("captions", dataset)
@on_server
def dataset_captions(
    client: AIToolkitClient,
    name: OnServer,
    write: bool = False,
    model: str = "",
    as_json: AsJson = False,
) -> None:
    """Show the captions of a dataset.

    With --write, a model on the server first captions the images that have none.

    Args:
        write: Have a model on the server write missing captions.
        model: Model that writes the captions.
    """
    if write:
        job = client.datasets.generate_captions(name, aitk_nb.CaptionOptions(model=model))
        if job.not_started:
            say(plain(f"no captioning was started: {job.not_started}"))
        for state in job.watch():
            say(plain(f"{state.status.value} {state.step}/{state.total_steps or '?'} {state.info}"))
        job.wait()
    there = client.datasets.get(name)
    texts = {image: there.captions.get(image, "") for image in there.images}
    lines = [plain(f"{name}: {' '.join(text.split()) or '(none)'}") for name, text in texts.items()]
    show(lambda: texts, "\n".join(lines), as_json=as_json)


@command("delete", dataset)
@on_server
def dataset_delete(
    client: AIToolkitClient, name: OnServer, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete a dataset with everything in it.

    The name must be exactly as listed by the server.
    """
    there = client.datasets.get(name)
    question = f"Delete {name} with {there.media} from {client.url}?"
    # If it can't be deleted at all, nobody is asked first.
    asks = not yes and client.can(Ability.EDIT_DATASETS)
    if asks and not confirmed(question):
        raise AitkError("Nothing was deleted.")
    client.datasets.delete(name)
    if as_json:
        show_json({"deleted": name, "images": len(there.images)})
    else:
        say(f"{name} is deleted")
