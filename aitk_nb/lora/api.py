"""`inspect_lora`: what is inside a LoRA file, and whether its values are sound."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from aitk_nb import _html, _units
from aitk_nb.errors import BadInput
from aitk_nb.lora.layers import GROWING, Modules, grouped, misfit, rank_of
from aitk_nb.lora.safetensors_file import ReadAt, Tensor, read_header, scalar, survey


@dataclass(frozen=True, slots=True)
class LoraReport:
    """What a LoRA file contains, whether it is `ok`, and its `problems` if not."""

    path: str
    """Where it was read from."""
    size: int
    """Size of the file in bytes."""
    kind: str = ""
    """`LoRA`, `LoKr` or `LoHa`; empty if it is none of them."""
    ranks: tuple[int, ...] = ()
    """All ranks that occur, ascending."""
    alphas: tuple[float, ...] = ()
    """All alphas that occur, ascending; empty if the file has none."""
    modules: int = 0
    """Layers of the base model that it changes."""
    tensors: int = 0
    parameters: int = 0
    """Values in all tensors."""
    dtypes: tuple[str, ...] = ()
    """In the format's words, such as `BF16`."""
    base_model: str = ""
    """The base model's version, as the trainer recorded it."""
    name: str = ""
    """The job's name, as the trainer recorded it."""
    step: int | None = None
    epoch: int | None = None
    finite: bool | None = None
    """Whether all values are finite; None if only the header was read."""
    zero_tensors: int | None = None
    """Tensors whose values are all zero; None if only the header was read."""
    problems: tuple[str, ...] = ()
    """What is wrong, a sentence each."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Everything that the trainer recorded."""

    @property
    def ok(self) -> bool:
        """True if it is a LoRA and no problem was found."""
        return not self.problems

    @property
    def rank(self) -> int | None:
        """The rank; None if layers differ or it is unknown."""
        return self.ranks[0] if len(self.ranks) == 1 else None

    @property
    def alpha(self) -> float | None:
        """The alpha; None if layers differ or none is stored (it then equals the rank)."""
        return self.alphas[0] if len(self.alphas) == 1 else None

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What it contains, as names and values to show."""
        step = "?" if self.step is None else self.step
        checked = {True: "all finite", False: "not all finite", None: "not checked"}[self.finite]
        return [
            ("file", f"{self.path} ({_units.size(self.size)})"),
            ("kind", self.kind or "not a LoRA"),
            ("rank", _listed(self.ranks)),
            ("alpha", _listed(self.alphas) if self.alphas else "none: it equals the rank"),
            ("tensors", f"{self.tensors} ({', '.join(self.dtypes)}) in {self.modules} layers"),
            ("values", f"{self.parameters:,}, {checked}"),
            ("trained", f"{self.name or '?'}, step {step}"),
            ("base", self.base_model or "not recorded"),
        ]

    def __repr__(self) -> str:
        verdict = "ok" if self.ok else f"{len(self.problems)} problems: {self.problems[0]}"
        step = "" if self.step is None else f" step {self.step}"
        return (
            f"<LoraReport {Path(self.path).name!r} {self.kind or 'not a LoRA'} "
            f"rank {_listed(self.ranks)} alpha {_listed(self.alphas)}{step}, "
            f"{self.tensors} tensors, {_units.size(self.size)}: {verdict}>"
        )

    def _repr_html_(self) -> str:
        verdict = _html.badge("ok", "ok") if self.ok else _html.badge("not usable", "error")
        problems = _html.join([verdict, *map(_html.note, self.problems)])
        return _html.definition([("result", problems), *self.rows])


def inspect_lora(
    source: str | Path | ReadAt, *, size: int | None = None, name: str = ""
) -> LoraReport:
    """Check a LoRA file, and return what it contains.

    Args:
        source: A local file, which is read completely in small pieces, or a function
            `read(start, length)` for a file elsewhere, of which only the header is read.
        size: Bytes of that file; required with a function.
        name: What to call that file, with a function.

    Returns:
        What the file contains, and its problems.

    Raises:
        BadInput: The file can't be read, is not a safetensors file or is incomplete.

    Example:
        >>> report = aitk_nb.inspect_lora(job.download("loras").path)
        >>> report.ok, report.kind, report.rank, report.step
        (True, 'LoRA', 16, 20)
    """
    if not isinstance(source, str | Path):
        if size is None:
            raise BadInput("A LoRA that is read by a function requires its size in bytes.")
        return _report(source, size, name or "The file", whole=False)
    path = Path(source).expanduser()
    try:
        with path.open("rb") as file:
            return _report(_reader(file), file.seek(0, 2), str(path), whole=True)
    except OSError as exc:
        raise BadInput(f"Can't read {path}: {exc.strerror or exc}.") from exc
    except ValueError as exc:  # a NUL in the name
        raise BadInput(f"{str(path)!r} is not a valid file name.") from exc


def _reader(file: BinaryIO) -> ReadAt:
    def read(start: int, length: int) -> bytes:
        file.seek(start)
        return file.read(length)

    return read


def _report(read: ReadAt, size: int, label: str, *, whole: bool) -> LoraReport:
    named, metadata = read_header(read, size, label)
    tensors = named.values()
    kind, modules = grouped(named)
    zero, odd = _surveyed(read, named, label) if whole else (set(), [])
    recorded = _recorded(metadata)
    recorded_alphas = recorded.pop("alphas")
    return LoraReport(
        path=label,
        size=size,
        kind=kind,
        ranks=tuple(sorted({rank for parts in modules.values() if (rank := rank_of(parts))})),
        alphas=_alphas(read, modules.values(), label, every=whole) or recorded_alphas,
        modules=len(modules) if kind else 0,
        tensors=len(tensors),
        parameters=sum(tensor.count for tensor in tensors),
        dtypes=tuple(sorted({tensor.dtype for tensor in tensors})),
        finite=not odd if whole else None,
        zero_tensors=len(zero) if whole else None,
        problems=tuple(_problems(kind, modules, zero, odd)),
        metadata=dict(metadata),
        **recorded,
    )


def _surveyed(
    read: ReadAt, tensors: Mapping[str, Tensor], label: str
) -> tuple[set[Tensor], list[str]]:
    """Return the tensors that are all zero, and the names of those that are not finite."""
    zero: set[Tensor] = set()
    odd: list[str] = []
    for name, tensor in tensors.items():
        finite, all_zero = survey(read, tensor, label)
        if all_zero:
            zero.add(tensor)
        if not finite:
            odd.append(name)
    return zero, odd


def _problems(kind: str, modules: Modules, zero: set[Tensor], odd: list[str]) -> Iterator[str]:
    """Yield what is wrong with the names, the shapes and the values."""
    if not kind:
        yield "This is not a LoRA: no tensor has an adapter's name."
    misfits = [text for item in modules.items() if (text := misfit(*item))]
    yield from misfits[:5]
    if len(misfits) > 5:
        yield f"{len(misfits) - 5} more layers have the same problem."
    if odd:
        yield (
            f"{len(odd)} {'tensor contains' if len(odd) == 1 else 'tensors contain'} NaN or "
            f"infinite values, beginning with {odd[0][:100]!r}. The training diverged; try a lower "
            "learning rate."
        )
    growing = {
        tensor for parts in modules.values() for part, tensor in parts.items() if part in GROWING
    }
    if growing and zero >= growing:
        yield "The LoRA has no effect: all up (B) weights are zero, as before the first step."


def _alphas(
    read: ReadAt, modules: Iterable[Mapping[str, Tensor]], label: str, *, every: bool
) -> tuple[float, ...]:
    """Return the alphas that are stored as tensors; the first only, unless `every`."""
    found: set[float] = set()
    for parts in modules:
        value = scalar(read, parts["alpha"], label) if "alpha" in parts else None
        if value is not None and math.isfinite(value):
            found.add(value)
            if not every:  # each one is a request to the server
                break
    return tuple(sorted(found))


def _recorded(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return what the trainer recorded, under AI Toolkit's names, else under Kohya's."""

    def first(*keys: str) -> str:
        return next((metadata[key][:200] for key in keys if metadata.get(key)), "")

    info: object = None
    with suppress(ValueError, RecursionError):
        info = json.loads(metadata.get("training_info", "")[:10_000])
    info = info if isinstance(info, dict) else {}
    alpha = _number(first("ss_network_alpha"))
    step = _number(info.get("step", first("ss_steps")))
    epoch = _number(info.get("epoch", first("ss_epoch")))
    return {
        "alphas": () if alpha is None else (alpha,),
        "base_model": first("ss_base_model_version", "ss_base_model", "modelspec.architecture"),
        "name": first("name", "ss_output_name"),
        "step": None if step is None else int(step),
        "epoch": None if epoch is None else int(epoch),
    }


def _number(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _listed(numbers: Iterable[float]) -> str:
    shown = [f"{number:g}" for number in numbers]
    return ("/".join(shown[:4]) or "?") + ("/…" if len(shown) > 4 else "")
