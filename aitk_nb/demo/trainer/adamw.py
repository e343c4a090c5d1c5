"""AdamW over one flat array of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aitk_nb.demo.trainer.denoiser import Floats

_RATE_SCALE = 3.0
"""The small model is trained at this many times the rate of the config, which is what is logged.

So rates that are usual for large models do here what they do there: over 400 steps at rank 16 the
loss goes from 0.80 to 0.64 at 1e-4, from 0.72 to 0.40 at 1e-3, is worse again from 2e-3 on, and
diverges from 5e-3 on: by 1e-2 it ends far above its first value, by 1 it is not a number.
"""

# Optimisers that find their own rate take 1 as theirs.
_SELF_PACED = ("prodigy", "dadapt")
_SELF_PACED_RATE = 3e-4


def inner_rate(optimizer: str, rate: float) -> float:
    """Return the rate that the small model is trained with, for an optimizer and rate of a job."""
    if optimizer.startswith(_SELF_PACED) and rate >= 0.1:
        rate *= _SELF_PACED_RATE
    return rate * _RATE_SCALE


@dataclass(frozen=True)
class AdamWOptions:
    """What a job config may choose."""

    rate: float
    """How far one step may go, at most about."""
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-6


class AdamW:
    """Moves numbers against their gradient, and remembers what it needs for the next time."""

    def __init__(self, count: int, options: AdamWOptions) -> None:
        """Begin without any memory, for `count` numbers."""
        self._options = options
        self._mean = np.zeros(count, np.float32)
        self._square = np.zeros(count, np.float32)
        self._work = np.zeros(count, np.float32)
        self._steps = 0

    def step(self, numbers: Floats, gradient: Floats) -> None:
        """Change `numbers` in place."""
        o, work = self._options, self._work
        self._steps += 1
        self._mean *= o.beta1
        np.multiply(gradient, 1 - o.beta1, out=work)
        self._mean += work
        self._square *= o.beta2
        np.multiply(gradient, gradient, out=work)
        work *= 1 - o.beta2
        self._square += work
        np.sqrt(self._square, out=work)
        work /= float(np.sqrt(1 - o.beta2**self._steps))
        work += o.eps
        np.divide(self._mean, work, out=work)
        work *= o.rate / (1 - o.beta1**self._steps)
        if o.weight_decay:
            numbers *= 1 - o.rate * o.weight_decay
        numbers -= work

    def state(self) -> dict[str, Floats]:
        """Return what a later run needs to go on as if it had not been interrupted."""
        steps = np.array(self._steps, np.float64)
        return {"mean": self._mean, "square": self._square, "steps": steps}

    def restore(self, state: Mapping[str, Floats]) -> bool:
        """Go on from `state`; False, and nothing is done, if it is of another shape."""
        if any(state[key].shape != self._mean.shape for key in ("mean", "square")):
            return False
        self._mean[:] = state["mean"]
        self._square[:] = state["square"]
        self._steps = int(state["steps"])
        return True
