"""Images that are there twice: the same bytes, or the same look.

Looks are compared by dHash, which records for a tiny gray image whether each pixel is brighter
than its neighbor (Neal Krawetz, "Kind of Like That", hackerfactor.com, January 2013); here to the
right and downwards, 128 bits in all. Scaling, recompression and changed brightness keep most bits.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from aitk_nb._files import sha256
from aitk_nb.errors import AitkError

CLOSE = 8
"""Bits of 128 by which two images may differ and still look the same."""
_SIDE = 8
_CONTRAST = 12
"""Gray levels, of 256, below which an image is a plain area."""
_BLOCK = 256
_COPY = re.compile(
    r"(?<![^\W_])(copy|copie|copia|cópia|kopie|kopia|kopio|kopi|копия|コピー|副本|복사본)(?![^\W_])"
    r"|\(\d+\)$",
    re.IGNORECASE,
)
"""What file managers and browsers put into the name of a copy."""


def dhash(gray: Image.Image) -> int | None:
    """Return 128 bits of a gray image; None if it is too plain to have features."""
    across = gray.resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    low, high = across.getextrema()
    if float(high) - float(low) < _CONTRAST:  # type: ignore[arg-type]
        return None
    down = gray.resize((_SIDE, _SIDE + 1), Image.Resampling.BOX)
    right = np.asarray(across, dtype=np.int16)
    below = np.asarray(down, dtype=np.int16)
    bits = np.concatenate(
        [(right[:, 1:] > right[:, :-1]).ravel(), (below[1:] > below[:-1]).ravel()]
    )
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near(hashes: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    """Yield for each image that looks like an earlier one: its index, and the first such one's.

    An image that was yielded is not compared with later ones.
    """
    known = [index for index, value in enumerate(hashes) if value is not None]
    if len(known) < 2:
        return
    raw = b"".join((hashes[index] or 0).to_bytes(16, "big") for index in known)
    words = np.frombuffer(raw, dtype=">u2").reshape(len(known), 8).astype(np.uint16)
    ones = np.array([value.bit_count() for value in range(2**16)], dtype=np.uint8)
    taken = np.zeros(len(known), dtype=bool)
    for start in range(0, len(known), _BLOCK):
        block = words[start : start + _BLOCK]
        apart = np.zeros((len(block), len(known)), dtype=np.uint16)
        for column in range(8):
            apart += ones[block[:, None, column] ^ words[None, :, column]]
        for row, distances in enumerate(apart):
            here = start + row
            if taken[here]:
                continue
            for later in np.flatnonzero(distances[here + 1 :] <= CLOSE) + here + 1:
                if not taken[later]:
                    taken[later] = True
                    yield known[int(later)], known[here]


def originals_first(paths: Iterable[Path]) -> list[Path]:
    """Return the files, those whose names say that they are originals before copies."""
    # "cat 2", "cat-1" and the copies of other languages are longer than "cat".
    return sorted(paths, key=lambda path: (bool(_COPY.search(path.stem)), len(path.stem)))


def same_bytes(files: Iterable[tuple[Path, int]]) -> dict[Path, Path]:
    """Return for each file with the content of an earlier one: the first of that content.

    Takes files and their sizes in bytes; only files that share a size are read.
    """
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path, size in files:
        by_size[size].append(path)
    first: dict[str, Path] = {}
    found: dict[Path, Path] = {}
    for path in (path for paths in by_size.values() if len(paths) > 1 for path in paths):
        try:
            original = first.setdefault(sha256(path), path)
        except AitkError:
            continue
        if original != path:
            found[path] = original
    return found
