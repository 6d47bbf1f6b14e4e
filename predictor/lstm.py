"""A stack of LSTM layers, written out: init, forward, backward through time.

Hochreiter and Schmidhuber 1997 (https://doi.org/10.1162/neco.1997.9.8.1735) with the forget gate of
Gers et al. 2000 (https://doi.org/10.1162/089976600300015015).
Sizes: time T, batch B, inputs D, hidden H. Time comes first, so that one step is one contiguous block.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Params = dict[str, Array]


@dataclass(slots=True)
class LayerCache:
    """What one layer's backward pass needs again."""

    x: Array  # (T, B, D)
    gates: Array  # (T, B, 4H): input, forget, output after the sigmoid; candidate after tanh
    h: Array  # (T+1, B, H): h[0] is the zero start
    c: Array  # (T+1, B, H)
    squashed: Array  # (T, B, H): tanh of the new cell, before the mask


@dataclass(slots=True)
class Cache:
    """One cache per layer, and the weights and mask they were made with."""

    layers: list[LayerCache]
    params: Params
    mask: Mask | None  # (T, B)


def init(rng: np.random.Generator, inputs: int, hidden: int, layers: int = 2, dtype: DTypeLike = np.float64) -> Params:
    """Fresh weights: `w0`, `b0`, `w1`, `b1`, ... with w (D+H, 4H) fusing the four gates of x and h.

    Glorot uniform per gate (https://proceedings.mlr.press/v9/glorot10a.html); the forget bias is 1, so that a
    new cell keeps what it holds (Jozefowicz et al. 2015, https://proceedings.mlr.press/v37/jozefowicz15.html).
    """
    params: Params = {}
    for layer in range(layers):
        fan_in = (inputs if layer == 0 else hidden) + hidden
        limit = np.sqrt(6.0 / (fan_in + hidden))
        bias = np.zeros(4 * hidden)
        bias[hidden : 2 * hidden] = 1.0
        params[f"w{layer}"] = rng.uniform(-limit, limit, (fan_in, 4 * hidden)).astype(dtype)
        params[f"b{layer}"] = bias.astype(dtype)
    return params


def forward(params: Params, x: Array, mask: Mask | None = None) -> tuple[Array, Cache]:
    """Run x (T, B, D) through every layer; return the top layer's hidden states (T, B, H) and the cache.

    Where mask (T, B) is False the step is padding: hidden and cell state pass through it unchanged, and what
    x holds there has no effect, so long as it is finite. Sequences that end together are padded at the front.
    """
    cache = Cache([], params, mask)
    output = x
    for layer in range(_depth(params)):
        output = _layer_forward(params[f"w{layer}"], params[f"b{layer}"], output, cache)
    return output, cache


def backward(dout: Array, cache: Cache) -> tuple[Params, Array]:
    """Turn dout (T, B, H), the gradient of `forward`'s output, into the gradients of the weights and of x."""
    grads: Params = {}
    for layer in reversed(range(len(cache.layers))):
        dw, db, dout = _layer_backward(cache.params[f"w{layer}"], dout, cache.layers[layer], cache.mask)
        grads[f"w{layer}"], grads[f"b{layer}"] = dw, db
    return grads, dout


@dataclass(frozen=True, slots=True)
class Fused:
    """Two layers as one matrix, for where only the end is wanted and what is padding stands in front.

    It takes a column for each sequence: the inputs of a step, for each layer whether the step is none of padding
    (1 or 0, in place of a bias) and the states of both layers. It gives, of both layers each, the input, forget
    and output gates and the candidate, H rows each.
    """

    w: Array  # (8H, D + 2 + 2H)


def fuse(params: Params) -> Fused:
    """The weights of a stack of two layers, the sigmoids' halves in them."""
    hidden = len(params["b0"]) // 4
    inputs = len(params["w0"]) - hidden
    half = np.full(4 * hidden, 0.5, dtype=params["b0"].dtype)  # as in _layer_forward
    half[3 * hidden :] = 1.0
    taken = inputs + 2  # the rows before those of the states
    w = np.zeros((taken + 2 * hidden, 4, 2, hidden), dtype=half.dtype)
    first, second = (params[name] * half for name in ("w0", "w1"))
    w[:inputs, :, 0] = first[:inputs].reshape(-1, 4, hidden)
    w[taken : taken + hidden, :, 0] = first[inputs:].reshape(-1, 4, hidden)
    w[taken:, :, 1] = second.reshape(-1, 4, hidden)
    for layer in range(2):
        w[inputs + layer, :, layer] = (params[f"b{layer}"] * half).reshape(4, hidden)
    return Fused(np.ascontiguousarray(w.reshape(len(w), -1).T))


def last_state(fused: Fused, x: Array, mask: Mask) -> Array:
    """The top layer's last hidden state (B, H) of two layers, as `forward` gives it, for x (T, B, D).

    All padding (mask (T, B) False) must stand in front. The second layer runs one step behind the first, so that
    both take a step in the same call. Where a layer is given nothing, its candidate is tanh(0) = 0 and it stays as
    it starts: padding needs no care.
    """
    steps, batch, inputs = x.shape
    both = len(fused.w) // 4  # 2H
    given = np.zeros((steps + 1, inputs + 2, batch), dtype=fused.w.dtype)
    np.multiply(x.transpose(0, 2, 1), mask[:, None], out=given[:steps, :inputs])
    given[:steps, inputs] = given[1:, inputs + 1] = mask
    z = np.zeros((inputs + 2 + both, batch), dtype=fused.w.dtype)
    step, h = z[: inputs + 2], z[inputs + 2 :]
    # the gates, the candidate and, behind it, the cell: input and forget gate then take both in one call
    a = np.zeros((5 * both, batch), dtype=fused.w.dtype)
    gates, sigmoids, cell = a[: 4 * both], a[: 3 * both], a[4 * both :]
    input_and_forget, output, candidate_and_cell = a[: 2 * both], a[2 * both : 3 * both], a[3 * both :]
    parts = np.empty_like(candidate_and_cell)
    new, kept = parts[:both], parts[both:]
    half = np.asarray(0.5, dtype=a.dtype)  # a number of Python's own is turned into this at each use
    for of_step in given:
        step[...] = of_step
        fused.w.dot(z, out=gates)
        np.tanh(gates, out=gates)
        sigmoids *= half
        sigmoids += half
        np.multiply(input_and_forget, candidate_and_cell, out=parts)
        np.add(new, kept, out=cell)
        np.tanh(cell, out=h)
        h *= output
    return h[both // 2 :].T


def _depth(params: Params) -> int:
    return sum(name.startswith("w") for name in params)


def _layer_forward(w: Array, b: Array, x: Array, cache: Cache) -> Array:
    steps, batch, inputs = x.shape
    hidden = b.shape[0] // 4
    # sigmoid(z) = (1 + tanh(z / 2)) / 2: one tanh call then serves all four gates and cannot overflow.
    # The halves go into the weights, once for all steps.
    half = np.full(4 * hidden, 0.5, dtype=w.dtype)
    half[3 * hidden :] = 1.0
    w, b = w * half, b * half
    w_hidden = w[inputs:]
    share_of_x = x.reshape(-1, inputs) @ w[:inputs] + b  # of all steps at once
    gates = share_of_x.reshape(steps, batch, 4 * hidden)
    h = np.zeros((steps + 1, batch, hidden), dtype=w.dtype)
    c = np.zeros_like(h)
    squashed = np.empty_like(h[1:])
    skips = None if cache.mask is None or cache.mask.all() else ~cache.mask
    for t in range(steps):
        a = gates[t]
        a += h[t] @ w_hidden  # z = xh @ w + b, (B, 4H)
        np.tanh(a, out=a)
        sigmoids = a[:, : 3 * hidden]
        sigmoids += 1.0
        sigmoids *= 0.5
        i, f, o, g = _four(a, hidden)
        np.multiply(f, c[t], out=c[t + 1])  # c = f * c_prev + i * g
        c[t + 1] += i * g
        np.tanh(c[t + 1], out=squashed[t])
        np.multiply(o, squashed[t], out=h[t + 1])  # h = o * tanh(c)
        if skips is not None and skips[t].any():
            skip = skips[t]
            c[t + 1][skip] = c[t][skip]
            h[t + 1][skip] = h[t][skip]
    cache.layers.append(LayerCache(x, gates, h, c, squashed))
    return h[1:]


def _four(a: Array, hidden: int) -> tuple[Array, Array, Array, Array]:
    """Views of the input, forget, output and candidate gates, each (B, H)."""
    return a[:, :hidden], a[:, hidden : 2 * hidden], a[:, 2 * hidden : 3 * hidden], a[:, 3 * hidden :]


def _layer_backward(w: Array, dout: Array, cache: LayerCache, mask: Mask | None) -> tuple[Array, Array, Array]:
    steps, batch, inputs = cache.x.shape
    hidden = dout.shape[2]
    w_hidden_t = w[inputs:].T
    # dz starts as the slope of each gate's own squashing: a (1 - a) for sigmoids, 1 - a^2 for tanh.
    dz = cache.gates * cache.gates
    np.subtract(cache.gates[..., : 3 * hidden], dz[..., : 3 * hidden], out=dz[..., : 3 * hidden])
    np.subtract(1.0, dz[..., 3 * hidden :], out=dz[..., 3 * hidden :])
    slope = 1.0 - cache.squashed * cache.squashed  # of tanh(c)
    dh = np.zeros((batch, hidden), dtype=w.dtype)
    dc = np.zeros_like(dh)
    for t in reversed(range(steps)):
        i, f, o, g = _four(cache.gates[t], hidden)
        dh = dh + dout[t]
        live = None if mask is None else mask[t][:, None].astype(w.dtype)
        dh_new, dc_new = (dh, dc) if live is None else (dh * live, dc * live)  # a padded step passes them on whole
        dc_cell = dc_new + dh_new * o * slope[t]
        di, df, do, dg = _four(dz[t], hidden)
        di *= dc_cell * g
        df *= dc_cell * cache.c[t]
        do *= dh_new * cache.squashed[t]
        dg *= dc_cell * i
        dh_previous = dz[t] @ w_hidden_t
        dc_previous = dc_cell * f
        if live is not None:
            dh_previous += dh - dh_new
            dc_previous += dc - dc_new
        dh, dc = dh_previous, dc_previous
    flat = dz.reshape(-1, 4 * hidden)
    dw = np.concatenate([cache.x.reshape(-1, inputs).T @ flat, cache.h[:-1].reshape(-1, hidden).T @ flat])
    dx = (flat @ w[:inputs].T).reshape(steps, batch, inputs)
    return dw, flat.sum(axis=0), dx
