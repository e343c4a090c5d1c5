"""How fast a thousand images are looked at: `python tests/benchmarks/bench_datasets.py`.

Each figure stands beside its baseline of the same run: the same pictures decoded small by Pillow
in as many threads, and nothing else done with them. The least of several runs counts.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from aitk_nb.datasets.local.dataset import LocalDataset  # noqa: E402
from aitk_nb.views import DatasetForm  # noqa: E402

MANY = 1000
RUNS = 3
LIMITS = {"scan": 2.0, "form": 2.5, "rescan": 0.5}


def main() -> int:
    """Print the figures, and return 1 if they are worse than promised."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder)
        decoded = _least(lambda: _decode(folder))
        scanned = LocalDataset(folder).check()
        ratios = {
            "scan": _least(lambda: LocalDataset(folder).check()) / decoded,
            "form": _least(lambda: _show(folder)) / decoded,
            "rescan": _least(scanned.rescan) / decoded,
        }
        sys.stdout.write(f"{MANY} pictures decoded by Pillow: {decoded:.2f} s\n")
    for what, ratio in ratios.items():
        verdict = "" if ratio <= LIMITS[what] else "  MISSED"
        line = f"{what}: {ratio * decoded:.2f} s, ratio {ratio:.2f}, at most {LIMITS[what]}"
        sys.stdout.write(f"{line}{verdict}\n")
    return int(any(ratios[what] > limit for what, limit in LIMITS.items()))


def _fill(folder: Path) -> None:
    chance = random.Random(1)
    for number in range(MANY):
        blotches = Image.new("RGB", (9, 7))
        blotches.putdata([tuple(chance.randbytes(3)) for _ in range(63)])
        picture = blotches.resize((1280, 960), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.jpg", quality=88)
        (folder / f"{number}.txt").write_text(f"picture {number}")


def _decode(folder: Path) -> None:
    def one(path: Path) -> None:
        with Image.open(path) as image:
            image.draft(None, (96, 96))
            image.load()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, folder.glob("*.jpg")))


def _show(folder: Path) -> None:
    form = DatasetForm(folder)
    form._repr_mimebundle_()
    form.close()


def _least(action: Callable[[], object]) -> float:
    found = []
    for _ in range(RUNS):
        began = time.perf_counter()
        action()
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    sys.exit(main())
