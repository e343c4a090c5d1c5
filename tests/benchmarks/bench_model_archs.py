"""How fast a list of architectures is read: `python tests/benchmarks/bench_model_archs.py`.

Processor time counts, so that it does not matter what else the machine does. Each text has 2 MB,
which is the most that is read: entries as the server writes them, and texts that are made to be
slow.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from aitk_nb.backends.webui.model_archs import LARGEST, entries  # noqa: E402
from aitk_nb.demo.webui.model_archs import code  # noqa: E402

LIMIT = 1.0
"""Seconds."""

_LIST = "const AI_TOOLKIT_UI_MODELS = ["
_SCRAPS = {
    "brackets": "[",
    "braces": "const x = {",
    "functions": "const x=()=>{",
    "escapes": '\\"',
    "quotes": '"\\"\n',
    "templates": "`${",
    "comments": "/*",
    "constants": "const a=1;",
    "pairs": "{a:[1]x},",
}


def main() -> int:
    """Print the seconds of each text, and return 1 if one takes too long."""
    module = code("diffusion_models")
    texts = {"entries": module + module.replace("AI_TOOLKIT_UI_MODELS", "others") * 60}
    texts |= {name: _LIST + scrap * LARGEST for name, scrap in _SCRAPS.items()}
    slowest = 0.0
    for name, text in texts.items():
        begun = time.process_time()
        found = entries(text[:LARGEST])
        seconds = time.process_time() - begun
        slowest = max(slowest, seconds)
        sys.stdout.write(f"{name}: {len(found)} entries, {seconds:.2f} s\n")
    return int(slowest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
