"""The safetensors format: a checked header, and whether the values behind it are sound.

A file is eight bytes (the header's length, little-endian), the header (JSON: for each tensor its
dtype, shape and place in the data; `__metadata__` maps strings to strings), then the data. The
format's own library checks the header. The values are read here, since files may be on a server,
of which only ranges are fetched, and since NumPy has no BF16.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

from aitk_nb.errors import BadInput

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Returns `length` bytes from `start` on: `read(start, length)`."""

_MAX_HEADER = 100_000_000  # the library rejects more as well, but only once it has all of them
_CHUNK = 1 << 22

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
_CODES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}

# How files begin that are often taken for one: what they are, and what to do.
_AGAIN = "download the file itself"
_ARCHIVE = rb"\x1f\x8b|7z\xbc\xaf|Rar!|\xfd7zXZ|\x28\xb5\x2f\xfd"
_PICKLE = "a pickle (.pt, .ckpt, .bin), which can run code when loaded: convert it to safetensors"
_BEGINNINGS = {
    rb"\0*$": f"empty, or zeros only, as a download that broke off: {_AGAIN} again",
    rb"version https://git-lfs": f"a Git LFS pointer: run 'git lfs pull', or {_AGAIN}",
    rb"\s*<(?i:!doctype|html|head|\?xml|!--)": f"a web page, as of a login or error: {_AGAIN}",
    rb"\s*[{\[]": f"JSON text, such as a server's error: {_AGAIN}",
    rb"PK\x03\x04": "a zip archive: unpack it, or convert it if it is PyTorch's (.pt, .ckpt, .bin)",
    rb"\x80[\x02-\x05]": _PICKLE,
    _ARCHIVE: "compressed, as by gzip: unpack it",
    rb"GGUF": "a GGUF file, a quantized model: get it as safetensors",
    rb"\x89PNG|\xff\xd8\xff|RIFF": f"a picture or video, such as a preview: {_AGAIN}",
}


class Incomplete(BadInput):
    """A file that ends before its header or its last tensor does, as while it is written."""


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
        """How many values it has."""
        return math.prod(self.shape)


def read_header(
    read: ReadAt, size: int, label: str
) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """Return the tensors and the metadata that the header of a file describes.

    Args:
        read: Reads the file.
        size: Bytes of the file.
        label: What to call the file in errors.

    Raises:
        BadInput: it is not a safetensors file, or not a complete one.
    """
    first = _exactly(read, 0, min(512, size), label)
    start = 8 + int.from_bytes(first[:8], "little")
    if start > min(size, _MAX_HEADER):
        if first[8:9] != b"{" or start > _MAX_HEADER:
            raise BadInput(_other_format(first, label, f"its header would have {start - 8} bytes"))
        raise Incomplete(
            f"{label} is incomplete: it has {size} bytes, and its header alone ends at byte "
            f"{start}. Download it again."
        )
    head = first[:start] + _exactly(read, len(first), max(0, start - len(first)), label)
    try:
        deserialize(head)  # type: ignore[no-untyped-call]
    except SafetensorError as exc:
        reason = str(exc).partition("deserializing: ")[2]
        # A sound header whose data are missing; the second wording is that of old versions.
        if not reason.startswith(("incomplete metadata", "MetadataIncomplete")):
            raise BadInput(_other_format(first, label, reason[:200])) from exc
    content = json.loads(head[8:])
    metadata = content.pop("__metadata__", None) or {}
    tensors = {name: _tensor(entry, start, label) for name, entry in content.items()}
    end = max((tensor.start + tensor.size for tensor in tensors.values()), default=start)
    if end > size:
        raise Incomplete(f"{label} is incomplete: it has {size} of {end} bytes. Download it again.")
    if end < size:
        raise BadInput(f"{label} is damaged: {size - end} bytes follow its last tensor.")
    return tensors, metadata


def _other_format(head: bytes, label: str, reason: str) -> str:
    """Return what the file is by its first bytes; else the reason why it is not safetensors."""
    known = (what for beginning, what in _BEGINNINGS.items() if re.match(beginning, head))
    what = next(known, "")
    return f"{label} is not a safetensors file" + (f", but {what}." if what else f": {reason}.")


def _tensor(entry: Any, start: int, label: str) -> Tensor:
    if not (isinstance(entry, dict) and isinstance(entry["dtype"], str)):
        # Other forms of JSON that the library's parser takes as well, and nobody writes.
        raise BadInput(f"{label} is not a safetensors file: a tensor is described unusually.")
    first, last = entry["data_offsets"]
    return Tensor(entry["dtype"], tuple(entry["shape"]), start + first, last - first)


def survey(read: ReadAt, tensor: Tensor, label: str) -> tuple[bool, bool]:
    """Return whether all values of `tensor` are finite, and whether all are zero.

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
    """Return the value of a tensor of one number; None if it has another form.

    Raises:
        BadInput: the file ends before the tensor does.
    """
    values = array(read, tensor, label) if tensor.count == 1 else None
    return None if values is None else float(values.flat[0])


def array(read: ReadAt, tensor: Tensor, label: str) -> npt.NDArray[Any] | None:
    """Return the values of a tensor in its shape; None if they are of another kind than numbers.

    Raises:
        BadInput: the file ends before the tensor does.
    """
    if tensor.dtype not in {*_CODES, "BF16"}:
        return None
    raw = np.frombuffer(_exactly(read, tensor.start, tensor.size, label), "<u1")
    if tensor.dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        return (raw.view("<u2").astype("<u4") << 16).view("<f4").reshape(tensor.shape)
    return raw.view(_CODES[tensor.dtype]).reshape(tensor.shape)


def _exactly(read: ReadAt, start: int, length: int, label: str) -> bytes:
    data = read(start, length)
    if len(data) != length:
        raise Incomplete(f"{label} is incomplete: can't read byte {start + len(data)}.")
    return data
