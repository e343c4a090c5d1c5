"""The command `lora`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aitk_nb.cli.app import AsJson, command, show_json
from aitk_nb.errors import AitkError

if TYPE_CHECKING:
    from aitk_nb.lora.api import LoraReport

__all__ = ["lora"]


@command("lora")
def lora(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.")], as_json: AsJson = False
) -> None:
    """Look inside a LoRA, and check that its numbers are sound.

    Its rank and alpha, its tensors, and what the trainer noted. Every number is read.
    """
    from aitk_nb.lora.api import inspect_lora

    report = inspect_lora(file)
    if as_json:
        show_json({"ok": report.ok, **asdict(report), "rank": report.rank, "alpha": report.alpha})
    else:
        typer.echo(_table(report))
    if not report.ok:
        raise AitkError(f"{file} is not sound: {' '.join(report.problems)}")


def _table(report: LoraReport) -> str:
    finite = {True: "all finite", False: "not all finite", None: "not checked"}[report.finite]
    rows = {
        "file": f"{report.path} ({report.size:,} bytes)",
        "kind": report.kind or "no LoRA",
        "rank": ", ".join(map(str, report.ranks)) or "?",
        "alpha": ", ".join(f"{alpha:g}" for alpha in report.alphas)
        or "none: it counts as the rank",
        "tensors": f"{report.tensors} ({', '.join(report.dtypes)}) in {report.modules} layers",
        "numbers": f"{report.parameters:,}, {finite}",
        "trained": f"{report.name or '?'}, step {'?' if report.step is None else report.step}",
    }
    return "\n".join(f"{what:8} {value}" for what, value in rows.items())
