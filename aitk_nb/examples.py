"""Things to try the toolkit with: a small dataset of real photos, and a training job on it.

The images are crops of the portrait of Grace Hopper (public domain) that matplotlib ships.
"""

import importlib.util
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import platformdirs

from aitk_nb._files import write
from aitk_nb._yaml import facts
from aitk_nb.client import AIToolkitClient
from aitk_nb.errors import BadInput, MissingExtra
from aitk_nb.jobs.job import Job
from aitk_nb.training.params import TrainingParams

_CROPS = tuple((tuple(box), text) for box, text in facts("aitk_nb", "example_photos"))
"""Parts of the photograph, in pixels, and what they show."""
_QUALITY = 90


def example_photos(folder: str | Path | None = None) -> Path:
    """Return a folder with a dozen images, each with a caption.

    It is created by the first call. Files that are already there are kept; missing or empty ones
    are written. Several processes may call at once: a file appears only when it is complete.

    Args:
        folder: Folder to create; by default one in the user's cache.

    Returns:
        The folder.

    Raises:
        BadInput: The folder can't be written.
        MissingExtra: matplotlib's photograph is missing.

    Example:
        >>> len(list(aitk_nb.example_photos().glob("*.jpg")))
        12
    """
    # Another version's photos, or captions, would train another LoRA.
    version = f"{zlib.crc32(repr((_CROPS, _QUALITY)).encode()):08x}"
    cache = platformdirs.user_cache_path("aitk_nb", appauthor=False)
    default = cache / version / "photos"
    target = default if folder is None else Path(folder).expanduser()
    boxes: dict[Path, tuple[int, int, int, int]] = {}
    for number, (box, caption) in enumerate(_CROPS, 1):
        path = target / f"grace_{number:02}.txt"
        if not _exists(path):
            write(path, f"[trigger], {caption}\n")
        if not _exists(path.with_suffix(".jpg")):
            boxes[path.with_suffix(".jpg")] = box
    if boxes:
        _crop(boxes)
    return target


def example_job(
    client: AIToolkitClient,
    name: str = "example",
    *,
    steps: int = 300,
    prompts: Sequence[str] = (),
) -> Job:
    """Start a short training job on the example photos, if the server does not have it.

    Its rank and resolution take seconds on the embedded server and little memory on a real one.

    Args:
        client: A client of the server.
        name: Name of the job.
        steps: Training steps.
        prompts: Sample prompts; with some, it draws samples and saves a checkpoint four times.

    Returns:
        The job, as `client.jobs.start` does.

    Raises:
        AitkError: The server can't be reached, or has another job with this name.

    Example:
        >>> job = aitk_nb.example_job(client, "portrait", steps=20)
        >>> job.wait(every=0.2).step
        20
    """
    dataset = client.datasets.upload(example_photos(), "example photos")
    every = max(1, steps // 4)
    drawn: dict[str, Any] = {"sample_every": every, "save_every": every} if prompts else {}
    return client.jobs.start(
        TrainingParams(
            name=name,
            dataset=dataset.name,
            steps=steps,
            learning_rate=1e-3,
            rank=16,
            resolution=(512,),
            trigger_word="grace",
            prompts=tuple(prompts),
            **drawn,
        )
    )


def _exists(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _crop(boxes: dict[Path, tuple[int, int, int, int]]) -> None:
    """Write the JPEG of each part of the photograph."""
    from PIL import Image

    source = _photograph()
    try:
        with Image.open(source) as image:
            whole = image.convert("RGB")
    except OSError as exc:
        raise BadInput(f"{source} can't be read as an image: {exc}.") from exc
    for path, box in boxes.items():
        buffer = io.BytesIO()
        whole.crop(box).save(buffer, "JPEG", quality=_QUALITY)
        write(path, buffer.getvalue())


def _photograph() -> Path:
    """Return the path of the portrait; matplotlib is located, not imported."""
    spec = importlib.util.find_spec("matplotlib")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root, "mpl-data", "sample_data", "grace_hopper.jpg")
        if path.is_file():
            return path
    raise MissingExtra("matplotlib's sample photograph", "pip install --force-reinstall matplotlib")
