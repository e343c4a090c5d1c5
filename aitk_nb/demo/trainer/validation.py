"""The validation loss of a job, as AI Toolkit's `setup_validation` and `validate` measure it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from aitk_nb.demo.trainer import flow
from aitk_nb.demo.trainer.config import JobConfig
from aitk_nb.demo.trainer.denoiser import Denoiser, Floats
from aitk_nb.demo.trainer.patches import COEFFICIENTS
from aitk_nb.demo.trainer.photographs import pictures

_SIGMAS = (1.0, 0.75, 0.5, 0.25)


@dataclass(frozen=True)
class _Item:
    picture: flow.Picture
    text: Floats
    noise: Floats


@dataclass
class Validation:
    """The images that are not trained, each with the same noise at each time."""

    items: Sequence[_Item] = ()
    every: int = 0
    sigmas: Sequence[float] = _SIGMAS
    _logged: dict[str, float] = field(default_factory=dict)

    def measure(self, denoiser: Denoiser, step: int, start: int) -> None:
        """Measure the loss at a step of a run that began at `start`, if it is due."""
        if self.items and (step == start or (self.every and step % self.every == 0)):
            self._logged = {"val/loss": fmean(self._loss(denoiser, item) for item in self.items)}

    def taken(self) -> dict[str, float]:
        """Return what waits for the next step that is logged, once."""
        logged, self._logged = self._logged, {}
        return logged

    def _loss(self, denoiser: Denoiser, item: _Item) -> float:
        grid, clean = item.picture.grid, item.picture.coefficients
        times = np.array(self.sigmas)
        at = times.astype(np.float32)[:, None, None]
        question = flow.ask(
            clean + at * (item.noise - clean), times, item.text, grid, np.arange(grid.count)
        )
        said = question.base - question.weight * denoiser.forward(question.rows)
        error = said.reshape(len(times), *clean.shape) - (item.noise - clean)
        return float(np.mean(np.square(error, dtype=np.float64)))


def load(config: JobConfig, say: Callable[[str], None]) -> Validation:
    """Return what a job validates on: nothing if its config says nothing of it."""
    process = config.raw["config"]["process"][0]
    wanted: dict[str, Any] | None = (process.get("train") or {}).get("validation_config")
    if wanted is None:
        return Validation()
    items = []
    for item in wanted.get("validation_items", []):
        path = item.get("image_path", "")
        if not path:
            say("Skipping validation item with no image")
        elif not Path(path).exists():
            say(f"Skipping validation item, image not found: {path}")
        else:
            items.append((Path(path), str(item.get("prompt", ""))))
    if not items:
        say("Validation config has no valid validation_items, skipping validation")
        return Validation()
    say(f"Caching validation latents and embeddings for {len(items)} images")
    loaded = []
    for number, (file, prompt) in enumerate(items):
        # The trigger takes the place of [trigger], and is not added elsewhere.
        text = prompt.replace("[trigger]", config.trigger) if config.trigger else prompt
        _, (picture,) = pictures(file, text, int(wanted.get("resolution", 512)))
        rng = np.random.default_rng(42 + number)
        noise = rng.standard_normal((picture.grid.count, COEFFICIENTS), dtype=np.float32)
        loaded.append(_Item(picture, flow.text_features(text), noise))
    every = wanted.get("validate_every_n_steps", 10) or 0
    return Validation(loaded, int(every), tuple(wanted.get("validation_sigmas", _SIGMAS)))
