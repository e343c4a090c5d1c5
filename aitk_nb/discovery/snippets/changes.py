"""The comment that heads an operation's program: which values are examples, to be changed."""

from __future__ import annotations

from collections.abc import Mapping

from aitk_nb.discovery.snippets.quoting import LITERALS

__all__ = ["with_changes"]

_NAME = ("the job", "name")
_FOLDER = ("the folder", "folder")
_RESULTS = ("the folder of results that the training printed", "results")

CHANGES: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("webui", "create_dataset"): (_FOLDER, ("the dataset", "dataset")),
    ("webui", "start_training"): (_NAME, ("the dataset", "trained_on")),
    ("webui", "job_status"): (_NAME,),
    ("webui", "download_lora"): (_NAME,),
    ("gradio", "create_dataset"): (_FOLDER,),
    ("gradio", "start_training"): (_FOLDER, ("the job", "slug")),
    ("gradio", "job_status"): (_RESULTS, ("the job", "slug")),
    ("gradio", "download_lora"): (_RESULTS, ("the job", "slug")),
}
"""By flavour and operation: what a value is, and which text of the template it is."""


def with_changes(
    program: str, flavour: str, stem: str, language: str, texts: Mapping[str, str]
) -> str:
    """Return a program whose first comment names the values to change.

    They are written as the literals of the program, which end neither early nor with the line.
    """
    literal = LITERALS[language]
    named = " and ".join(f"{what} {literal(texts[key])}" for what, key in CHANGES[flavour, stem])
    mark = "//" if language == "javascript" else "#"
    line = f"{mark} Change to yours, wherever they stand: {named}.\n"
    first, _, rest = program.partition("\n")
    return f"{first}\n{line}{rest}" if first.startswith(mark) else line + program
