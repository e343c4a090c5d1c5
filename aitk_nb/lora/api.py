"""`inspect_lora`: what is inside a LoRA file, and whether its numbers are sound."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from aitk_nb import _html
from aitk_nb.errors import BadInput
from aitk_nb.lora.layers import GROWING, Modules, grouped, misfit, rank_of
from aitk_nb.lora.safetensors_file import Header, ReadAt, Tensor, read_header, scalar, survey

__all__ = ["LoraReport", "inspect_lora"]


@dataclass(frozen=True, slots=True)
class LoraReport:
    """What a LoRA file holds; `ok` is the verdict and `problems` says why not."""

    path: str
    """Where it was read from."""
    size: int
    """Bytes."""
    kind: str = ""
    """`LoRA`, `LoKr` or `LoHa`; empty when it is none of them."""
    ranks: tuple[int, ...] = ()
    """All ranks that occur, ascending."""
    alphas: tuple[float, ...] = ()
    """All alphas that occur, ascending; none where the file has none."""
    modules: int = 0
    """Layers of the base model that it changes."""
    tensors: int = 0
    parameters: int = 0
    """Numbers in all tensors."""
    dtypes: tuple[str, ...] = ()
    """The format's words, as `BF16`."""
    base_model: str = ""
    """The base model's version, as the trainer noted it."""
    name: str = ""
    """The job's name, as the trainer noted it."""
    step: int | None = None
    epoch: int | None = None
    finite: bool | None = None
    """Whether all numbers are finite; None when only the header was read."""
    zero_tensors: int | None = None
    """Tensors that are all zero; None when only the header was read."""
    problems: tuple[str, ...] = ()
    """What is wrong, a sentence each."""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All that the trainer noted."""

    @property
    def ok(self) -> bool:
        """True when it is a LoRA without any problem that could be seen."""
        return not self.problems

    @property
    def rank(self) -> int | None:
        """The rank; None where layers differ or none can be told."""
        return self.ranks[0] if len(self.ranks) == 1 else None

    @property
    def alpha(self) -> float | None:
        """The alpha; None where layers differ or none is stored (it then counts as the rank)."""
        return self.alphas[0] if len(self.alphas) == 1 else None

    def __repr__(self) -> str:
        verdict = "ok" if self.ok else f"{len(self.problems)} problems: {self.problems[0]}"
        step = "" if self.step is None else f" step {self.step}"
        return (
            f"<LoraReport {Path(self.path).name!r} {self.kind or 'no LoRA'} "
            f"rank {_listed(self.ranks)} alpha {_listed(self.alphas)}{step}, "
            f"{self.tensors} tensors, {_megabytes(self.size)}: {verdict}>"
        )

    def _repr_html_(self) -> str:
        kind: _html.Kind = "ok" if self.ok else "error"
        verdict = _html.badge("sound" if self.ok else "not usable", kind)
        checked = {True: "all finite", False: "not all finite", None: "not checked"}[self.finite]
        pairs: list[tuple[str, object]] = [
            ("verdict", _html.join([verdict, *map(_html.note, self.problems)])),
            ("kind", self.kind or "no LoRA"),
            ("rank, alpha", f"{_listed(self.ranks)}, {_listed(self.alphas)}"),
            ("layers, tensors", f"{self.modules}, {self.tensors} ({', '.join(self.dtypes)})"),
            ("parameters", f"{self.parameters:,}"),
            ("numbers", checked),
            ("file", f"{self.path} ({_megabytes(self.size)})"),
            ("trained", f"{self.name or '?'}, step {'?' if self.step is None else self.step}"),
            ("base model", self.base_model or "not noted"),
        ]
        return _html.definition(pairs)


def inspect_lora(
    source: str | Path | ReadAt, *, size: int | None = None, name: str = ""
) -> LoraReport:
    """Return a report of a LoRA file.

    Args:
        source: A local file, which is read whole in small pieces, or a function
            `read(start, length)` of a file elsewhere, of which only the header is read.
        size: Bytes of that file; needed with a function.
        name: What to call that file; for a function.

    Raises:
        BadInput: there is no such file, or it is no safetensors file or not all of one.
    """
    if not isinstance(source, str | Path):
        if size is None:
            raise BadInput("A LoRA that is read by a function needs its size, in bytes.")
        return _report(source, size, name or "The file", whole=False)
    path = Path(source).expanduser()
    try:
        with path.open("rb") as file:
            return _report(_reader(file), file.seek(0, 2), str(path), whole=True)
    except OSError as exc:
        raise BadInput(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    except ValueError as exc:  # a NUL in the name
        raise BadInput(f"{str(path)!r} cannot be the name of a file.") from exc


def _reader(file: BinaryIO) -> ReadAt:
    def read(start: int, length: int) -> bytes:
        file.seek(start)
        return file.read(length)

    return read


def _report(read: ReadAt, size: int, label: str, *, whole: bool) -> LoraReport:
    header = read_header(read, size, label)
    tensors = header.tensors.values()
    kind, modules = grouped(header.tensors)
    sound = _surveyed(read, header, label) if whole else None
    noted = _Noted.of(header.metadata)
    return LoraReport(
        path=label,
        size=size,
        kind=kind,
        ranks=tuple(sorted({rank for parts in modules.values() if (rank := rank_of(parts))})),
        alphas=_alphas(read, modules.values(), label, every=whole) or noted.alphas,
        modules=len(modules) if kind else 0,
        tensors=len(tensors),
        parameters=sum(tensor.count for tensor in tensors),
        dtypes=tuple(sorted({tensor.dtype for tensor in tensors})),
        base_model=noted.base_model,
        name=noted.name,
        step=noted.step,
        epoch=noted.epoch,
        finite=None if sound is None else not sound.odd,
        zero_tensors=None if sound is None else len(sound.zero),
        problems=(*_misnamed(kind, modules), *_unsound(sound, modules)),
        metadata=dict(header.metadata),
    )


@dataclass(frozen=True, slots=True)
class _Sound:
    """What the numbers are like: tensors that are all zero, and names of those not finite."""

    zero: frozenset[Tensor]
    odd: tuple[str, ...]


def _surveyed(read: ReadAt, header: Header, label: str) -> _Sound:
    zero: set[Tensor] = set()
    odd: list[str] = []
    for name, tensor in header.tensors.items():
        finite, all_zero = survey(read, tensor, label)
        if all_zero:
            zero.add(tensor)
        if not finite:
            odd.append(name)
    return _Sound(frozenset(zero), tuple(odd))


def _misnamed(kind: str, modules: Modules) -> Iterator[str]:
    """Yield what names and shapes tell against the file."""
    if not kind:
        yield "It holds no LoRA: no tensor is named as an adapter's."
    misfits = [text for item in modules.items() if (text := misfit(*item))]
    yield from misfits[:5]
    if len(misfits) > 5:
        yield f"So it is with {len(misfits) - 5} more layers."


def _unsound(sound: _Sound | None, modules: Modules) -> Iterator[str]:
    """Yield what the numbers tell against the file."""
    if sound is None:
        return
    if sound.odd:
        yield (
            f"{len(sound.odd)} tensors hold NaN or infinite numbers, the first is "
            f"{sound.odd[0][:100]!r}: the training diverged; try a lower learning rate."
        )
    growing = [
        tensor for parts in modules.values() for part, tensor in parts.items() if part in GROWING
    ]
    if growing and sound.zero.issuperset(growing):
        yield "It changes nothing: all its up-weights are zero, as before the first step."


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


@dataclass(frozen=True, slots=True)
class _Noted:
    """What the trainer wrote beside the tensors; by AI Toolkit's names, else by Kohya's."""

    alphas: tuple[float, ...]
    base_model: str
    name: str
    step: int | None
    epoch: int | None

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> _Noted:
        def first(*keys: str) -> str:
            return next((metadata[key][:200] for key in keys if metadata.get(key)), "")

        info = _object(metadata.get("training_info", ""))
        alpha = _number(first("ss_network_alpha"))
        step = _number(info.get("step", first("ss_steps")))
        epoch = _number(info.get("epoch", first("ss_epoch")))
        return cls(
            alphas=() if alpha is None else (alpha,),
            base_model=first("ss_base_model_version", "ss_base_model", "modelspec.architecture"),
            name=first("name", "ss_output_name"),
            step=None if step is None else int(step),
            epoch=None if epoch is None else int(epoch),
        )


def _object(text: str) -> dict[str, object]:
    """Return the JSON object in `text`; an empty one when it is something else."""
    try:
        value = json.loads(text[:10_000])
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _listed(numbers: Iterable[float]) -> str:
    shown = [f"{number:g}" for number in numbers]
    return "/".join(shown[:4]) + ("/…" if len(shown) > 4 else "") if shown else "?"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
