"""How fast losses come and are drawn: `python tests/benchmarks/bench_losses.py`.

Each figure stands beside its baseline of the same run: a bare loop of the same requests, and
matplotlib with the raw points. Both are timed in turn, and the median of the ratios counts: what
else the machine does, which is told by its load, meets both.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

import aitk_nb  # noqa: E402
from aitk_nb import demo  # noqa: E402
from aitk_nb.losses.history import LossHistory  # noqa: E402
from aitk_nb.models.loss import LossColumns  # noqa: E402
from aitk_nb.views.plots.loss_plot import plot_loss  # noqa: E402
from tests.backends.test_long_losses import fill  # noqa: E402

RUNS = 15
FETCHES = 5  # each takes seconds
LIMITS = {"fetch": 1.3, "figure of four": 1 / 3, "live redraw": 0.5}


def main() -> int:
    """Print the figures, and return 1 if they are worse than promised."""
    if hasattr(os, "getloadavg"):
        _print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    ratios = {"fetch": _fetch()}
    four = [_history(100_000, seed) for seed in range(4)]
    ratios["figure of four"] = _ratio(
        "figure of four", lambda: plot_loss(four).png(), lambda: _raw(four)
    )
    ratios["live redraw"] = _live(_history(200_000, 9))
    size = len(plot_loss(four).png())
    _print(f"PNG of four: {size / 1000:.1f} kB")
    return int(size >= 100_000 or any(ratios[name] > LIMITS[name] for name in LIMITS))


def _fetch() -> float:
    config = {"job": "extension", "config": {"name": "long", "process": [{"type": "x"}]}}
    body = {"id": None, "name": "long", "gpu_ids": "0", "job_config": config}
    with tempfile.TemporaryDirectory() as folder, demo.start(Path(folder)) as server:
        job_id = httpx.post(f"{server.url}/api/jobs", json=body).json()["id"]
        (server.data / "output" / "long").mkdir(parents=True)
        fill(server.data / "output" / "long" / "loss_log.db")
        pages = [
            {"key": key, "limit": 20_000, "since_step": page * 20_000 - 1}
            for key in ("learning_rate", "loss/loss")
            for page in range(13)
        ]
        path = f"/api/jobs/{job_id}/loss"
        with aitk_nb.connect(server.url) as client, httpx.Client(base_url=server.url) as http:
            job = client.jobs.get("long")

            def bare() -> None:
                http.get(path, params={"limit": 1}).json()
                for page in pages:
                    http.get(path, params=page).json()

            return _ratio("fetch", lambda: job.losses(), bare, FETCHES)


def _history(count: int, seed: int) -> LossHistory:
    steps = np.arange(count)
    noise = np.random.default_rng(seed).gamma(2, 0.05, count)
    values = (0.3 + np.exp(-steps / count * 4) + noise).tolist()
    columns = LossColumns(steps.tolist(), (1.7e9 + steps).tolist(), values)
    return LossHistory({"loss/loss": columns}, f"run {seed}")


def _raw(histories: list[LossHistory]) -> None:
    figure = Figure((7, 3.5), 150)
    axes = figure.add_subplot()
    for history in histories:
        axes.plot(*history.columns())
    figure.savefig(io.BytesIO(), format="png")


def _live(history: LossHistory) -> float:
    figure = Figure((7, 3.5), 150)
    axes = figure.add_subplot()
    (line,) = axes.plot(*history.columns())

    def redraw() -> None:
        line.set_data(*history.columns())
        figure.savefig(io.BytesIO(), format="png")

    plot = plot_loss(history)

    def ours() -> None:
        plot.redraw(history, title="Loss of run 9: running")
        plot.png()

    return _ratio("live redraw", ours, redraw)


def _ratio(
    name: str, ours: Callable[[], object], baseline: Callable[[], object], runs: int = RUNS
) -> float:
    ours()  # what is made once, such as a font's letters, is no part of it
    pairs = [(_seconds(ours), _seconds(baseline)) for _ in range(runs)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / two for one, two in pairs)
    verdict = "" if ratio <= LIMITS[name] else "  MISSED"
    _print(
        f"{name}: {mine:.3f} s, baseline {other:.3f} s, ratio {ratio:.2f}, "
        f"at most {LIMITS[name]:.2f}{verdict}"
    )
    return ratio


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
