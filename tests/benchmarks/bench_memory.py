"""Memory of the client while it uploads much: `make bench`.

A process of its own imports aitk_nb, notes its size, scans a folder and uploads it to an embedded
server in another process; its peak above the size after the import must stay below `LIMIT`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

LIMIT = 150_000_000
"""Bytes."""
SMALL = 5_000
LARGE = 12
"""Images of 25 MB each."""


def main() -> int:
    """Print the figures; return 1 when one of them misses its limit."""
    missed = False
    with tempfile.TemporaryDirectory(prefix="aitk-nb-bench-") as made:
        here = Path(made)
        folders = {
            f"{SMALL} small images": _small(here / "small"),
            f"{LARGE} images, 300 MB": _large(here / "large"),
        }
        with _server(here / "server") as url:
            for what, folder in folders.items():
                size = _measure(url, folder)
                line = f"upload of {what}: {size / 1e6:.0f} MB above the import (at most 150)"
                print(line)  # noqa: T201  (a command)
                missed |= size > LIMIT
    return int(missed)


def client(url: str, folder: str) -> None:
    """Scan and upload as a user does, and print by how many bytes the process grew at most."""
    import aitk_nb

    before = psutil.Process().memory_info().rss
    with aitk_nb.connect(url) as connected:
        info = connected.datasets.upload(folder)
    assert info.kept == 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes everywhere but on macOS.
    print(peak * (1 if sys.platform == "darwin" else 1024) - before)  # noqa: T201  (read back)


def _measure(url: str, folder: Path) -> int:
    command = [sys.executable, __file__, url, str(folder)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _small(folder: Path) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(SMALL):
        pixels = noise.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((256, 256)).save(folder / f"{number:05}.jpg", quality=60)
        (folder / f"{number:05}.txt").write_text(f"noise, number {number}", "utf-8")
    return folder


def _large(folder: Path) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(LARGE):
        pixels = noise.integers(0, 256, (2887, 2887, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png", compress_level=0)
    return folder


@contextlib.contextmanager
def _server(data: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "aitk_nb.cli", "serve", "--data", str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ}
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        client(*sys.argv[1:])
        sys.exit()
    sys.exit(main())
