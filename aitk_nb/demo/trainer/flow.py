"""Flow matching on patches: what the denoiser is shown, what it should say, and how it paints.

At time t a picture is `(1 - t) * picture + t * noise`, and what is learned is its velocity, noise -
picture. The denoiser says for each patch which picture it expects; how much of that counts against
what is seen follows from t by Bayes' rule, in closed form.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from aitk_nb.demo.trainer.denoiser import Denoiser, Floats
from aitk_nb.demo.trainer.patches import COEFFICIENTS, OVERVIEW, PLACE, Grid, spread

DRAWS = 4
"""Noisy versions of one picture in one step, at times spread evenly: this calms the loss."""
PATCHES = 16
"""Patches of each version that are looked at; more are in a picture only above 512 x 512."""
TEXT = 32
_TIME = 8
FEATURES = COEFFICIENTS + OVERVIEW * OVERVIEW * 3 + PLACE + _TIME + TEXT

# The part of a coefficient's spread that the base does not leave to the denoiser's expectation.
_DOUBT = 0.3
# What tells pictures apart is loud, and the noisy patch itself is low, so that little is enough.
_PATCH_GAIN, _OVERVIEW_GAIN, _PLACE_GAIN, _TEXT_GAIN = 0.15, 2.0, 3.0, 2.0
_EARLIEST = 0.02
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Picture:
    """A picture of the dataset, ready to be learned."""

    grid: Grid
    coefficients: Floats
    """Of all patches: (count, 192)."""
    caption: str


@dataclass(frozen=True)
class Question:
    """Rows for the denoiser, and how its answers F become the velocity: `base - weight * F`."""

    rows: Floats
    base: Floats
    weight: Floats


@dataclass(frozen=True)
class Shown:
    """One step's question, and the velocities that would be right."""

    question: Question
    velocity: Floats
    importance: Floats
    """How much the error of each row counts; 1 on average."""

    def loss(self, answer: Floats) -> tuple[float, Floats]:
        """Return the mean squared error of a denoiser's answer, and its gradient by it."""
        weight = self.question.weight
        error = self.question.base - weight * answer - self.velocity
        counted = error * self.importance
        gradient: Floats = counted * weight
        gradient *= gradient.dtype.type(-2 / error.size)
        return float(np.vdot(counted, error)) / error.size, gradient


def show(picture: Picture, text: Floats, kind: str, rng: np.random.Generator) -> Shown:
    """Return noisy versions of a picture at times of `kind`, as a question with its answer."""
    times = draw_times(kind, rng)
    grid, clean = picture.grid, picture.coefficients
    noise = rng.standard_normal((len(times), *clean.shape), dtype=np.float32)
    at = times.astype(np.float32)[:, None, None]
    noisy = clean + at * (noise - clean)
    chosen = np.arange(grid.count)
    if grid.count > PATCHES:
        chosen = rng.choice(grid.count, PATCHES, replace=False)
    question = ask(noisy, times, text, grid, chosen)
    velocity = (noise - clean)[:, chosen].reshape(-1, COEFFICIENTS)
    counts = np.repeat(importance(kind, times), len(chosen))[:, None].astype(np.float32)
    return Shown(question, velocity, counts)


def ask(
    noisy: Floats, times: Floats, text: Floats, grid: Grid, chosen: npt.NDArray[np.intp]
) -> Question:
    """Return what the denoiser is shown of pictures (n, count, 192) at `times` (n)."""
    t = times.astype(np.float32)[:, None]
    patch = noisy[:, chosen]
    seen, base, weight = _shares(t)
    overview = noisy.reshape(len(noisy), -1) @ grid.overview
    overview *= _OVERVIEW_GAIN / np.sqrt((1 - t) ** 2 * 0.3 + t**2 * grid.overview_noise)
    common = [overview, _clock(t), np.broadcast_to(text, (len(noisy), TEXT))]
    rows = np.empty((len(noisy), len(chosen), FEATURES), np.float32)
    rows[..., :COEFFICIENTS] = patch * (_PATCH_GAIN * seen)[:, None]
    rows[..., COEFFICIENTS : COEFFICIENTS + PLACE] = grid.places[chosen] * _PLACE_GAIN
    rows[..., COEFFICIENTS + PLACE :] = np.concatenate(common, 1)[:, None]
    return Question(
        rows.reshape(-1, FEATURES),
        (patch * base[:, None]).reshape(-1, COEFFICIENTS),
        np.repeat(weight, len(chosen), 0),
    )


def draw_times(kind: str, rng: np.random.Generator) -> Floats:
    """Return the times of one picture's versions, distributed as `timestep_type` says."""
    even = np.clip((np.arange(DRAWS) + rng.random(DRAWS)) / DRAWS, 1e-6, 1 - 1e-6)
    if kind == "sigmoid":
        normal = np.array([_NORMAL.inv_cdf(float(u)) for u in even])
        even = 1 / (1 + np.exp(-normal))
    elif "shift" in kind:
        even = 3 * even / (1 + 2 * even)
    times: Floats = np.maximum(even, _EARLIEST)
    return times


def importance(kind: str, times: Floats) -> Floats:
    """Return how much each time counts: the middle most if `weighted`, else all the same."""
    if kind != "weighted":
        return np.ones_like(times)
    bell: Floats = np.exp(-2 * (times - 0.5) ** 2) - np.exp(-0.5)
    return bell / 0.2489  # its mean from 0 to 1


def text_features(text: str) -> Floats:
    """Return what the denoiser sees of a text: the mean of its words, each at random but fixed."""
    total = np.zeros(TEXT)
    for word in "".join(c if c.isalnum() else " " for c in text.lower()).split():
        total = total + _word(word)
    length = float(np.linalg.norm(total))
    if length:
        total = total * (_TEXT_GAIN * np.sqrt(TEXT) / length)
    return total.astype(np.float32)


@lru_cache(maxsize=10_000)
def _word(word: str) -> Floats:
    seed = zlib.crc32(word.encode("utf-8", "replace"))
    vector: Floats = np.random.default_rng(seed).standard_normal(TEXT)
    return vector


def paint(denoiser: Denoiser, prompt: str, grid: Grid, seed: int, steps: int) -> Floats:
    """Return coefficients (count, 192): from noise along the learned velocities, in Euler steps."""
    *_, painted = paint_steps(denoiser, prompt, grid, seed, steps)
    return painted


def paint_steps(
    denoiser: Denoiser, prompt: str, grid: Grid, seed: int, steps: int
) -> Iterator[Floats]:
    """Yield the coefficients after each step of `paint`."""
    rng = np.random.default_rng([seed, 4])
    state: Floats = rng.standard_normal((1, grid.count, COEFFICIENTS), dtype=np.float32)
    text, everywhere = text_features(prompt), np.arange(grid.count)
    times = np.linspace(1, 0, max(steps, 1) + 1)
    for now, then in pairwise(times.tolist()):
        question = ask(state, np.array([now]), text, grid, everywhere)
        velocity = question.base - question.weight * denoiser.forward(question.rows)
        state = state + np.float32(then - now) * velocity
        painted: Floats = state[0]
        yield painted


def _shares(t: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, by coefficient, what makes a noisy one as large as 1, and the shares of velocity.

    If a coefficient is normal about `m` with deviation `d`, the expected velocity at x is
    `(t - (1 - t) * d**2) / q * x - t / q * m`, with `q = (1 - t)**2 * d**2 + t**2`.
    """
    wide, rest = spread(), (1 - t) ** 2
    doubt = (_DOUBT * wide) ** 2
    q = rest * doubt + t**2
    seen = 1 / np.sqrt(rest * wide**2 + t**2)
    return seen, (t - (1 - t) * doubt) / q, t * wide / q


def _clock(t: Floats) -> Floats:
    angle = t * (np.pi / 2 * np.array([1, 2, 4, 8], np.float32))
    return np.concatenate([np.sin(angle), np.cos(angle)], 1)
