"""Datasets on a Gradio server through this client, against `gradio_client`: `make bench`.

Both speak to one embedded Gradio server in a process of its own, in pairs of which either goes
first in turn; the median of the pairs' ratios counts.

The baseline is what Gradio's own client does for the same call: `predict` of `/create_dataset`
with a list of files. Ours is the call that users make, of a folder that was scanned: it looks
what the server has, counts and digests what is sent, makes the dataset, and notes it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import gradio_client
import numpy as np
from PIL import Image
from slow_line import slow_line

import aitk_nb
from aitk_nb import demo

FILES = 50
EDGE = 836
"""Pixels; noise of this size is a PNG of 2 MB."""
BOXES = 150
RTT = 0.05
"""Seconds there and back on the slow line."""
NEAR, FAR, FIRST = 5, 3, 9
"""Pairs of runs: on loopback, on the slow line, and of the first call."""


def main() -> int:
    """Print the figures; return 1 when one of them misses its limit."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory(prefix="aitk-nb-bench-") as made:
        here = Path(made)
        os.environ["AITK_JOURNAL"] = str(here / "journal")
        photos = aitk_nb.LocalDataset(_photos(here / "photos", FILES)).check()
        few = aitk_nb.LocalDataset(_photos(here / "few", 2)).check()
        with demo.start_gradio(here / "server") as server, slow_line(server.url, RTT) as line:
            missed = _datasets("on loopback", server.url, photos, NEAR, 1.8)
            missed |= _datasets(f"with {RTT * 1e3:.0f} ms there and back", line, photos, FAR, 6)
            missed |= _first_call(server.url, few)
    return int(missed)


def _datasets(where: str, url: str, photos: aitk_nb.LocalDataset, times: int, least: float) -> bool:
    theirs = _their_client(url)
    with aitk_nb.connect(url) as client:
        ours, bare = _pairs(
            lambda number: client.datasets.upload(photos, f"{where} {number}"),
            lambda _number: _their_call(theirs, photos),
            times,
        )
    theirs.close()
    ratio = median(b / o for o, b in zip(ours, bare, strict=True))
    _say(
        f"upload and create_dataset of {FILES} files, {photos.total_bytes / 1e6:.0f} MB, {where}: "
        f"medians of {times} pairs",
        f"  {median(ours):8.2f} s  aitk_nb",
        f"  {median(bare):8.2f} s  gradio_client",
        f"  {ratio:8.2f}    times faster (at least {least})",
    )
    return ratio < least


def _first_call(url: str, few: aitk_nb.LocalDataset) -> bool:
    def ours(number: int) -> None:
        with aitk_nb.connect(url) as client:
            client.datasets.upload(few, f"first {number}")

    def theirs(_number: int) -> None:
        client = _their_client(url)
        _their_call(client, few)
        taken.append(client)  # closing waits for its heartbeat, which nobody times

    taken: list[gradio_client.Client] = []
    mine, bare = _pairs(ours, theirs, FIRST)
    for client in taken:
        client.close()
    ratio = median(o / b for o, b in zip(mine, bare, strict=True))
    _say(
        f"connecting, and a first dataset of 2 files: medians of {FIRST} pairs",
        f"  {median(mine):8.2f} s  connect() and upload",
        f"  {median(bare):8.2f} s  Client() and predict",
        f"  {ratio:8.2f}    of its time (at most 1.2)",
    )
    return ratio > 1.2


def _pairs(
    ours: Callable[[int], object], bare: Callable[[int], object], times: int
) -> tuple[list[float], list[float]]:
    """Time both in turn, after one run of each that does not count."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(times + 1):
        sides = list(zip(seconds, (ours, bare), strict=True))
        for runs, work in sides if number % 2 else reversed(sides):
            started = time.perf_counter()
            work(number)
            runs.append(time.perf_counter() - started)
    return seconds[0][1:], seconds[1][1:]


def _their_client(url: str) -> gradio_client.Client:
    return gradio_client.Client(
        url, token=False, verbose=False, analytics_enabled=False, download_files=False
    )


def _their_call(client: gradio_client.Client, photos: aitk_nb.LocalDataset) -> None:
    files = [gradio_client.handle_file(str(path)) for path in photos.files]
    client.predict(files, *[""] * BOXES, api_name="/create_dataset")


def _photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(1)
    for number in range(count):
        pixels = noise.integers(0, 256, (EDGE, EDGE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png", compress_level=1)
    return folder


def _say(*lines: str) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201  (a command)


if __name__ == "__main__":
    sys.exit(main())
