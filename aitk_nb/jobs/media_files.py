"""Which files of a dataset a job trains on: images, videos or sounds, and which it skips.

Facts of ostris/ai-toolkit's toolkit/data_loader.py, August 2026.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from aitk_nb._units import plural
from aitk_nb.jobs.preflight_report import note, problem, unknown
from aitk_nb.models.checklist import Check
from aitk_nb.models.dataset import IMAGES, SOUNDS, VIDEOS, DatasetInfo
from aitk_nb.training.presets import Preset

_SUFFIXES = {"image": IMAGES, "video": VIDEOS, "sound": SOUNDS}


def taken_kinds(entry: Mapping[str, Any], preset: Preset | None) -> tuple[tuple[str, ...], str]:
    """Return the kinds of files that the trainer takes of a dataset of a job config, and why."""
    frames = entry.get("num_frames", 1)
    if preset is not None and preset.group == "audio":
        return ("sound",), f"{preset.label} trains on audio"
    if preset is not None and preset.group == "llm":
        return ("image", "video", "sound"), f"{preset.label} describes media"
    if entry.get("auto_frame_count"):
        return ("image", "video"), "auto_frame_count is on"
    is_video = isinstance(frames, int | float) and frames > 1
    return ("image", "video")[: 1 + is_video], f"num_frames is {frames}"


def taken_files(
    entry: Mapping[str, Any], info: DatasetInfo, preset: Preset | None
) -> tuple[str, ...]:
    """Return the files that the trainer takes of a dataset."""
    known = frozenset[str]().union(*(_SUFFIXES[kind] for kind in taken_kinds(entry, preset)[0]))
    return tuple(file for file in info.images if PurePosixPath(file).suffix.lower() in known)


def media_checks(
    entry: Mapping[str, Any], info: DatasetInfo, preset: Preset | None
) -> Iterator[Check]:
    """Check whether the trainer finds files that it takes in a dataset, and skips none."""
    name, (kinds, why) = info.name, taken_kinds(entry, preset)
    ends = [PurePosixPath(file).suffix.lower() for file in info.images]
    counts = {kind: sum(end in known for end in ends) for kind, known in _SUFFIXES.items()}
    others = [kind for kind in counts if counts[kind] and kind not in kinds]
    skipped = " and ".join(plural(counts[kind], kind) for kind in others)
    can_videos = preset is None or "datasets.num_frames" in preset.needs
    if not any(counts[kind] for kind in kinds):
        only = f", only {skipped}" if skipped else ""
        text = f"The trainer finds no {' or '.join(kinds)} in {name!r}{only}: {why}."
        remedy = f"Upload {' or '.join(f'{kind}s' for kind in kinds)} to it."
        if counts["video"] and can_videos and kinds == ("image",):
            remedy = "Set num_frames above 1 to train on videos."
        if preset is None and counts["sound"]:
            yield unknown("needs", f"{text} It may train on audio: the architecture is unknown.")
        else:
            yield problem("needs", text, remedy)
    elif skipped:
        yield note("needs", f"The trainer skips {skipped} in {name!r}: {why}.")
    if "video" in kinds and counts["video"] and preset and not can_videos:
        yield note("needs", f"{preset.label} generates single images, and {why}.")
    elif "video" in kinds and counts["image"] and not counts["video"]:
        text = f"{name!r} has no video, and {why}: its images are trained as single frames, and AI"
        yield note("needs", f"{text} Toolkit before August 2026 finds nothing to train on.")
