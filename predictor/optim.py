"""Adam, clipping by the global norm of the gradients, and the deadline of a training."""

import time
from dataclasses import dataclass, field

import numpy as np

from predictor.lstm import Params


@dataclass(slots=True)
class Adam:
    """Adam with bias correction (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980)."""

    rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    count: int = 0
    first: Params = field(default_factory=dict)  # running mean of the gradient
    second: Params = field(default_factory=dict)  # running mean of its square

    def step(self, params: Params, grads: Params) -> None:
        """Move every array named in grads one step against its gradient, in place."""
        self.count += 1
        # Both corrections as plain floats, so that float32 weights stay float32.
        size = float(self.rate * np.sqrt(1.0 - self.beta2**self.count) / (1.0 - self.beta1**self.count))
        epsilon = float(self.epsilon * np.sqrt(1.0 - self.beta2**self.count))
        for name, grad in grads.items():
            m = self.first.setdefault(name, np.zeros_like(grad))
            v = self.second.setdefault(name, np.zeros_like(grad))
            m += (1.0 - self.beta1) * (grad - m)
            v += (1.0 - self.beta2) * (grad * grad - v)
            params[name] -= size * m / (np.sqrt(v) + epsilon)


def average(mean: Params, params: Params, keeps: float) -> None:
    """Move every array of mean, in place, towards params: mean = keeps * mean + (1 - keeps) * params.

    The averaged iterate is steadier than the last one (Polyak and Juditsky 1992, https://doi.org/10.1137/0330046).
    """
    for name, value in params.items():
        mean[name] += (1.0 - keeps) * (value - mean[name])


def clip(grads: Params, limit: float) -> float:
    """Scale all gradients down together so that their joint L2 norm is at most limit; return the norm before.

    Pascanu et al. 2013 (https://arxiv.org/abs/1211.5063). A norm that is not finite zeroes the gradients: one
    broken batch must not destroy the weights.
    """
    norm = float(np.sqrt(sum(float(np.vdot(grad, grad)) for grad in grads.values())))
    if not np.isfinite(norm):
        for grad in grads.values():
            grad[...] = 0.0
    elif norm > limit:
        for grad in grads.values():
            grad *= limit / norm
    return norm


def over(deadline: float | None) -> bool:
    """Whether the deadline, by the monotonic clock, has passed."""
    return deadline is not None and time.monotonic() > deadline
