"""How soon a grid of samples is there: `python tests/benchmarks/bench_samples.py`.

A job with 12 prompts at 20 steps on the embedded server; each picture is another photograph of
512 pixels with its thumbnail, as the trainer leaves them.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import aitk_nb  # noqa: E402
from aitk_nb import demo  # noqa: E402
from aitk_nb.views import sample_grid  # noqa: E402

PROMPTS, STEPS = 12, 20
SOON = 1.5
MOST = 2_000_000
T = TypeVar("T")


def main() -> int:
    """Print the figures, and return 1 if one of them misses what is promised."""
    if hasattr(os, "getloadavg"):
        _print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with demo.start() as server, aitk_nb.connect(server.url) as client:
        job = drawn(client, server.data)
        opened, grid = _timed(lambda: sample_grid(job))
        shown, page = _timed(grid.html)
        headless, picture = _timed(grid._repr_html_)
        saved, png = _timed(grid.png)
        seconds = opened + shown
        _print(f"{grid}: fetched in {opened:.2f} s, shown {shown:.2f} s later, {len(page):,} bytes")
        _print(f"opens in {seconds:.2f} s, at most {SOON:g}{_verdict(seconds, SOON)}")
        _print(f"headless: {len(picture):,} bytes, {headless:.2f} s instead of {shown:.2f} s")
        size = len(png)
        _print(f"PNG: {size:,} bytes in {saved:.2f} s, at most {MOST:,}{_verdict(size, MOST)}")
    return int(seconds > SOON or size > MOST)


def drawn(client: aitk_nb.AIToolkitClient, data: Path) -> aitk_nb.Job:
    """Return a job with all its samples."""
    dataset = client.datasets.upload(aitk_nb.example_photos(), "photos").name
    prompts = tuple(f"portrait {number} of an officer in uniform" for number in range(PROMPTS))
    job = client.jobs.start(
        aitk_nb.TrainingParams(
            name="drawn", dataset=dataset, steps=2, rank=4, resolution=(64,), prompts=prompts,
            sample_every=100,
        )
    )  # fmt: skip
    job.wait(every=0.1)
    folder = data / "output" / "drawn" / "samples"
    for old in folder.rglob("*.jpg"):
        old.unlink()
    (folder / ".thumbs").mkdir(exist_ok=True)
    photos = [
        Image.open(io.BytesIO(path.read_bytes()))
        for path in sorted(aitk_nb.example_photos().glob("*.jpg"))
    ]
    for step in range(STEPS):
        for prompt in range(PROMPTS):
            name = f"17__{step * 250:09d}_{prompt}.jpg"
            # Sharp like the photograph, and each another one.
            image = photos[prompt].resize((512, 512)).rotate(step)
            image.save(folder / name, quality=95)
            image.resize((300, 300)).save(folder / ".thumbs" / f"{name}.jpg", quality=90)
    return job


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.monotonic()
    result = work()
    return time.monotonic() - began, result


def _verdict(figure: float, limit: float) -> str:
    return "" if figure <= limit else "  MISSED"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
