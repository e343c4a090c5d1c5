"""`in_parallel`: one function over many files, a few at a time, with progress."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

__all__ = ["in_parallel"]

Result = TypeVar("Result")
Item = TypeVar("Item", Path, tuple[Path, Path])


def in_parallel(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    sizes: Sequence[int],
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Return the function's result for each item, in their order.

    `progress` gets the bytes done and in all. After an error, or Ctrl-C, nothing more is begun.
    """
    results: list[Result] = []
    done, total = 0, sum(sizes)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        try:
            for result, size in zip(pool.map(function, items), sizes, strict=True):
                results.append(result)
                done += size
                if progress is not None:
                    progress(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results
