"""`dataset check` and `dataset fix`: datasets on this machine, without a server."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitk_nb._units import plural
from aitk_nb.cli.app import AsJson, command, progress_bar, say, show_json
from aitk_nb.cli.sanitize import plain
from aitk_nb.errors import BadInput
from aitk_nb.models.server import Flavour

if TYPE_CHECKING:
    from aitk_nb.datasets.local.dataset import LocalDataset

__all__ = ["how_to_fix", "register", "say_left_out"]

Source = Annotated[
    list[str],
    typer.Argument(help="A folder, a .zip, or files and http(s) addresses of images."),
]
Resolution = Annotated[
    str, typer.Option(help="Training resolutions in pixels, e.g. 512 or 512,768,1024.")
]
Arch = Annotated[str, typer.Option(help="Architecture to train, e.g. flux.")]
TriggerWord = Annotated[
    str | None, typer.Option(help="Trigger word of the training job; '' if it has none.")
]
FlavourName = Annotated[Flavour, typer.Option(help="Flavour of the server that gets it.")]
Limit = Annotated[
    float,
    typer.Option(min=0, help="Warn about files larger than this many MB; 0 disables the check."),
]
Control = Annotated[
    list[Path] | None, typer.Option(help="Folder of control images; repeat for up to three.")
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
    batch_size: Annotated[int, typer.Option(min=1, help="Images per step.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Check a dataset before it is uploaded.

    Nothing is sent and nothing is changed. With --resolution, also show the size that the trainer
    gives each image, how much it crops, and the steps per epoch.
    """
    dataset = _checked(
        source, resolution, arch, trigger_word, flavour, limit, control, follow_links
    )
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
    out_dir: Annotated[Path, typer.Option("--out", "-o", help="Folder for the corrected copy.")],
    resolution: Resolution = "",
    arch: Arch = "",
    trigger_word: TriggerWord = None,
    flavour: FlavourName = Flavour.WEBUI,
    limit: Limit = 0,
    control: Control = None,
    follow_links: FollowLinks = False,
    caption: Annotated[str, typer.Option(help="Caption for images that have none.")] = "",
    background: Annotated[str, typer.Option(help="Color behind transparent images.")] = "white",
    drop_near: Annotated[
        bool, typer.Option("--drop-near", help="Leave out near duplicates too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a corrected copy of a dataset; the originals are not touched.

    Images are turned upright and converted, names made plain, duplicates and broken files left
    out, captions completed.
    """
    dataset = _checked(
        source, resolution, arch, trigger_word, flavour, limit, control, follow_links
    )
    with progress_bar("fixing") as progress:
        report = dataset.fix(
            out_dir,
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
            typer.echo(f"{one.file}{f' -> {one.name}' if one.name else ''}: {one.text}")
    say(f"{report.folder}: {'written' if report.is_new else 'already up to date'}")
    _end(report.dataset)


def _checked(
    source: list[str],
    resolution: str,
    arch: str,
    trigger_word: str | None,
    flavour: Flavour,
    limit: float,
    control: list[Path] | None,
    follow_links: bool,
) -> LocalDataset:
    # Imported late: the other commands start quicker without it.
    from aitk_nb.datasets.local.dataset import LocalDataset
    from aitk_nb.datasets.local.requirements import Requirements

    try:
        pixels = tuple(int(part) for part in resolution.split(",") if part.strip())
    except ValueError as exc:
        raise BadInput(f"Invalid --resolution {resolution!r}; use e.g. 512 or 512,768.") from exc
    requirements = Requirements(
        flavour=flavour,
        limit=round(limit * 1e6) or None,
        resolution=pixels,
        arch=arch,
        trigger_word=trigger_word,
    )
    (first, *others) = source
    is_list = others or (Path(first).is_file() and Path(first).suffix.lower() != ".zip")
    dataset = LocalDataset(
        source if is_list else first, controls=control or (), follow_links=follow_links
    )
    with progress_bar("reading") as progress:
        return dataset.check(requirements, progress=progress)


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
    """Name the files that are not part of the dataset."""
    from aitk_nb.datasets.local.problems import shown

    names = [plain(shown(path)) for path in dataset.contents.others]
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        say(f"left out, not images or captions: {', '.join(names[:5])}{more}")


def how_to_fix(dataset: LocalDataset, source: list[str]) -> str:
    """Return the command that fixes the errors, if it fixes any."""
    if not any(problem.code.fixed for problem in dataset.errors):
        return ""
    return f"To write a corrected copy: aitk-nb dataset fix {shlex.join(source)} --out NEW_FOLDER"


def _end(dataset: LocalDataset, advice: str = "") -> None:
    """Say what was found in total; errors make the command fail, with an advice."""
    counts = [
        (len(dataset.images), "image"),
        (len(dataset.videos), "video"),
        (len(dataset.sounds), "sound"),
        (len(dataset.captions), "caption"),
    ]
    found = ", ".join(plural(many, what) for many, what in counts if many or what == "image")
    problems = dataset.problems
    wrong = f"{plural(len(dataset.errors), 'error')}, {plural(len(problems.warnings), 'warning')}"
    text = f"{dataset.name}: {found}; {wrong}"
    if dataset.errors:
        raise BadInput(f"{text}. {advice}" if advice else text)
    say(text)
