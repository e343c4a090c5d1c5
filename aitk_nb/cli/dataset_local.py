"""`dataset check` and `dataset fix`: datasets on this machine, without a server."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitk_nb.cli.app import AsJson, command, plural, progress_bar, say, show_json
from aitk_nb.cli.sanitize import plain
from aitk_nb.errors import BadInput
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb.datasets.local import Demands, LocalDataset

__all__ = ["how_to_fix", "register", "say_left_out"]

Source = Annotated[
    list[str],
    typer.Argument(help="A folder, a .zip, or files and http(s) addresses of images."),
]
Resolution = Annotated[
    str, typer.Option(help="Pixels that are to be trained on, as 512 or 512,768,1024.")
]
Arch = Annotated[str, typer.Option(help="Architecture that is to be trained, as flux.")]
TriggerWord = Annotated[
    str | None, typer.Option(help="Trigger word of the training; '' says that it has none.")
]
FlavourName = Annotated[Flavour, typer.Option(help="What kind of server is to take it.")]
Limit = Annotated[
    float, typer.Option(min=0, help="MB of the largest file that gets through; 0 asks nothing.")
]
Control = Annotated[
    list[Path] | None, typer.Option(help="Folder of control images; can be given three times.")
]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Read links that lead out of the folder.")
]


def register(on: typer.Typer) -> None:
    """Add the commands to the group `dataset`."""
    command("check", on)(check)
    command("fix", on)(fix)


def check(
    source: Source,
    resolution: Resolution = "",
    arch: Arch = "",
    trigger_word: TriggerWord = None,
    flavour: FlavourName = Flavour.WEBUI,
    limit: Limit = 0,
    control: Control = None,
    follow_links: FollowLinks = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in one step.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a dataset before it is sent.

    Nothing is sent and nothing is changed. With --resolution it also says which size each image
    gets, what is cropped, and how many steps an epoch has.
    """
    demands = _demands(resolution, arch, trigger_word, flavour, limit)
    dataset = _scanned(source, demands, control, follow_links=follow_links)
    plan = dataset.buckets(batch_size=batch_size) if resolution else None
    if as_json:
        show_json({**_as_dict(dataset), "steps_per_epoch": plan and plan.steps_per_epoch})
    else:
        for problem in dataset.problems:
            typer.echo(f"{problem.status.value:8}{problem}")
        if plan is not None:
            typer.echo(f"{plan}\n{plan.table()!r}")
    say_left_out(dataset)
    _end(dataset, how_to_fix(dataset, source))


def fix(
    source: Source,
    into: Annotated[Path, typer.Option(help="Folder for the corrected copy.")],
    resolution: Resolution = "",
    arch: Arch = "",
    trigger_word: TriggerWord = None,
    flavour: FlavourName = Flavour.WEBUI,
    limit: Limit = 0,
    control: Control = None,
    follow_links: FollowLinks = False,
    caption: Annotated[str, typer.Option(help="For images that have none.")] = "",
    background: Annotated[str, typer.Option(help="Behind transparent pictures.")] = "white",
    drop_near: Annotated[
        bool, typer.Option("--drop-near", help="Leave near duplicates out too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a corrected copy of a dataset; the originals are not touched.

    Pictures are turned upright and converted, names made plain, duplicates and broken files left
    out, captions completed.
    """
    demands = _demands(resolution, arch, trigger_word, flavour, limit)
    dataset = _scanned(source, demands, control, follow_links=follow_links)
    with progress_bar("correcting") as progress:
        report = dataset.fix(
            into,
            caption=caption,
            background=background,
            near_duplicates="drop" if drop_near else "keep",
            progress=progress,
        )
    if as_json:
        changes = [{"file": one.file, "name": one.name, "text": one.text} for one in report.changes]
        show_json({**_as_dict(report.dataset), "is_new": report.is_new, "changes": changes})
    else:
        for one in report.changes:
            typer.echo(
                f"{one.file} -> {one.name}: {one.text}" if one.name else f"{one.file}: {one.text}"
            )
    say(f"{report.folder}: {'written' if report.is_new else 'nothing had to be written'}")
    _end(report.dataset)


def _scanned(
    source: list[str], demands: Demands, control: list[Path] | None, *, follow_links: bool
) -> LocalDataset:
    from aitk_nb.datasets.local import LocalDataset

    with progress_bar("looking") as progress:
        return LocalDataset.scan(
            _source(source),
            demands=demands,
            controls=control or (),
            follow_links=follow_links,
            progress=progress,
        )


def _source(source: list[str]) -> str | list[str]:
    """Return a single folder, zip or address as itself, and anything else as a list."""
    (first, *others) = source
    is_file = Path(first).is_file() and Path(first).suffix.lower() != ".zip"
    return source if others or is_file else first


def _demands(
    resolution: str, arch: str, trigger_word: str | None, flavour: Flavour, limit: float
) -> Demands:
    from aitk_nb.datasets.local import Demands

    try:
        pixels = tuple(int(part) for part in resolution.split(",") if part.strip())
    except ValueError as exc:
        raise BadInput(
            f"--resolution takes numbers as 512 or 512,768,1024, not {resolution!r}."
        ) from exc
    return Demands(
        flavour=flavour,
        limit=round(limit * 1e6) or None,
        resolution=pixels,
        arch=arch,
        trigger_word=trigger_word,
    )


def _as_dict(dataset: LocalDataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "images": len(dataset.images),
        "videos": len(dataset.videos),
        "sounds": len(dataset.sounds),
        "control_images": [len(one.files) for one in dataset.controls],
        "captions": len(dataset.captions),
        "bytes": dataset.total_bytes,
        "ok": not dataset.errors,
        "problems": dataset.problems.as_list(),
    }


def say_left_out(dataset: LocalDataset) -> None:
    """Name the files that are nothing of a dataset."""
    from aitk_nb.datasets.local.problems import shown

    names = [plain(shown(path)) for path in dataset.contents.others]
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        say(f"left out, being no images or captions: {', '.join(names[:5])}{more}")


def how_to_fix(dataset: LocalDataset, source: list[str]) -> str:
    """Return the command that mends the errors, if it mends any."""
    if not any(problem.code.fixed for problem in dataset.errors):
        return ""
    given = shlex.join(source)
    return f"To write a corrected copy: aitk-nb dataset fix {given} --into NEW_FOLDER"


def _end(dataset: LocalDataset, advice: str = "") -> None:
    """Say what was found in all; errors make the command fail, with an advice."""
    warnings = len(dataset.problems) - len(dataset.errors)
    counts = [
        (len(dataset.images), "image"),
        (len(dataset.videos), "video"),
        (len(dataset.sounds), "sound"),
        (len(dataset.captions), "caption"),
    ]
    there = ", ".join(plural(many, what) for many, what in counts if many or what == "image")
    wrong = f"{plural(len(dataset.errors), 'error')}, {plural(warnings, 'warning')}"
    text = f"{dataset.name}: {there}; {wrong}"
    if dataset.errors:
        raise BadDataset(f"{text}. {advice}" if advice else text)
    say(text)


class BadDataset(BadInput):
    """The dataset has errors, which were told one by one."""
