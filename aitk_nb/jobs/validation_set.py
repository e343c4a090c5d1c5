"""`validation_items`: the images on which the trainer measures the loss, and does not train.

Facts of `setup_validation` and `validate` in AI Toolkit's jobs/process/BaseSDTrainProcess.py: it
skips an image that is not there without an error, and trains on without validation if all are.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from aitk_nb._units import plural
from aitk_nb.backends.base import Backend, no_progress
from aitk_nb.errors import BadInput, NotSupported
from aitk_nb.models.dataset import IMAGES
from aitk_nb.models.server import Ability
from aitk_nb.training.config_paths import value_at

CONFIG = "config.process.0.train.validation_config"


def validation_items(backend: Backend, config: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return each image of the validation dataset below the server's datasets, with its caption.

    Raises:
        BadInput: It has no images, or some of them are trained too.
        NotFound: The server has no such dataset.
        NotSupported: The server does not show what is in a dataset.
    """
    name = str(value_at(config, f"{CONFIG}.dataset"))
    if Ability.EDIT_DATASETS not in backend.abilities:
        what = "compare a validation dataset with those that are trained"
        raise NotSupported(what, backend.flavour.value.capitalize(), "Leave validation empty.")
    entries = value_at(config, "config.process.0.datasets")
    trained = dict.fromkeys(str(entry["folder_path"]) for entry in entries)
    if name in trained:
        remedy = "Upload other images to a dataset of their own."
        raise BadInput(f"validation: {name!r} is trained, so that it shows nothing new. {remedy}")
    info = backend.get_dataset(name)
    images = [one for one in info.images if PurePosixPath(one).suffix.lower() in IMAGES]
    if not images:
        raise BadInput(f"validation: {name!r} has no images. Upload some, with their captions.")
    if both := [pair for one in trained for pair in _in_both(backend, name, images, one)]:
        shown = ", ".join(both[:3]) + (", …" if len(both) > 3 else "")
        text = f"validation: {plural(len(both), 'image')} of {name!r} would be trained too: {shown}"
        raise BadInput(f"{text}. Delete them from one of the datasets.")
    return [{"image_path": f"{name}/{one}", "prompt": info.captions.get(one, "")} for one in images]


def _in_both(backend: Backend, name: str, images: list[str], other: str) -> Iterator[str]:
    """Yield the images that another dataset has too; only files of one size can be the same."""
    tools = backend.dataset_tools
    ours = tools.sizes(name, images)
    theirs = tools.sizes(other, backend.get_dataset(other).images)
    common = {size for size in ours.values() if size} & {*theirs.values()}
    digests = [
        tools.digests(dataset, {k: v for k, v in sizes.items() if v in common and v}, no_progress)
        for dataset, sizes in ((name, ours), (other, theirs))
    ]
    twins = {digest: file for file, digest in digests[1].items()}
    for file, digest in digests[0].items():
        if digest in twins:
            yield f"{file} is {twins[digest]} of {other!r}"
