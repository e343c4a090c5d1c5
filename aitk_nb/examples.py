"""Things to try the toolkit with: a small dataset of real photographs, and a training on it.

The pictures are crops of the portrait of Grace Hopper (public domain) that matplotlib ships.
"""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aitk_nb._files import replacing
from aitk_nb.errors import BadInput, MissingExtra
from aitk_nb.training.params import TrainingParams

if TYPE_CHECKING:
    from aitk_nb.client import AIToolkitClient
    from aitk_nb.jobs.job import Job

__all__ = ["example_job", "photos"]


class _Crop(NamedTuple):
    """A part of the photograph: left, upper, right, lower in pixels, and what it shows."""

    box: tuple[int, int, int, int]
    caption: str


_CROPS = (
    _Crop((0, 0, 512, 600), "portrait of a naval officer in uniform before the American flag"),
    _Crop((88, 20, 448, 380), "head and shoulders of a naval officer with glasses and a white cap"),
    _Crop((130, 110, 400, 380), "close-up of the face of an elderly woman with glasses, smiling"),
    _Crop((140, 10, 396, 266), "a naval officer's white cap with an eagle and golden oak leaves"),
    _Crop((150, 150, 406, 342), "cat-eye glasses on the face of an elderly woman"),
    _Crop((0, 0, 256, 320), "the American flag with a golden cord, and half a face with glasses"),
    _Crop((230, 60, 512, 400), "the right half of a face with glasses before a blue background"),
    _Crop((20, 330, 512, 600), "dark navy uniform with a white collar, a name tag and ribbons"),
    _Crop((256, 370, 512, 600), "rows of coloured ribbons on a dark navy uniform"),
    _Crop((20, 380, 276, 600), "a name tag and a brass button on a dark navy uniform"),
    _Crop((130, 250, 386, 506), "a smile, a white shirt collar and a black neck tab"),
    _Crop((60, 60, 512, 512), "a naval officer in uniform looks into the camera, half-length"),
)
_QUALITY = 90


def photos(folder: str | Path | None = None) -> Path:
    """Return a folder with a dozen pictures and a caption beside each.

    It is made on the first call, in `folder` or else in the user's cache. A file that is already
    there stays as it is; one that is missing or empty is made anew. Several processes may call
    at once: a file appears only when it is whole.

    Raises:
        BadInput: the folder cannot be written.
        MissingExtra: matplotlib's photograph is not there.
    """
    target = Path(folder).expanduser() if folder is not None else _cache()
    captions = {f"{_stem(number)}.txt": crop.caption for number, crop in enumerate(_CROPS, 1)}
    missing = [name for name in captions if not _is_there(target / name)]
    for name in missing:
        _write(target / name, f"[trigger], {captions[name]}\n".encode())
    boxes = {f"{_stem(number)}.jpg": crop.box for number, crop in enumerate(_CROPS, 1)}
    if wanted := {name: box for name, box in boxes.items() if not _is_there(target / name)}:
        for name, content in _pictures(wanted).items():
            _write(target / name, content)
    return target


def example_job(client: AIToolkitClient, name: str = "example", *, steps: int = 300) -> Job:
    """Return a short training on the example photos, started if the server does not have it.

    It trains at a rank and resolution that take seconds on the embedded server and little memory
    on a real one.

    Raises:
        AitkError: the server cannot be asked, or has another job of that name.
    """
    dataset = client.datasets.upload(photos(), "example photos")
    return client.jobs.start(
        TrainingParams(
            name=name,
            dataset=dataset.name,
            steps=steps,
            learning_rate=1e-3,
            rank=16,
            resolution=(512,),
            trigger_word="grace",
        )
    )


def _stem(number: int) -> str:
    return f"grace_{number:02}"


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as draft:
        draft.write_bytes(content)


def _cache() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("aitk_nb", appauthor=False) / "photos"


def _pictures(boxes: dict[str, tuple[int, int, int, int]]) -> dict[str, bytes]:
    """Return the JPEG of each part of the photograph."""
    from PIL import Image

    source = _photograph()
    try:
        with Image.open(source) as image:
            whole = image.convert("RGB")
    except OSError as exc:
        raise BadInput(f"{source} cannot be read as a picture: {exc}.") from exc
    result = {}
    for name, box in boxes.items():
        buffer = io.BytesIO()
        whole.crop(box).save(buffer, "JPEG", quality=_QUALITY)
        result[name] = buffer.getvalue()
    return result


def _photograph() -> Path:
    """Return the path of the portrait; matplotlib is found, not imported."""
    spec = importlib.util.find_spec("matplotlib")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root, "mpl-data", "sample_data", "grace_hopper.jpg")
        if path.is_file():
            return path
    raise MissingExtra("matplotlib's sample photograph", "pip install --force-reinstall matplotlib")
