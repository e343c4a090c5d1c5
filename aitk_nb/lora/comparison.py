"""`compare_loras`: where LoRA files differ, and how strongly each changes the base model."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitk_nb._display import html
from aitk_nb._display.table import Table
from aitk_nb.errors import BadInput
from aitk_nb.lora.api import LoraReport, inspect_lora
from aitk_nb.lora.norms import layer_norms


@dataclass(frozen=True, slots=True)
class LoraComparison:
    """LoRA files side by side."""

    reports: tuple[LoraReport, ...]
    """What each file contains."""
    norms: tuple[float | None, ...]
    """The norm of all that each changes; None of a file of which only the header was read."""

    @property
    def table(self) -> Table:
        """A row for each property, with a column for each file."""
        names = [Path(report.path).name for report in self.reports]
        shown = [report.rows[1:] for report in self.reports]
        rows = [(row[0][0], *(value for _, value in row)) for row in zip(*shown, strict=True)]
        norms = ("norm", *("unknown" if one is None else f"{one:.4g}" for one in self.norms))
        return Table(("", *names), (*rows, norms))

    @property
    def differing(self) -> tuple[str, ...]:
        """The properties in which they differ, as the table calls them."""
        return tuple(str(row[0]) for row in self.table.rows[:-1] if len({*row[1:]}) > 1)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data, ready for JSON."""
        files = zip(self.reports, self.norms, strict=True)
        loras = [{**dict(one.rows), "ok": one.ok, "norm": norm} for one, norm in files]
        return {"differing": [*self.differing], "loras": loras}

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> html.Html:
        return self.table._repr_html_()


def compare_loras(loras: Iterable[str | Path | LoraReport]) -> LoraComparison:
    """Compare LoRA files: what they contain, and how strongly they change the base model.

    Args:
        loras: At least two local files, or reports of `inspect_lora` and `job.inspect_lora`, of
            which only the contents are compared.

    Returns:
        A table with a column for each.

    Raises:
        BadInput: There are fewer than two, or a file is not a LoRA.

    Example:
        >>> final = job.download("loras").path
        >>> aitk_nb.compare_loras([final, job.inspect_lora()]).differing
        ('values',)
    """
    given = list(loras)
    if len(given) < 2:
        raise BadInput("A comparison requires at least two LoRAs.")
    reports = [one if isinstance(one, LoraReport) else inspect_lora(one) for one in given]
    norms = (
        None if isinstance(one, LoraReport) else math.hypot(*layer_norms(one).values())
        for one in given
    )
    return LoraComparison(tuple(reports), tuple(norms))
