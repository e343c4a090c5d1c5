"""How long `import aitk_nb` takes, against `import gradio_client`: `make bench`.

Each run is a new interpreter, started in turn, and the quickest of each kind counts: all that can
happen to a run makes it slower. The interpreter's own start is part of both.
"""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 11
LIMIT = 0.8

OURS = "import aitk_nb; aitk_nb.connect; aitk_nb.TrainingParams"
THEIRS = "import gradio_client"
NOTHING = "pass"


def main() -> int:
    """Print the figures; return 1 when ours takes more than the limit allows."""
    seconds: dict[str, list[float]] = {OURS: [], THEIRS: [], NOTHING: []}
    for code in seconds:
        _run(code)  # compiles what was never imported before
    for _ in range(RUNS):
        for code, runs in seconds.items():
            runs.append(_run(code))
    best = {code: min(runs) for code, runs in seconds.items()}
    ratio = best[OURS] / best[THEIRS]
    lines = [f"import: the quickest of {RUNS} interpreters each, in turn"]
    lines += [f"  {best[code] * 1000:6.0f} ms  {code}" for code in seconds]
    lines += [f"  {ratio:9.2f}  of gradio_client's time (at most {LIMIT})"]
    print("\n".join(lines))  # noqa: T201  (a command)
    return int(ratio > LIMIT)


def _run(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
