"""Commands that take a job to another server: `export` and `import`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from aitk_nb.cli.app import AsJson, Every, command, show
from aitk_nb.cli.jobs import JobName
from aitk_nb.cli.params import told
from aitk_nb.cli.server_options import on_server
from aitk_nb.client import AIToolkitClient
from aitk_nb.results.bundle import open_bundle

Bundle = Annotated[Path, typer.Argument(metavar="FILE")]


@command("export")
@on_server
def export(
    client: AIToolkitClient,
    job: JobName,
    file: Bundle,
    images: bool = False,
    samples: Annotated[bool, typer.Option("--samples/--no-samples")] = True,
    as_json: AsJson = False,
) -> None:
    """Write a job to a zip, to train it again elsewhere.

    Args:
        file: The zip to write.
        images: Put the images of the datasets into it.
        samples: Put the samples into it.
    """
    path = str(client.jobs.get(job).export(file, images=images, samples=samples))
    show(lambda: {"path": path}, path, as_json=as_json)


@command("import")
@on_server
def import_(
    client: AIToolkitClient,
    file: Bundle,
    name: str = "",
    folder: Path | None = None,
    wait: bool = False,
    every: Every = 2.0,
    as_json: AsJson = False,
) -> None:
    """Train an exported job again; again, attach to the same one.

    Args:
        file: The zip.
        name: Another name for the job.
        folder: The first dataset's images, for a bundle without them.
        wait: Wait until the job ends.
    """
    changes: dict[str, Any] = {"name": name} if name else {}
    job = open_bundle(file).start(client, folder, **changes)
    told(client, job, wait=wait, every=every, as_json=as_json)
