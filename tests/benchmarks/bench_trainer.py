"""How fast the demo trainer is: `python tests/benchmarks/bench_trainer.py`.

It trains 1000 steps on a dozen small photographs in a process of its own, with samples and saves,
and compares that with the baseline: the matrix products of as many steps, and nothing else, in
NumPy on one core. The least of several runs counts, as other work on the machine only adds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# Before NumPy is imported, which reads it once.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from aitk_nb import example_photos  # noqa: E402
from aitk_nb.demo.trainer import flow  # noqa: E402
from aitk_nb.demo.trainer.denoiser import Denoiser, Shape  # noqa: E402
from aitk_nb.demo.trainer.patches import COEFFICIENTS  # noqa: E402
from tests.demo.trainings import config, losses  # noqa: E402

STEPS, RANK, RUNS = 1000, 16, 5
LIMIT = 5.0


def main() -> int:
    """Print the figures, and return 1 if they are worse than promised."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        pictures = example_photos(work / "photos")
        train = min(_seconds(partial(_train, work / str(n), pictures)) for n in range(RUNS))
        values = list(losses(work / "0" / "tiny").values())
    products = min(_seconds(_products) for _ in range(RUNS))
    numbers = [value for value in values if value is not None]
    start, end = float(np.mean(numbers[:50])), float(np.mean(numbers[-50:]))
    _print(f"{STEPS} steps, rank {RANK}, 12 photographs, whole process: {train:.2f} s")
    _print(f"bare matrix products of these steps: {products:.2f} s")
    _print(f"ratio, trainer to products: {train / products:.2f}")
    _print(f"loss: {start:.3f} to {end:.3f}, ratio {end / start:.2f}")
    return int(train > LIMIT or end > 0.75 * start)


def _train(folder: Path, pictures: Path) -> None:
    folder.mkdir()
    job = config(
        folder,
        pictures,
        network={"linear": RANK, "linear_alpha": RANK},
        train={"steps": STEPS},
        save={"save_every": 250},
        sample={"sample_every": 500, "sample_steps": 30, "samples": [{"prompt": "[trigger]"}]},
    )
    path = folder / "job.json"
    path.write_text(json.dumps(job), "utf-8")
    subprocess.run(
        [sys.executable, "-m", "aitk_nb.demo.trainer", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )


def _products() -> None:
    rows = flow.DRAWS * flow.PATCHES
    model = Denoiser(Shape(flow.FEATURES, COEFFICIENTS, RANK, RANK), seed=0)
    rng = np.random.default_rng(0)
    layers = [
        tuple(
            rng.standard_normal(shape, dtype=np.float32)
            for shape in ((rows, a), (rows, b), (a, b), (a, RANK), (RANK, b))
        )
        for a, b in model.matrices
    ]
    for _ in range(STEPS):
        for x, dy, weight, down, up in layers:
            low = x @ down
            _ = (x @ weight, low @ up)
            d_low = dy @ up.T
            _ = (dy @ weight.T, d_low @ down.T, low.T @ dy, x.T @ d_low)


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
