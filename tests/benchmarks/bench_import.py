"""How long `import aitk_nb` and `aitk-nb --version` take, against `import gradio_client`.

Run by `make bench`. Each run is a new interpreter, started in turn, and the quickest of each kind
counts: all that can happen to a run makes it slower. The interpreter's own start is part of all.
"""

from __future__ import annotations

import subprocess
import sys
import time

RUNS = 11

THEIRS = "import gradio_client"
LIMITS = {
    "import aitk_nb; aitk_nb.connect; aitk_nb.TrainingParams": 0.7,
    "import sys; sys.argv[1:] = ['--version']; from aitk_nb.cli import main; main()": 0.6,
}


def main() -> int:
    """Print the figures; return 1 if one of ours takes more than its limit allows."""
    seconds: dict[str, list[float]] = {code: [] for code in (*LIMITS, THEIRS, "pass")}
    for code in seconds:
        _run(code)  # compiles what was never imported before
    for _ in range(RUNS):
        for code, runs in seconds.items():
            runs.append(_run(code))
    best = {code: min(runs) for code, runs in seconds.items()}
    lines = [f"import: the quickest of {RUNS} interpreters each, in turn"]
    lines += [f"  {best[code] * 1000:6.0f} ms  {code}" for code in seconds]
    ratios = {code: best[code] / best[THEIRS] for code in LIMITS}
    lines += [f"  {ratios[code]:9.2f}  of {THEIRS} (at most {LIMITS[code]})" for code in LIMITS]
    print("\n".join(lines))  # noqa: T201  (a command)
    return int(any(ratios[code] > limit for code, limit in LIMITS.items()))


def _run(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
