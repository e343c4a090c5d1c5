"""Where a job config says a dataset's control images are: by names of datasets, or by paths.

In a `JobDraft` they are names, as the datasets themselves; what has a slash in it is a path on the
server, and stays as it is.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

CONTROL_KEYS = ("control_path", "control_path_1", "control_path_2", "control_path_3")
"""Keys of a dataset that the trainer reads folders of control images from: one, or up to three."""

_SLASH = re.compile(r"[/\\]")


def control_names(dataset: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the control datasets of a dataset, by key."""
    values = {key: dataset.get(key) for key in CONTROL_KEYS}
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, str) and value and not _SLASH.search(value)
    }


def place_controls(dataset: dict[str, Any], place: Callable[[str], str]) -> None:
    """Put what `place` makes of it in the place of each name."""
    dataset |= {key: place(name) for key, name in control_names(dataset).items()}


def name_controls(dataset: dict[str, Any]) -> dict[str, str]:
    """Put a name in the place of each path that lies next to `folder_path`, and return the paths.

    What lies elsewhere is none of the server's datasets.
    """
    folder = dataset.get("folder_path")
    if not isinstance(folder, str):
        return {}
    above = folder.rstrip("/\\")
    above = above[: len(above) - len(_SLASH.split(above)[-1])]
    paths: dict[str, str] = {}
    for key in CONTROL_KEYS:
        value = dataset.get(key)
        if above and isinstance(value, str) and value.startswith(above):
            name = value[len(above) :]
            if name and not _SLASH.search(name):
                paths[key], dataset[key] = value, name
    return paths
