"""The command `lora`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

import aitk_nb
from aitk_nb.cli.app import AsJson, command, show
from aitk_nb.errors import AitkError


@command("lora")
def lora(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.")], as_json: AsJson = False
) -> None:
    """Show what a LoRA contains, and check that its values are sound.

    Shows its rank and alpha, its tensors, and what the trainer recorded. Every value is read.
    """
    report = aitk_nb.inspect_lora(file)
    document = {"ok": report.ok, **asdict(report), "rank": report.rank, "alpha": report.alpha}
    words = "\n".join(f"{name:8} {value}" for name, value in report.rows)
    show(lambda: document, words, as_json=as_json)
    if not report.ok:
        raise AitkError(f"{file} is damaged or unusable: {' '.join(report.problems)}")
