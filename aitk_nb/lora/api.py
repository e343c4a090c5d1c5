"""`inspect_lora`: what is inside a LoRA file, and whether its values are sound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any, BinaryIO

from aitk_nb import _units
from aitk_nb._display import html
from aitk_nb.errors import BadInput
from aitk_nb.lora.layers import CHECKED, FACTORS, SCALES, Modules, faults, grouped, rank_of
from aitk_nb.lora.metadata import plain, recorded, recorded_beside
from aitk_nb.lora.safetensors_file import ReadAt, Tensor, read_header, scalar, survey


@dataclass(frozen=True, slots=True)
class LoraReport:
    """What a LoRA file contains, whether it is `ok`, and its `problems` if not."""

    path: str
    """Where it was read from."""
    size: int
    """Size of the file in bytes."""
    kind: str = ""
    """`LoRA`, `LoKr`, `LoHa`, `DoRA`, or another adapter's name, several joined by ` + `; empty if
    it is none."""
    ranks: tuple[int, ...] = ()
    """All ranks that occur, ascending."""
    alphas: tuple[float, ...] = ()
    """All alphas that occur, ascending: those of the tensors, else of the metadata, else of the
    `adapter_config.json` beside the file; empty if it is in none of them."""
    root_scaled: bool = False
    """Whether the alpha is divided by the root of the rank (rsLoRA), instead of by the rank."""
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
        """The alpha; None if layers differ or it is not in the file."""
        return self.alphas[0] if len(self.alphas) == 1 else None

    @property
    def scale(self) -> float | None:
        """What the changes are multiplied by; None if alpha or rank is unknown or layers differ."""
        if self.alpha is None or not self.rank:
            return None
        return self.alpha / (math.sqrt(self.rank) if self.root_scaled else self.rank)

    @property
    def config(self) -> dict[str, Any]:
        """What the trainer recorded of its config, as plain values.

        AI Toolkit records little of it; Kohya's trainer nearly all, under names with `ss_`.
        """
        return {name: plain(text) for name, text in self.metadata.items()}

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What it contains, as names and values to show."""
        step = "?" if self.step is None else self.step
        whole = "LoKr" in self.kind and not self.ranks
        scale = "" if self.scale is None else f" (scale {self.scale:.4g})"
        checked = {True: "all finite", False: "not all finite", None: "not checked"}[self.finite]
        return [
            ("file", f"{self.path} ({_units.size(self.size)})"),
            ("kind", self.kind or "not a LoRA"),
            ("rank", "none: its matrices are whole" if whole else _listed(self.ranks)),
            ("alpha", (_listed(self.alphas) if self.alphas else "not in the file") + scale),
            ("tensors", f"{self.tensors} ({', '.join(self.dtypes)}) in {self.modules} layers"),
            ("values", f"{self.parameters:,}, {checked}"),
            ("trained", f"{self.name or '?'}, step {step}"),
            ("base", self.base_model or "not recorded"),
        ]

    def __repr__(self) -> str:
        found = _units.plural(len(self.problems), "problem")
        verdict = "ok" if self.ok else f"{found}: {shorten(self.problems[0], 200)}"
        step = "" if self.step is None else f" step {self.step}"
        return (
            f"<LoraReport {Path(self.path).name!r} {self.kind or 'not a LoRA'} "
            f"rank {_listed(self.ranks)} alpha {_listed(self.alphas)}{step}, "
            f"{self.tensors} tensors, {_units.size(self.size)}: {verdict}>"
        )

    def _repr_html_(self) -> str:
        verdict = html.badge("ok", "ok") if self.ok else html.badge("not usable", "error")
        problems = html.join([verdict, *map(html.note, self.problems)])
        return html.definition([("result", problems), *self.rows])


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
            return _report(reader(file), file.seek(0, 2), str(path), whole=True)
    except OSError as exc:
        raise BadInput(f"Can't read {path}: {exc.strerror or exc}.") from exc
    except ValueError as exc:  # a NUL in the name
        raise BadInput(f"{str(path)!r} is not a valid file name.") from exc


def reader(file: BinaryIO) -> ReadAt:
    """Return what reads parts of an open file."""

    def read(start: int, length: int) -> bytes:
        file.seek(start)
        return file.read(length)

    return read


def _report(read: ReadAt, size: int, label: str, *, whole: bool) -> LoraReport:
    named, metadata = read_header(read, size, label)
    tensors = named.values()
    kinds, modules = grouped(named)
    ranks = tuple(sorted({rank for parts in modules.values() if (rank := rank_of(parts))}))
    zero, odd = _surveyed(read, named, label) if whole else (set(), [])
    told = recorded(metadata)
    if whole and not told["alphas"]:
        told |= recorded_beside(Path(label), ranks)
    if alphas := _alphas(read, modules.values(), label, every=whole):
        told["alphas"] = alphas
    return LoraReport(
        path=label,
        size=size,
        kind=" + ".join(kinds),
        ranks=ranks,
        modules=len(modules) if kinds else 0,
        tensors=len(tensors),
        parameters=sum(tensor.count for tensor in tensors),
        dtypes=tuple(sorted({tensor.dtype for tensor in tensors})),
        finite=not odd if whole else None,
        zero_tensors=len(zero) if whole else None,
        problems=tuple(_problems(kinds, modules, named, zero, odd)),
        metadata=dict(metadata),
        **told,
    )


def _surveyed(
    read: ReadAt, tensors: Mapping[str, Tensor], label: str
) -> tuple[set[Tensor], list[str]]:
    """Return the tensors that are all zero, and the names of those that are not finite."""
    found = {name: survey(read, tensor, label) for name, tensor in tensors.items()}
    zero = {tensors[name] for name, (_, all_zero) in found.items() if all_zero}
    return zero, [name for name, (finite, _) in found.items() if not finite]


def _problems(
    kinds: Sequence[str],
    modules: Modules,
    tensors: Mapping[str, Tensor],
    zero: set[Tensor],
    odd: list[str],
) -> Iterator[str]:
    """Yield what is wrong with the names, the shapes and the values."""
    if not kinds:
        yield _other_model(tensors)
        return
    if not CHECKED & set(kinds):
        yield f"This is an adapter of the kind {' + '.join(kinds)}, whose factors are not checked."
    else:
        for why, found in faults(modules).items():
            yield f"{_units.plural(len(found), 'layer')} {why}: {_names(found)}."
    if odd:
        yield (
            f"{_units.plural(len(odd), 'tensor')} with NaN or infinite values, as after a training "
            f"that diverged; try a lower learning rate: {_names(odd)}."
        )
    if modules and all(_idle(parts, zero) for parts in modules.values()):
        yield "It is untrained and has no effect: in every layer a factor is all zero."


def _other_model(tensors: Mapping[str, Tensor]) -> str:
    first = next(iter(tensors), "")[:100]
    if any(name.endswith(".weight") for name in tensors):
        return f"This is a checkpoint, a full model or part of one, not a LoRA: it has {first!r}."
    return f"This is not a LoRA: no tensor has an adapter's name; the first is {first!r}."


def _idle(parts: Mapping[str, Tensor], zero: set[Tensor]) -> bool:
    """Return whether a module changes nothing: a product with a zero, and only zeros added."""
    factors = [tensor in zero for part, tensor in parts.items() if part in FACTORS]
    added = [tensor in zero for part, tensor in parts.items() if part not in FACTORS | SCALES]
    return any(factors or added) and all(added)


def _names(names: Iterable[str]) -> str:
    return ", ".join(repr(name[:100]) for name in names)


def _alphas(
    read: ReadAt, modules: Iterable[Mapping[str, Tensor]], label: str, *, every: bool
) -> tuple[float, ...]:
    """Return the alphas that are stored as tensors; the first only, unless `every`."""
    values = (scalar(read, parts["alpha"], label) for parts in modules if "alpha" in parts)
    found = (value for value in values if value is not None and math.isfinite(value))
    # Each one is a request to the server.
    return tuple(sorted(set(found if every else islice(found, 1))))


def _listed(numbers: Iterable[float]) -> str:
    shown = [f"{number:g}" for number in numbers]
    return ("/".join(shown[:4]) or "?") + ("/…" if len(shown) > 4 else "")
