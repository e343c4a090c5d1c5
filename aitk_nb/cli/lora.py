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
    """Show what a LoRA contains, and check its factors and values.

    Shows its rank and alpha, its tensors, and what the trainer recorded. Every value is read, and
    every layer whose factors are incomplete or do not fit each other is named.
    """
    report = aitk_nb.inspect_lora(file)
    one = {"rank": report.rank, "alpha": report.alpha, "scale": report.scale}
    document = {"ok": report.ok, **asdict(report), **one}
    words = "\n".join(f"{name:8} {value}" for name, value in report.rows)
    show(lambda: document, words, as_json=as_json)
    if not report.ok:
        raise AitkError(f"{file} is not a sound LoRA. {' '.join(report.problems)}")
