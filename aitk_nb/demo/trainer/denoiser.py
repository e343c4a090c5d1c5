"""The demo trainer's model: a frozen network of random weights, with a LoRA on every layer.

The base is the same for every job, as a downloaded base model is; only the adapters are trained.
With `scale = alpha / rank`, a layer answers `x W + scale * (x A') B'`, and B begins at zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""An array of float32 in training, of float64 where gradients are checked."""

WIDTH = 256
BLOCKS = 2
_BASE_SEED = 20260821
_OUT_GAIN = 0.3
# Without a slope on the negative side, a training job that diverges dies at the loss it began with.
_LEAK = 0.1


class Adapter:
    """One frozen linear layer with its LoRA; `down` and `up` are views into flat arrays."""

    def __init__(self, name: str, weight: Floats, scale: float) -> None:
        """Use `weight` of shape (in, out); `bind` gives it the adapter's numbers."""
        self.name = name
        self.weight = weight
        self._scale = weight.dtype.type(scale)
        self.down: Floats = weight[:0]
        self.up: Floats = weight[:0]
        self._down_gradient: Floats = weight[:0]
        self._up_gradient: Floats = weight[:0]
        self._seen: tuple[Floats, Floats] = (weight, weight)

    def size(self, rank: int) -> int:
        """Return how many numbers the adapter has."""
        return rank * sum(self.weight.shape)

    def bind(self, numbers: Floats, gradient: Floats, rank: int) -> None:
        """Keep the adapter in `numbers` and its gradient in `gradient`."""
        inner, outer = self.weight.shape
        cut = rank * inner
        self.down = numbers[:cut].reshape(rank, inner)
        self.up = numbers[cut:].reshape(outer, rank)
        self._down_gradient = gradient[:cut].reshape(rank, inner)
        self._up_gradient = gradient[cut:].reshape(outer, rank)

    def forward(self, x: Floats) -> Floats:
        """Return the layer's answer to rows `x`, and remember them for `backward`."""
        low = x @ self.down.T
        self._seen = (x, low)
        answer: Floats = x @ self.weight
        answer += (low * self._scale) @ self.up.T
        return answer

    def backward(self, dy: Floats, *, to_input: bool = True) -> Floats:
        """Add to the gradients, and return the gradient of what came in (if wanted)."""
        x, low = self._seen
        dy_scaled = dy * self._scale
        d_low = dy_scaled @ self.up
        self._up_gradient += dy_scaled.T @ low
        self._down_gradient += d_low.T @ x
        if not to_input:
            return dy
        dx: Floats = dy @ self.weight.T
        dx += d_low @ self.down
        return dx


@dataclass(frozen=True)
class Shape:
    """The sizes of a denoiser."""

    inner: int
    """Numbers that describe one patch and its surroundings."""
    outer: int
    """Numbers that are told of it."""
    rank: int
    alpha: float
    is_scaled: bool = False
    """Whether files hold alpha, as those of the older models do."""


class Denoiser:
    """A residual network with frozen weights, and the adapters that are trained."""

    def __init__(self, shape: Shape, seed: int, dtype: npt.DTypeLike = np.float32) -> None:
        """Make the base, always the same, and adapters that begin by `seed`."""
        self.shape = shape
        self._layers = _base(shape, np.dtype(dtype))
        count = sum(layer.size(shape.rank) for layer in self._layers)
        self.numbers: Floats = np.zeros(count, dtype)
        self.gradient: Floats = np.zeros(count, dtype)
        rng = np.random.default_rng([seed, 1])
        start = 0
        for layer in self._layers:
            part = slice(start, start + layer.size(shape.rank))
            layer.bind(self.numbers[part], self.gradient[part], shape.rank)
            bound = 1 / np.sqrt(layer.weight.shape[0])
            layer.down[:] = rng.uniform(-bound, bound, layer.down.shape)
            start = part.stop
        self._slopes: list[Floats] = []

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """The shapes of the frozen matrices, input first."""
        return [(layer.weight.shape[0], layer.weight.shape[1]) for layer in self._layers]

    def forward(self, x: Floats) -> Floats:
        """Return the answer to rows `x`."""
        self._slopes = []
        first, *hidden, last = self._layers
        state = first.forward(x)
        for one, two in zip(hidden[::2], hidden[1::2], strict=True):
            state = state + two.forward(self._bend(one.forward(self._bend(state))))
        return last.forward(self._bend(state))

    def backward(self, dy: Floats) -> None:
        """Add the gradient of the last `forward`, given the gradient of its answer."""
        first, *hidden, last = self._layers
        slopes = self._slopes
        state = last.backward(dy) * slopes[-1]
        for block in reversed(range(BLOCKS)):
            one, two = hidden[2 * block : 2 * block + 2]
            inner = two.backward(state) * slopes[2 * block + 1]
            state = state + one.backward(inner) * slopes[2 * block]
        first.backward(state, to_input=False)

    def tensors(self) -> dict[str, Floats]:
        """Return copies of the adapters as a LoRA file names them.

        Those of the older models have alpha; without it readers take it for the rank.
        """
        named: dict[str, Floats] = {}
        for layer in self._layers:
            down, up, alpha = self._names(layer)
            named |= {down: layer.down.copy(), up: layer.up.copy()}
            if self.shape.is_scaled:
                named[alpha] = np.array(self.shape.alpha, np.float32)
        return named

    def _names(self, layer: Adapter) -> tuple[str, str, str]:
        if self.shape.is_scaled:
            name = _scaled_name(layer.name)
            return f"{name}.lora_down.weight", f"{name}.lora_up.weight", f"{name}.alpha"
        return f"{layer.name}.lora_A.weight", f"{layer.name}.lora_B.weight", ""

    def load(self, tensors: Mapping[str, Floats]) -> list[str]:
        """Continue from the adapters of a file, and return the names that it lacks.

        Of another rank as much as fits is taken, and the rest is zero.
        """
        missing = []
        for layer in self._layers:
            names = self._names(layer)[:2]
            if lacking := [name for name in names if name not in tensors]:
                missing += lacking
                continue
            down, up = (tensors[name] for name in names)
            rank = min(len(down), self.shape.rank)
            layer.up[:] = 0
            layer.down[:rank] = down[:rank]
            layer.down[rank:] = 0
            layer.up[:, :rank] = up[:, :rank]
        return missing

    def merge(self, tensors: Mapping[str, Floats], strength: float) -> int:
        """Add a LoRA of any rank to the frozen weights, and return how many layers it has."""
        matched = 0
        for layer in self._layers:
            plain, scaled = f"{layer.name}.lora_A.weight", _scaled_name(layer.name)
            if plain in tensors:
                down, up, scale = tensors[plain], tensors[f"{layer.name}.lora_B.weight"], 1.0
            elif f"{scaled}.lora_down.weight" in tensors:
                down, up = (tensors[f"{scaled}.lora_{end}.weight"] for end in ("down", "up"))
                scale = float(tensors.get(f"{scaled}.alpha", np.array(len(down)))) / len(down)
            else:
                continue
            layer.weight = layer.weight + np.float32(strength * scale) * (up @ down).T
            matched += 1
        return matched

    def _bend(self, x: Floats) -> Floats:
        gate: Floats = 1 / (1 + np.exp(-x))
        bent: Floats = x * gate
        slope: Floats = gate + bent * (1 - gate) + gate.dtype.type(_LEAK)
        self._slopes.append(slope)
        bent += x * gate.dtype.type(_LEAK)
        return bent


def _scaled_name(name: str) -> str:
    """Return what a layer is called in the files of the older models."""
    return f"lora_unet_{name.removeprefix('diffusion_model.').replace('.', '_')}"


def _base(shape: Shape, dtype: np.dtype[Any]) -> list[Adapter]:
    rng = np.random.default_rng(_BASE_SEED)
    names = ["patch_in"]
    names += [f"blocks.{block}.mlp.{layer}" for block in range(BLOCKS) for layer in (0, 2)]
    names.append("final_layer.linear")
    sizes = [shape.inner, *[WIDTH] * (len(names) - 1), shape.outer]
    layers = []
    for name, inner, outer in zip(names, sizes, sizes[1:], strict=False):
        gain = _OUT_GAIN if name == names[-1] else 1.0
        weight = (rng.standard_normal((inner, outer)) * (gain / np.sqrt(inner))).astype(dtype)
        layers.append(Adapter(f"diffusion_model.{name}", weight, shape.alpha / shape.rank))
    return layers
