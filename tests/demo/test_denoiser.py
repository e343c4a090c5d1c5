"""The model: its gradients, its adapters, and what training does to its loss."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aitk_nb.demo.trainer import flow, patches
from aitk_nb.demo.trainer.adamw import AdamW, AdamWOptions
from aitk_nb.demo.trainer.denoiser import Denoiser, Floats, Shape
from tests.demo.trainings import learn

SMALL = Shape(inner=12, outer=7, rank=3, alpha=6)


def _stirred(shape: Shape = SMALL, dtype: Any = np.float64) -> Denoiser:
    denoiser = Denoiser(shape, seed=0, dtype=dtype)
    rng = np.random.default_rng(5)
    denoiser.numbers += (0.2 * rng.standard_normal(denoiser.numbers.size)).astype(dtype)
    return denoiser


def test_gradients_agree_with_finite_differences() -> None:
    """Every adapter's gradient is the slope of the loss, to seven digits in float64."""
    denoiser, rng = _stirred(), np.random.default_rng(1)
    x, target = rng.standard_normal((5, 12)), rng.standard_normal((5, 7))

    def loss() -> float:
        return float(np.square(denoiser.forward(x) - target).sum())

    denoiser.backward(2 * (denoiser.forward(x) - target))
    exact, step = denoiser.gradient.copy(), 1e-5
    for at in rng.choice(exact.size, 200, replace=False):
        middle = denoiser.numbers[at]
        denoiser.numbers[at] = middle + step
        above = loss()
        denoiser.numbers[at] = middle - step
        below = loss()
        denoiser.numbers[at] = middle
        slope = (above - below) / (2 * step)
        assert abs(slope - exact[at]) <= 1e-7 * max(1, abs(slope), float(np.abs(exact).max()))


@pytest.mark.parametrize("kind", ["sigmoid", "weighted"])
def test_the_gradient_of_the_flow_agrees_with_finite_differences(kind: str) -> None:
    """The loss that is logged is the one whose gradient is followed."""
    grid, rng = patches.Grid(2, 2), np.random.default_rng(2)
    picture = flow.Picture(grid, rng.standard_normal((4, 192)).astype(np.float32), "")
    shown = flow.show(picture, flow.text_features("a cat"), kind, rng)
    answer = rng.standard_normal(shown.velocity.shape)
    _, gradient = shown.loss(answer)
    for row, column in rng.integers(0, answer.shape, (30, 2)):
        change = np.zeros_like(answer)
        change[row, column] = 1e-4
        slope = (shown.loss(answer + change)[0] - shown.loss(answer - change)[0]) / 2e-4
        assert slope == pytest.approx(gradient[row, column], rel=1e-4, abs=1e-9)


def test_adapters_change_nothing_at_first_and_the_base_is_always_the_same() -> None:
    """B begins at zero, and neither the seed nor the rank reaches the base."""
    x = np.random.default_rng(0).standard_normal((4, 12)).astype(np.float32)
    one = Denoiser(SMALL, seed=1).forward(x)
    other = Denoiser(Shape(12, 7, rank=5, alpha=1), seed=2).forward(x)
    assert np.array_equal(one, other)


def test_alpha_scales_what_the_adapters_add() -> None:
    """Twice the alpha adds twice as much where the network is linear: at its last layer."""

    def added(alpha: float) -> Floats:
        denoiser = Denoiser(Shape(12, 7, 3, alpha), seed=0, dtype=np.float64)
        x = np.random.default_rng(0).standard_normal((4, 12))
        before = denoiser.forward(x)
        denoiser.numbers[-7 * 3 :] = 0.5
        difference: Floats = denoiser.forward(x) - before
        return difference

    assert np.allclose(added(6), 2 * added(3))


@pytest.mark.parametrize("is_scaled", [False, True])
def test_a_file_holds_the_same_model(is_scaled: bool) -> None:
    """Alpha stands in it for the older models only, which are scaled by alpha over rank."""
    shape = Shape(12, 7, rank=3, alpha=6 if is_scaled else 3, is_scaled=is_scaled)
    trained = _stirred(shape)
    x = np.random.default_rng(0).standard_normal((4, 12))
    again = Denoiser(shape, seed=9, dtype=np.float64)
    again.load(trained.tensors())
    assert np.allclose(trained.forward(x), again.forward(x))
    alphas = {float(value) for name, value in trained.tensors().items() if name.endswith(".alpha")}
    assert alphas == ({6.0} if is_scaled else set())


def test_tensors_are_named_as_a_lora_file_has_them() -> None:
    """Each layer has an A (rank, in) and a B (out, rank)."""
    tensors = Denoiser(SMALL, seed=0).tensors()
    assert tensors["diffusion_model.patch_in.lora_A.weight"].shape == (3, 12)
    assert tensors["diffusion_model.final_layer.linear.lora_B.weight"].shape == (7, 3)
    assert {name.rsplit(".lora_", 1)[1] for name in tensors} == {"A.weight", "B.weight"}


def test_adamw_takes_its_first_step_at_the_full_rate_and_decays() -> None:
    """A first step is as long as the rate, whatever the gradient's size."""
    numbers = np.ones(3, np.float32)
    AdamW(3, AdamWOptions(rate=0.1)).step(numbers, np.array([5, -0.01, 0], np.float32))
    assert np.allclose(numbers, 0.999 + np.array([-0.1, 0.1, 0]), atol=1e-4)


def test_coefficients_keep_lengths_and_return_to_pixels() -> None:
    """The change of basis is orthonormal, and the overview is the mean of each part."""
    grid = patches.Grid(4, 2)
    pixels = np.random.default_rng(0).standard_normal((32, 16, 3)).astype(np.float32)
    coefficients = patches.encode(pixels, grid)
    assert np.linalg.norm(coefficients) == pytest.approx(np.linalg.norm(pixels), rel=1e-5)
    assert np.allclose(patches.decode(coefficients, grid), pixels, atol=1e-5)
    overview = (coefficients.reshape(1, -1) @ grid.overview).reshape(4, 4, 3)
    assert np.allclose(overview[1, 2, 0], pixels[8:16, 8:12, 0].mean(), atol=1e-5)


@pytest.mark.slow
def test_the_loss_falls(tmp_path: Path, photos: Path) -> None:
    """It falls at both ends of the usual rates, much at 1e-3 and visibly at 1e-4."""
    fast = learn(tmp_path / "fast", photos, train={"steps": 600}, network=_rank(16))
    slow = learn(tmp_path / "slow", photos, train={"steps": 400, "lr": 1e-4}, network=_rank(16))
    assert fast[-50:].mean() < 0.75 * fast[:20].mean()
    assert slow[-50:].mean() < 0.9 * slow[:20].mean()


@pytest.mark.slow
def test_a_higher_rank_learns_more(tmp_path: Path, photos: Path) -> None:
    """At equal steps, rank 64 ends below 16 below 4, by more than three standard deviations."""
    with ThreadPoolExecutor(2) as pool:
        futures = {
            rank: [pool.submit(_end, tmp_path, photos, rank, seed) for seed in range(3)]
            for rank in (64, 16, 4)
        }
        ends = {rank: [future.result() for future in some] for rank, some in futures.items()}
    for lower, higher in ((4, 16), (16, 64)):
        gap = np.mean(ends[lower]) - np.mean(ends[higher])
        assert gap > 3 * max(np.std(ends[lower], ddof=1), np.std(ends[higher], ddof=1)), ends


def _end(folder: Path, photos: Path, rank: int, seed: int) -> float:
    folder = folder / f"{rank}-{seed}"
    train = {"steps": 300, "lr": 5e-4}
    values = learn(folder, photos, train=train, network=_rank(rank), training_seed=seed)
    return float(values[-120:].mean())


@pytest.mark.parametrize("rate", [1e-2, 1e-1])
def test_a_rate_too_high_diverges(tmp_path: Path, photos: Path, rate: float) -> None:
    """From 1e-2 on, the loss ends above its first value or is no number."""
    values = learn(tmp_path, photos, train={"steps": 150, "lr": rate}, network=_rank(16))
    last = values[-50:].mean()
    assert not np.isfinite(last) or last > values[0]


def test_the_seed_decides_every_loss(tmp_path: Path, photos: Path) -> None:
    """The same seed gives the same losses bit for bit, and another seed others."""
    one, two, other = (
        learn(tmp_path / str(number), photos, training_seed=seed)
        for number, seed in enumerate((1, 1, 2))
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def _rank(rank: int) -> dict[str, int]:
    return {"linear": rank, "linear_alpha": rank}
