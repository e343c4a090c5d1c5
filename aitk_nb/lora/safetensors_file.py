"""The safetensors format: a checked header, and whether the numbers behind it are sound.

A file is eight bytes (the header's length, little-endian), the header (JSON: for each tensor its
dtype, shape and place in the data; `__metadata__` maps strings to strings), then the data. What is
read here may come from anywhere, so everything is checked before it is believed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeGuard

import numpy as np

from aitk_nb.errors import BadInput

__all__ = ["Header", "ReadAt", "Tensor", "read_header", "scalar", "survey"]

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Returns `length` bytes from `start` on: `read(start, length)`."""

_MAX_HEADER = 100_000_000  # the format's own library refuses more, too
# A header's brackets and commas bound what parsing it can cost; a big LoRA has some 10 000.
_MAX_MARKS = 4_000_000
_MAX_DIMENSIONS = 16
_CHUNK = 1 << 22

_BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
# How to read the bits, which of them are all set in NaN and infinity, and which hold the sign.
_FLOATS = {
    "BF16": ("<u2", 0x7F80, 0x8000),
    "F16": ("<u2", 0x7C00, 0x8000),
    "F32": ("<u4", 0x7F80_0000, 0x8000_0000),
    "C64": ("<u4", 0x7F80_0000, 0x8000_0000),
    "F64": ("<u8", 0x7FF0_0000_0000_0000, 0x8000_0000_0000_0000),
    "F8_E5M2": ("<u1", 0x7C, 0x80),
    "F8_E4M3": ("<u1", 0x7F, 0x80),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies and what it is made of."""

    dtype: str
    """The format's word, as `BF16`."""
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the beginning of the file."""
    size: int
    """Bytes."""

    @property
    def count(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a safetensors file says of itself."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_header(read: ReadAt, size: int, label: str) -> Header:
    """Return the checked header of the file of `size` bytes; `label` names it in messages.

    Raises:
        BadInput: it is no safetensors file, or not all of one.
    """
    if size < 8:
        raise BadInput(f"{label} is no safetensors file: it has only {size} bytes.")
    length = int.from_bytes(_exactly(read, 0, 8, label), "little")
    if length > _MAX_HEADER:
        raise BadInput(f"{label} is no safetensors file: its header claims {length} bytes.")
    if 8 + length > size:
        raise BadInput(f"{label} is cut short or no safetensors file: its header does not fit.")
    content = _parse(_exactly(read, 8, length, label), label)
    metadata = content.pop("__metadata__", {})
    if not _is_flat(metadata):
        raise BadInput(f"{label} is no safetensors file: its metadata are not texts.")
    start = 8 + length
    tensors = {name: _tensor(name, entry, start, label) for name, entry in content.items()}
    _check_places(tensors, start, size, label)
    return Header(tensors, metadata)


def survey(read: ReadAt, tensor: Tensor, label: str) -> tuple[bool, bool]:
    """Return whether all numbers of `tensor` are finite, and whether all are zero.

    Raises:
        BadInput: the file ends before the tensor does.
    """
    kind, exponent, sign = _FLOATS.get(tensor.dtype, ("<u1", 0, 0))
    finite = zero = True
    for offset in range(0, tensor.size, _CHUNK):
        length = min(_CHUNK, tensor.size - offset)
        bits = np.frombuffer(_exactly(read, tensor.start + offset, length, label), dtype=kind)
        if exponent:
            finite = finite and not bool(((bits & bits.dtype.type(exponent)) == exponent).any())
        # -0.0 is a zero: only the sign is set.
        magnitude = bits & bits.dtype.type(~sign & np.iinfo(bits.dtype).max)
        zero = zero and not bool(magnitude.any())
    return finite, zero


def scalar(read: ReadAt, tensor: Tensor, label: str) -> float | None:
    """Return the value of a tensor of one number; None when it is of another form.

    Raises:
        BadInput: the file ends before the tensor does.
    """
    codes = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
    if tensor.count != 1 or tensor.dtype not in {*codes, "BF16"}:
        return None
    raw = _exactly(read, tensor.start, tensor.size, label)
    if tensor.dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        return float(np.frombuffer(b"\0\0" + raw, dtype="<f4")[0])
    return float(np.frombuffer(raw, dtype=codes[tensor.dtype])[0])


def _exactly(read: ReadAt, start: int, length: int, label: str) -> bytes:
    data = read(start, length)
    if len(data) != length:
        raise BadInput(f"{label} is cut short: byte {start + len(data)} cannot be read.")
    return data


def _parse(raw: bytes, label: str) -> dict[str, object]:
    # Bytes below 128 never occur inside a longer UTF-8 character.
    if sum(raw.count(mark) for mark in (b"[", b"{", b",")) > _MAX_MARKS:
        raise BadInput(f"{label} is no usable safetensors file: its header is too intricate.")
    try:
        content = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise BadInput(f"{label} is no safetensors file: its header is not JSON.") from exc
    if not isinstance(content, dict):
        raise BadInput(f"{label} is no safetensors file: its header is not a JSON object.")
    return content


def _is_flat(metadata: object) -> TypeGuard[dict[str, str]]:
    return isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values())


def _tensor(name: str, entry: object, start: int, label: str) -> Tensor:
    bad = BadInput(f"{label} is no safetensors file: its tensor {_short(name)} is ill described.")
    if not isinstance(entry, dict):
        raise bad
    dtype, shape, place = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not (isinstance(dtype, str) and _is_counts(shape) and _is_counts(place)):
        raise bad
    if dtype not in _BITS:
        raise BadInput(f"{label} has a tensor {_short(name)} of unknown dtype {_short(dtype)}.")
    if len(place) != 2 or place[0] > place[1] or len(shape) > _MAX_DIMENSIONS:
        raise bad
    tensor = Tensor(dtype, tuple(shape), start + place[0], place[1] - place[0])
    if tensor.count * _BITS[dtype] != tensor.size * 8:
        raise bad
    return tensor


def _is_counts(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(
        type(number) is int and 0 <= number < 1 << 63 for number in value
    )


def _check_places(tensors: Mapping[str, Tensor], start: int, size: int, label: str) -> None:
    """Check that the tensors fill the data without holes and overlaps, as the format demands."""
    end = start
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].size)):
        if tensor.start != end:
            raise BadInput(f"{label} is damaged: its tensor {_short(name)} is out of place.")
        end += tensor.size
    if end > size:
        raise BadInput(f"{label} is cut short: it has {size} of {end} bytes. Fetch it again.")
    if end < size:
        raise BadInput(f"{label} is damaged: {size - end} bytes follow its last tensor.")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")
