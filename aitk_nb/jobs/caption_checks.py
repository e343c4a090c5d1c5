"""Which captions of a dataset a job reads, by `caption_ext`, and which it leaves unread.

Facts of ostris/ai-toolkit's toolkit/dataloader_mixins.py (`load_caption`), August 2026.
"""

from collections.abc import Mapping
from typing import Any

from aitk_nb._units import plural
from aitk_nb.backends.base import Backend
from aitk_nb.jobs.preflight_report import note, ok, problem, unknown
from aitk_nb.models.checklist import Check
from aitk_nb.models.dataset import DatasetInfo
from aitk_nb.models.server import Ability

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
