"""The commands `lora`, for a file here, and `loras`, for those of a server."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import aitk_nb
from aitk_nb import _units
from aitk_nb.cli.app import AsJson, app, command, plain, say, show
from aitk_nb.cli.server_options import on_server
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import AitkError
from aitk_nb.lora.api import LoraReport
from aitk_nb.results.api import SEED, STRENGTHS


@command("lora")
def lora(files: list[Path], as_json: AsJson = False) -> None:
    """Show what a LoRA contains, and check it; compare several.

    Shows its rank and alpha, its tensors, and what the trainer recorded. Every value is read, and
    every layer whose factors are incomplete or do not fit each other is named.

    Args:
        files: Files ending in .safetensors.
    """
    if len(files) > 1:
        compared = aitk_nb.compare_loras(files)
        show(compared.as_dict, repr(compared), as_json=as_json)
        return
    _show(aitk_nb.inspect_lora(files[0]), as_json=as_json)


def _show(report: LoraReport, *, as_json: bool) -> None:
    """Show a report, and fail if the file is not sound."""
    one = {"rank": report.rank, "alpha": report.alpha, "scale": report.scale}
    document = {"ok": report.ok, **asdict(report), **one}
    words = "\n".join(plain(f"{name:8} {value}") for name, value in report.rows)
    show(lambda: document, words, as_json=as_json)
    if not report.ok:
        raise AitkError(f"{report.path} is not a sound LoRA. {' '.join(report.problems)}")


# -- on a server -----------------------------------------------------------------------------------

loras = typer.Typer(name="loras", help="LoRA files on a server; web UI only.", no_args_is_help=True)
app.add_typer(loras)


@command("list", loras)
@on_server
def loras_list(client: AIToolkitClient, as_json: AsJson = False) -> None:
    """List the LoRAs of all jobs, and those of the server's own folder."""
    found = client.loras.list()
    lines = [
        plain(f"{_units.size(lora.size):>9}  {lora.job or '-':20}  {lora.path}") for lora in found
    ]
    show(lambda: [asdict(lora) for lora in found], "\n".join(lines), as_json=as_json)


@command("upload", loras)
@on_server
def loras_upload(
    client: AIToolkitClient,
    file: Path,
    name: str = "",
    overwrite: bool = False,
    as_json: AsJson = False,
) -> None:
    """Send a LoRA to the server's own folder, and print its path there.

    After an interrupt or an error, the same command goes on where it ended.

    Args:
        file: A .safetensors file.
        name: Its name there. [default: the file's]
        overwrite: Replace a file of that name.
    """
    sent = client.loras.upload(file, name, overwrite=overwrite)
    show(lambda: asdict(sent), plain(sent.path), as_json=as_json)


@command("inspect", loras)
@on_server
def loras_inspect(
    client: AIToolkitClient,
    job: str,
    file: str = "final",
    as_json: AsJson = False,
) -> None:
    """Show what a job's checkpoint contains, of which only the header is read.

    Args:
        job: Name or id of the job.
        file: The checkpoint.
    """
    _show(client.jobs.get(job).inspect_lora(file), as_json=as_json)


@command("try", loras)
@on_server
def loras_try(
    client: AIToolkitClient,
    which: list[str],
    prompt: list[str] | None = None,
    strength: list[float] | None = None,
    seed: list[int] | None = None,
    arch: str = "",
    control_image: Path | None = None,
    gpu: str = "",
    keep_engine: bool = False,
    folder: Path = Path("tried"),
    out: Annotated[Path, typer.Option("--out", "-o")] = Path("tried.html"),
    as_json: AsJson = False,
) -> None:
    """Generate pictures with LoRAs on the server, and write them as one grid.

    After an interrupt or an error, the same command makes what is missing.

    Args:
        which: Names of jobs, of which all checkpoints are tried; local files, or names of LoRAs.
        prompt: What to generate, may be repeated. [default: the job's sample prompts]
        strength: Strength of each LoRA, may be repeated. [default: 0 0.6 1]
        seed: Seed, may be repeated. [default: 42]
        arch: Architecture, where neither job nor file tell it.
        control_image: Image for a model that requires one.
        gpu: The GPU. [default: the job's]
        keep_engine: Don't stop the engine that this starts.
        folder: Where the single pictures are written.
        out: The grid: .html with a slider, or .png.
    """
    jobs = {job.name: job for job in client.jobs.list()}
    tried = [Path(one) if Path(one).is_file() else jobs.get(one, one) for one in which]
    grid = client.try_lora(
        tried,
        prompt or (),
        strengths=strength or STRENGTHS,
        seeds=seed or (SEED,),
        arch=arch,
        control_image=control_image,
        gpu=gpu or None,
        keep_engine=keep_engine,
        folder=folder,
    )
    path = str(grid.save(out))
    if grid.note:
        say(plain(grid.note))
    files = [tile.file for tile in grid.tiles.values()]
    found = {"path": path, "rows": grid.rows, "columns": grid.columns, "files": files}
    show(lambda: found, path, as_json=as_json)
