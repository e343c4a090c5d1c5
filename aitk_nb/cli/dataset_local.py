"""`dataset check` and `dataset fix`: datasets on this machine, without a server."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

import aitk_nb
from aitk_nb._display.progress import reporting
from aitk_nb._units import plural
from aitk_nb.cli.app import AsJson, command, plain, say, show
from aitk_nb.cli.options import with_options
from aitk_nb.datasets.local.problems import shown
from aitk_nb.datasets.local.requirements import resolutions
from aitk_nb.errors import BadInput
from aitk_nb.models.server import Flavour


def register(on: typer.Typer) -> None:
    """Add the commands to the group `dataset`."""
    command("check", on)(with_options(check, "given", _checked))
    command("fix", on)(with_options(fix, "given", _checked))


class Given(NamedTuple):
    """A dataset that has been checked, and how it was named."""

    dataset: aitk_nb.LocalDataset
    source: list[str]


def _checked(
    source: list[str],
    resolution: str = "",
    arch: str = "",
    trigger_word: str | None = None,
    flavour: Flavour = Flavour.WEBUI,
    limit: Annotated[float, typer.Option(min=0)] = 0,
    control: list[Path] | None = None,
    follow_links: bool = False,
) -> Given:
    """Check the dataset that is named.

    Args:
        source: A folder, a .zip, or files and http(s) addresses of images.
        resolution: Training resolutions in pixels, e.g. 512 or 512,768,1024.
        arch: Architecture to train, e.g. flux.
        trigger_word: Trigger word of the training job; '' if it has none.
        flavour: Flavour of the server that gets it.
        limit: Warn about files larger than this many MB; 0 disables the check.
        control: Folder of control images; repeat for up to three.
        follow_links: Read links that lead out of the folder.
    """
    requirements = aitk_nb.Requirements(
        flavour=flavour,
        limit=round(limit * 1e6) or None,
        resolution=resolutions(resolution),
        arch=arch,
        trigger_word=trigger_word,
    )
    (first, *others) = source
    is_list = others or (Path(first).is_file() and Path(first).suffix.lower() != ".zip")
    dataset = aitk_nb.LocalDataset(
        source if is_list else first, controls=control or (), follow_links=follow_links
    )
    with reporting("auto", "reading") as progress:
        return Given(dataset.check(requirements, progress=progress), source)


def check(
    given: Given,
    batch_size: Annotated[int, typer.Option(min=1)] = 1,
    as_json: AsJson = False,
) -> None:
    """Check a dataset before it is uploaded.

    Nothing is sent and nothing is changed. With --resolution, also show the size that the trainer
    gives each image, how much it crops, and the steps per epoch.

    Args:
        batch_size: Images per step.
    """
    dataset = given.dataset
    plan = dataset.buckets(batch_size=batch_size) if dataset.requirements.resolution else None
    lines = [f"{problem.status.value:8}{problem}" for problem in dataset.problems]
    lines += [f"{plan}\n{plan.table()!r}"] if plan else []
    document = {**_as_dict(dataset), "steps_per_epoch": plan and plan.steps_per_epoch}
    show(lambda: document, "\n".join(lines), as_json=as_json)
    say_left_out(dataset)
    _end(dataset, how_to_fix(*given))


def fix(
    given: Given,
    out_dir: Annotated[Path, typer.Option("--out", "-o")],
    caption: str = "",
    background: str = "white",
    drop_near: bool = False,
    as_json: AsJson = False,
) -> None:
    """Write a corrected copy of a dataset; the originals are not touched.

    Images are turned upright and converted, names made plain, duplicates and broken files left
    out, captions completed.

    Args:
        out_dir: Folder for the corrected copy.
        caption: Caption for images that have none.
        background: Color behind transparent images.
        drop_near: Leave out near duplicates too.
    """
    with reporting("auto", "fixing") as progress:
        report = given.dataset.fix(
            out_dir,
            caption=caption,
            background=background,
            near_duplicates="drop" if drop_near else "keep",
            progress=progress,
        )
    changes = [asdict(change) for change in report.changes]
    lines = (f"{c.file}{f' -> {c.name}' if c.name else ''}: {c.text}" for c in report.changes)
    document = {**_as_dict(report.dataset), "is_new": report.is_new, "changes": changes}
    show(lambda: document, "\n".join(lines), as_json=as_json)
    say(f"{report.folder}: {'written' if report.is_new else 'already up to date'}")
    _end(report.dataset)


def _counts(dataset: aitk_nb.LocalDataset) -> dict[str, int]:
    kinds = ("images", "videos", "sounds", "captions")
    return {kind: len(getattr(dataset, kind)) for kind in kinds}


def _as_dict(dataset: aitk_nb.LocalDataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        **_counts(dataset),
        "control_images": [len(one.files) for one in dataset.controls],
        "bytes": dataset.total_bytes,
        "ok": not dataset.errors,
        "problems": dataset.problems.as_list(),
    }


def say_left_out(dataset: aitk_nb.LocalDataset) -> None:
    """Name the files that are not part of the dataset."""
    names = [plain(shown(path)) for path in dataset.contents.others]
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        say(f"left out, not images or captions: {', '.join(names[:5])}{more}")


def how_to_fix(dataset: aitk_nb.LocalDataset, source: list[str]) -> str:
    """Return the command that fixes the errors, if it fixes any."""
    if not any(problem.code.fixed for problem in dataset.errors):
        return ""
    return f"To write a corrected copy: aitk-nb dataset fix {shlex.join(source)} --out NEW_FOLDER"


def _end(dataset: aitk_nb.LocalDataset, advice: str = "") -> None:
    """Say what was found in total; errors make the command fail, with an advice."""
    counts = _counts(dataset).items()
    found = ", ".join(plural(n, what[:-1]) for what, n in counts if n or what == "images")
    text = f"{dataset.name}: {found}; {dataset.verdict}"
    if dataset.errors:
        raise BadInput(f"{text}. {advice}" if advice else text)
    say(text)
