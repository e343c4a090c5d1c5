"""Which files of a dataset a job trains on: images, videos or sounds, and which it skips.

Facts of ostris/ai-toolkit's toolkit/data_loader.py, August 2026.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from aitk_nb._units import plural
from aitk_nb.jobs.preflight_report import note, problem, unknown
from aitk_nb.models.checklist import Check
from aitk_nb.models.dataset import IMAGES, SOUNDS, VIDEOS, DatasetInfo
from aitk_nb.training.config_paths import value_at
from aitk_nb.training.presets import Preset

_SUFFIXES = {"image": IMAGES, "video": VIDEOS, "sound": SOUNDS}


class TakenFiles(NamedTuple):
    """What the trainer takes of one dataset of a job."""

    name: str
    kinds: tuple[str, ...]
    why: str


def taken_files(config: Mapping[str, Any], preset: Preset | None) -> Iterator[TakenFiles]:
    """Yield what the trainer takes of each dataset of a job config."""
    for entry in value_at(config, "config.process.0.datasets"):
        name = entry.get("dataset_path") or entry["folder_path"]
        frames = entry.get("num_frames", 1)
        if preset is not None and preset.group == "audio":
            yield TakenFiles(name, ("sound",), f"{preset.label} trains on audio")
        elif entry.get("auto_frame_count"):
            yield TakenFiles(name, ("image", "video"), "auto_frame_count is on")
        elif isinstance(frames, int | float) and frames > 1:
            yield TakenFiles(name, ("image", "video"), f"num_frames is {frames}")
        else:
            yield TakenFiles(name, ("image",), f"num_frames is {frames}")


def media_checks(
    config: Mapping[str, Any], found: Mapping[str, DatasetInfo], preset: Preset | None
) -> Iterator[Check]:
    """Check whether the trainer finds files that it takes in each dataset, and skips none."""
    for taken in taken_files(config, preset):
        if (info := found.get(taken.name)) and info.images:
            ends = Counter(PurePosixPath(file).suffix.lower() for file in info.images)
            yield from _checks(
                taken,
                {kind: sum(ends[end] for end in known) for kind, known in _SUFFIXES.items()},
                preset,
            )


def _checks(taken: TakenFiles, counts: Mapping[str, int], preset: Preset | None) -> Iterator[Check]:
    name, kinds, why = taken
    skipped = " and ".join(
        plural(count, kind) for kind, count in counts.items() if count and kind not in kinds
    )
    wants_videos, has_videos = "video" in kinds, bool(counts["video"])
    can_videos = preset is None or "datasets.num_frames" in preset.needs
    if not any(counts[kind] for kind in kinds):
        only = f", only {skipped}" if skipped else ""
        text = f"The trainer finds no {' or '.join(kinds)} in {name!r}{only}: {why}."
        remedy = f"Upload {' or '.join(f'{kind}s' for kind in kinds)} to it."
        if has_videos and can_videos and kinds == ("image",):
            remedy = "Set num_frames above 1 to train on videos."
        if preset is None and counts["sound"]:
            yield unknown("needs", f"{text} It may train on audio: the architecture is unknown.")
        else:
            yield problem("needs", text, remedy)
    elif skipped:
        yield note("needs", f"The trainer skips {skipped} in {name!r}: {why}.")
    if wants_videos and has_videos and preset and not can_videos:
        yield note("needs", f"{preset.label} generates single images, and {why}.")
    elif wants_videos and counts["image"] and not has_videos:
        text = (
            f"{name!r} has no video, and {why}: its images are trained as single frames, and AI "
            "Toolkit before August 2026 finds nothing to train on."
        )
        yield note("needs", text)
