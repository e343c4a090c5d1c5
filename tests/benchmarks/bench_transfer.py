"""Upload through the client against bare httpx, download against curl: `make bench`.

Both speak to one embedded server in a process of its own, in pairs of which either goes first in
turn; the median of the pairs' ratios counts, since client and server share what the machine has
left just then.

The bare baseline is what somebody would write in ten lines: one `httpx.Client` that keeps its
connections, with one POST per file from eight threads and the open file in `files=`. The download
is one GET without ranges by curl, whose file is read once more for its SHA-256, which is what ours
tells too; curl alone, which proves nothing, is shown beside it.
Ours is the call that users make, of a folder that was scanned: it looks which files the server
has, counts and digests what is sent, notes the digests, reads the dataset back and some of its
files too; the download goes to a temporary name. Scanning decodes every image to its end, sends
nothing, and is timed by itself.

The same upload called again sends nothing, and is held against the first call.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import quote

import httpx
import numpy as np
from PIL import Image

import aitk_nb

FILES = 50
EDGE = 836
"""Pixels; noise of this size is a PNG of 2 MB."""
BYTES = 200_000_000
THREADS = 8
UPLOADS = 9
DOWNLOADS = 30
"""Runs of each side: the shorter one is, the more of them it takes to see through the noise."""
JOB = "big"


def main() -> int:
    """Print the figures; return 1 when one of them misses its limit."""
    with tempfile.TemporaryDirectory(prefix="aitk-nb-bench-") as made:
        here = Path(made)
        folder = _photos(here / "photos")
        photos = _scan(folder)
        with _server(here / "server") as url, httpx.Client(base_url=url, timeout=60) as http:
            client = aitk_nb.connect(url)
            lora = _lora(http, here / "server")
            job = client.jobs.get(JOB)
            sent = sum(path.stat().st_size for path in folder.glob("*.png"))
            missed = _compare(
                f"upload of {FILES} files, {sent / 1e6:.0f} MB",
                sent,
                0.85,
                UPLOADS,
                ours=lambda number: _upload(client, photos, f"ours{number}"),
                bare=lambda number: _bare_upload(http, folder, f"bare{number}"),
                baseline="bare httpx",
                tidy=lambda: _empty(here / "server" / "datasets"),
            )
            missed |= _again(client, photos, lambda: _empty(here / "server" / "datasets"))
            for baseline, least in (("curl and the SHA-256", 0.9), ("curl alone", 0.0)):
                missed |= _compare(
                    f"download of {BYTES / 1e6:.0f} MB",
                    BYTES,
                    least,
                    DOWNLOADS,
                    ours=lambda number: _download(job, here / f"ours{number}"),
                    bare=lambda number, proven=bool(least): _curl(  # type: ignore[misc]
                        f"{url}{lora}", here / f"bare{number}", proven=proven
                    ),
                    baseline=baseline,
                    tidy=lambda: _drop(here),
                )
    return int(missed)


def _compare(
    what: str,
    size: int,
    limit: float,
    times: int,
    *,
    ours: Callable[[int], object],
    bare: Callable[[int], object],
    tidy: Callable[[], object],
    baseline: str,
) -> bool:
    """Time both in turn, print the figures, and return whether the limit was missed."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(times):
        sides = list(zip(seconds, (ours, bare), strict=True))
        for runs, work in sides if number % 2 else reversed(sides):
            started = time.perf_counter()
            work(number)
            runs.append(time.perf_counter() - started)
            tidy()
    mine, theirs = (size / median(runs) / 1e6 for runs in seconds)
    ratio = median(bare / ours for ours, bare in zip(*seconds, strict=True))
    lines = [
        f"{what}: medians of {times} pairs of runs",
        f"  {mine:6.0f} MB/s  aitk_nb",
        f"  {theirs:6.0f} MB/s  {baseline}",
        f"  {ratio:11.2f}  of its throughput{f' (at least {limit})' if limit else ''}",
    ]
    print("\n".join(lines))  # noqa: T201  (a command)
    return ratio < limit


class _Sent:
    """Remembers how much was sent."""

    most = 0

    def __call__(self, done: int, _total: int) -> None:
        self.most = max(self.most, done)


def _again(
    client: aitk_nb.AIToolkitClient, photos: aitk_nb.LocalDataset, tidy: Callable[[], object]
) -> bool:
    """Time first and second calls, print the figures, and return whether the limit was missed."""
    shares = []
    for number in range(UPLOADS):
        heard = _Sent()
        started = time.perf_counter()
        _upload(client, photos, f"again{number}")
        between = time.perf_counter()
        info = client.datasets.upload(photos, f"again{number}", progress=heard)
        shares.append((time.perf_counter() - between) / (between - started))
        assert (0, FILES, 0) == (info.sent, info.kept, heard.most)
        tidy()
    share = median(shares)
    lines = [
        f"the same upload again: median of {UPLOADS}, no byte of a file sent",
        f"  {share:11.3f}  of the time of the first (at most 0.1)",
    ]
    print("\n".join(lines))  # noqa: T201  (a command)
    return share > 0.1


def _scan(folder: Path) -> aitk_nb.LocalDataset:
    started = time.perf_counter()
    photos = aitk_nb.LocalDataset(folder).check()
    rate = photos.total_bytes / (time.perf_counter() - started) / 1e6
    print(f"scan of {FILES} images:\n  {rate:6.0f} MB/s  aitk_nb")  # noqa: T201  (a command)
    return photos


def _upload(client: aitk_nb.AIToolkitClient, photos: aitk_nb.LocalDataset, dataset: str) -> None:
    assert client.datasets.upload(photos, dataset).sent == FILES


def _bare_upload(http: httpx.Client, folder: Path, dataset: str) -> None:
    def send(path: Path) -> None:
        with path.open("rb") as file:
            http.post(
                "/api/datasets/upload",
                data={"datasetName": dataset},
                files={"files": (path.name, file, "application/octet-stream")},
            ).raise_for_status()

    http.post("/api/datasets/create", json={"name": dataset}).raise_for_status()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(send, sorted(folder.glob("*.png"))))


def _download(job: aitk_nb.Job, folder: Path) -> None:
    assert job.download(folder).size == BYTES


def _curl(url: str, folder: Path, *, proven: bool) -> None:
    folder.mkdir()
    target = folder / "lora"
    subprocess.run(["curl", "--silent", "--fail", "--output", target, url], check=True)
    assert target.stat().st_size == BYTES
    if proven:
        with target.open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()


def _photos(folder: Path) -> Path:
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(FILES):
        pixels = noise.integers(0, 256, (EDGE, EDGE, 3), dtype=np.uint8)
        # Noise does not get smaller, so that the quickest compression is as good as any.
        Image.fromarray(pixels).save(folder / f"{number:02d}.png", compress_level=1)
    return folder


def _lora(http: httpx.Client, data: Path) -> str:
    """Make a job with a large file, and return the file's address."""
    row = {"name": JOB, "gpu_ids": "0", "job_config": {}}
    http.post("/api/jobs", json=row).raise_for_status()
    file = data / "output" / JOB / f"{JOB}.safetensors"
    file.parent.mkdir()
    with file.open("wb") as stream:
        piece = os.urandom(1_000_000)
        for _ in range(BYTES // len(piece)):
            stream.write(piece)
    return f"/api/files/{quote(str(file.resolve()), safe='')}"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


def _drop(folder: Path) -> None:
    for path in [*folder.glob("ours*"), *folder.glob("bare*")]:
        shutil.rmtree(path)


@contextlib.contextmanager
def _server(data: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "aitk_nb.cli", "serve", "--data", str(data)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
