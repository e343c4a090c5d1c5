"""Which files of a dataset a job trains on, which captions it reads, and what it leaves out.

Facts of ostris/ai-toolkit's toolkit/data_loader.py and toolkit/dataloader_mixins.py, August 2026.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.jobs.preflight_report import note, ok, problem, unknown
from aitk_nb.models import IMAGES, SOUNDS, VIDEOS, Ability, Check, DatasetInfo
from aitk_nb.training.presets import Preset

_ENDINGS = (".txt", ".caption", ".json")


def caption_check(
    backend: Backend, entry: Mapping[str, Any], info: DatasetInfo, trigger_word: str
) -> Check:
    """Compare what a dataset of a job reads, as the trainer takes it, with what the server has."""
    name, many, ending = info.name, len(info.images), entry.get("caption_ext", ".txt")
    if not isinstance(ending, str):
        text = f"caption_ext is {ending!r}: training fails at the first caption of {name!r}."
        return problem("dataset", text, "Set it to 'txt'.")
    found = _by_ending(backend, info, ending)
    if found is None:
        text = f"The server does not say how many captions of {name!r} are in {ending} files"
        return unknown("dataset", f"{text}, which the job reads (caption_ext).")
    text = f"{name!r} has {plural(many, 'file')}, {len(found[ending])} with a caption"
    if ending != ".txt":
        text += f" in a file that ends in {ending}, as the job reads them (caption_ext)"
    default = entry.get("default_caption")
    if default and len(found[ending]) < many:
        text += f"; the others get default_caption, {default!r}"
    others = {
        other: unread
        for other, texts in found.items()
        if (unread := len(texts.keys() - found[ending].keys()))
    }
    if others:
        unread_texts = " and ".join(f"{n} in {one} files" for one, n in others.items())
        best = max(others, key=lambda other: others[other])
        remedy = f"Set caption_ext to {best[1:]!r}"
        if ending == ".txt" or best == ".json":  # of which the trainer takes the braces too
            remedy = "Upload them as .txt files, which aitk-nb dataset fix writes"
            remedy += f", or set caption_ext to {best[1:]!r}" * (best != ".json")
        return note("dataset", f"{text}. It does not read {unread_texts}.", f"{remedy}.")
    if ending == ".json" and found[ending]:
        text += ". The trainer takes all of such a file as the caption, braces and keys included"
        return note("dataset", f"{text}.", "Convert them to .txt files with aitk-nb dataset fix.")
    if found[ending] or trigger_word or default:
        return ok("dataset", f"{text}.")
    remedy = "Add captions or a trigger word, so that something triggers the LoRA."
    return note("dataset", f"{text}.", remedy)


def _by_ending(
    backend: Backend, info: DatasetInfo, ending: str
) -> dict[str, Mapping[str, str]] | None:
    """Return the captions by ending, the job's first; None if the server does not tell."""
    found: dict[str, Mapping[str, str]] = {ending: info.captions if ending == ".txt" else {}}
    can_ask = Ability.EDIT_DATASETS in backend.abilities
    if ending != ".txt" and ending.startswith("."):
        if not can_ask:
            return None
        found[ending] = backend.dataset_tools.captions(info.name, info.images, ending)
        # Before it knew of endings, the web UI answered the same for each.
        if info.captions and found[ending] == info.captions:
            return None
    if len(found[ending]) < len(info.images):
        found |= {".txt": info.captions}
        for other in _ENDINGS[1:] if can_ask else ():
            if other != ending:
                found[other] = backend.dataset_tools.captions(info.name, info.images, other)
    return found


# -- images, videos and sounds --------------------------------------------------------------------


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
