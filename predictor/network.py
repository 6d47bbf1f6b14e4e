"""The network: LSTM over past runs, embedded words and a summary, then a head that gives three quantiles and a chance.

The head weighs simple guesses against each other (softmax over the candidates) and adds a bounded correction:
its median stays near what simple predictors say, however little it has learned. Quantiles are trained by the
pinball loss (Koenker and Bassett 1978, https://doi.org/10.2307/1913643) on log runtime, the chance of a failure by
cross-entropy.
Sizes: batch B, hidden H, embedding E, head width W, candidates K.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from predictor import lstm
from predictor.features import CANDIDATES, STEP_INPUTS, SUMMARIES
from predictor.lstm import Array, Mask, Params
from predictor.words import BUCKETS

HIDDEN, EMBEDDING, WIDTH = 16, 8, 64
QUANTILES = (0.1, 0.5, 0.9)
CORRECTION_LIMIT = 4.0  # in ln milliseconds: a factor of 55 either way
FAILURE_WEIGHT = 0.2  # of the cross-entropy beside the pinball loss
TREES_START = 4.0  # logit of the trees among the candidates
TREES_UNIT = 2.0  # ln milliseconds
SPREAD_START = 0.9555  # softplus of it is 1.28: the p10 and p90 of a normal distribution
INPUTS = SUMMARIES + 1
_K = len(CANDIDATES)
_EMBEDDED = 4 * EMBEDDING
# Exact in any precision: the signs of the two spreads, and what the correction and the chance of a failure are
# multiplied by within their tanh (a sigmoid that cannot overflow).
_DOWN_AND_UP = np.array([-1.0, 1.0], np.float32)
_SLOWLY = np.array([1.0 / CORRECTION_LIMIT, 0.5], np.float32)


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of B rows, all relative to the anchor."""

    steps: Array  # (B, T, STEP_INPUTS)
    mask: Mask  # (B, T)
    slots: NDArray[np.intp]  # (B, SLOTS)
    summary: Array  # (B, INPUTS): standardised, and what the trees say
    candidates: Array  # (B, K)
    spread: Array  # (B,): unit of the two spreads

    def take(self, rows: NDArray[np.intp]) -> "Batch":
        """The same for some of the rows."""
        return Batch(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Output:
    """What the network says of B rows."""

    quantiles: Array  # (B, 3) of log runtime relative to the anchor, ordered by construction
    failure: Array  # (B,): probability


class Kept(NamedTuple):
    """What `backward` needs again of the head."""

    share: Array  # (B, WORDS): weight of each word in the mean
    joined: Array  # (B, H + 4E + INPUTS)
    hidden: Array  # (B, W)
    mix: Array  # (B, K)
    bend: Array  # (B,): tanh of the scaled correction
    spread_factor: Array  # (B, 2): softplus, of the two spreads


@dataclass(slots=True)
class Cache:
    """What `backward` needs again."""

    params: Params
    batch: Batch
    lstm: lstm.Cache
    head: Kept
    spread_slope: Array  # (B, 2)


def init(rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Params:
    """Fresh weights. The last layer starts at zero: an untrained network leans to the trees."""
    joined = HIDDEN + _EMBEDDED + INPUTS
    limit = np.sqrt(6.0 / (joined + WIDTH))
    out_bias = np.zeros(_K + 4)
    out_bias[CANDIDATES.index("trees")] = TREES_START
    out_bias[_K + 1 : _K + 3] = SPREAD_START
    params = {f"lstm.{name}": value for name, value in lstm.init(rng, STEP_INPUTS, HIDDEN, dtype=dtype).items()}
    # Zero, so that a word never seen says nothing; the head's own weights break the symmetry.
    params["embedding"] = np.zeros((BUCKETS, EMBEDDING), dtype=dtype)
    params["w_head"] = rng.uniform(-limit, limit, (joined, WIDTH)).astype(dtype)
    params["b_head"] = np.zeros(WIDTH, dtype=dtype)
    params["w_out"] = np.zeros((WIDTH, _K + 4), dtype=dtype)
    params["b_out"] = out_bias.astype(dtype)
    return params


def forward(params: Params, batch: Batch) -> tuple[Output, Cache]:
    """What the network says of a batch, and the cache."""
    states, lstm_cache = lstm.forward(lstm_params(params), *_sequence(batch))
    output, kept = _head(params, batch, states[-1])
    spread_slope = -np.expm1(-kept.spread_factor) * batch.spread[:, None]  # the sigmoid of what softplus was given
    return output, Cache(params, batch, lstm_cache, kept, spread_slope)


def infer(params: Params, fused: lstm.Fused, batch: Batch) -> Output:
    """What `forward` says, sooner: nothing is kept for a way back. All padding must stand in front."""
    return _head(params, batch, lstm.last_state(fused, *_sequence(batch)))[0]


def _sequence(batch: Batch) -> tuple[Array, Mask]:
    """Steps (T, B, STEP_INPUTS) and mask (T, B) without the front padding that no row uses."""
    used: Mask = np.logical_or.reduce(batch.mask, axis=0)
    start = int(used.argmax())
    if not used[start]:
        start = len(used) - 1
    return np.ascontiguousarray(batch.steps[:, start:].transpose(1, 0, 2)), batch.mask[:, start:].T


def _head(params: Params, batch: Batch, state: Array) -> tuple[Output, Kept]:
    embedded = params["embedding"][batch.slots]  # (B, SLOTS, E)
    share = (batch.slots[:, 3:] > 0).astype(embedded.dtype)
    share /= np.maximum(np.add.reduce(share, axis=1, keepdims=True), 1.0)  # in training all may have been dropped
    words = np.einsum("bw,bwe->be", share, embedded[:, 3:])
    joined = np.concatenate([state, embedded[:, :3].reshape(len(words), -1), words, batch.summary], axis=1)
    hidden = np.tanh(joined @ params["w_head"] + params["b_head"])  # (B, W)
    out = hidden @ params["w_out"] + params["b_out"]  # (B, K + 4)
    mix = np.exp(out[:, :_K] - np.maximum.reduce(out[:, :_K], axis=1, keepdims=True))
    mix /= np.add.reduce(mix, axis=1, keepdims=True)
    bend, chance = np.tanh(out[:, _K::3] * _SLOWLY).T
    factor = np.logaddexp(0.0, out[:, _K + 1 : _K + 3])  # softplus: positive, so low < middle < high
    quantiles = np.empty((len(out), 3), out.dtype)
    quantiles[:, 1] = middle = np.einsum("bk,bk->b", mix, batch.candidates) + CORRECTION_LIMIT * bend
    quantiles[:, ::2] = middle[:, None] + factor * _DOWN_AND_UP * batch.spread[:, None]
    return Output(quantiles, 0.5 + 0.5 * chance), Kept(share, joined, hidden, mix, bend, factor)


def backward(dquantiles: Array, dchance: Array, cache: Cache) -> Params:
    """Gradients of every weight from those of the quantiles (B, 3) and of the logit of a failure (B,)."""
    params, batch, head = cache.params, cache.batch, cache.head
    dmiddle = dquantiles.sum(axis=1)
    dmix = dmiddle[:, None] * batch.candidates
    dlogits = head.mix * (dmix - (head.mix * dmix).sum(axis=1, keepdims=True))
    dbend = dmiddle * (1.0 - head.bend**2)
    dspread = np.stack([-dquantiles[:, 0], dquantiles[:, 2]], axis=1) * cache.spread_slope
    dout = np.concatenate([dlogits, dbend[:, None], dspread, dchance[:, None]], axis=1)
    dhidden = (dout @ params["w_out"].T) * (1.0 - head.hidden**2)
    djoined = dhidden @ params["w_head"].T
    grads = {"w_head": head.joined.T @ dhidden, "b_head": dhidden.sum(axis=0)}
    grads |= {"w_out": head.hidden.T @ dout, "b_out": dout.sum(axis=0)}
    grads["embedding"] = _embedding_gradient(djoined[:, HIDDEN : HIDDEN + _EMBEDDED], cache)
    dstates = np.zeros_like(cache.lstm.layers[-1].squashed)
    dstates[-1] = djoined[:, :HIDDEN]
    return grads | {f"lstm.{name}": grad for name, grad in lstm.backward(dstates, cache.lstm)[0].items()}


def loss(output: Output, target: Array, failed: Array) -> tuple[float, Array, Array]:
    """Loss for target (B,) relative to the anchor and failed (B,), 0 or 1; gradients of quantiles and failure logit."""
    missed, dquantiles = pinball(output.quantiles, target)
    chance = np.clip(output.failure, 1e-7, 1.0 - 1e-7)
    surprise = -(failed * np.log(chance) + (1.0 - failed) * np.log(1.0 - chance)).mean()
    dchance = (output.failure - failed) * output.failure.dtype.type(FAILURE_WEIGHT / len(target))
    return missed + FAILURE_WEIGHT * float(surprise), dquantiles, dchance


def pinball(quantiles: Array, target: Array) -> tuple[float, Array]:
    """Mean pinball loss of quantiles (B, 3) for target (B,), both relative to the anchor; its gradient."""
    levels = np.array(QUANTILES, dtype=quantiles.dtype)
    short = target[:, None] - quantiles
    total = np.maximum(levels * short, (levels - 1.0) * short).sum() / len(target)
    slope: NDArray[Any] = np.where(short > 0, -levels, 1.0 - levels) / quantiles.dtype.type(len(target))
    return float(total), slope


def _embedding_gradient(dembedded: Array, cache: Cache) -> Array:
    """Of the whole table, from that of the type, user, name and mean word (B, 4E)."""
    dfour = dembedded.reshape(len(dembedded), 4, EMBEDDING)
    dslots = np.concatenate([dfour[:, :3], cache.head.share[:, :, None] * dfour[:, 3:]], axis=1)
    slots = cache.batch.slots.ravel()
    gradient: Array = np.zeros_like(cache.params["embedding"])
    np.add.at(gradient, slots, dslots.reshape(-1, EMBEDDING))
    gradient[0] = 0.0  # the empty slot stays zero
    return gradient


def lstm_params(params: Params) -> Params:
    """Those of the LSTM, by its own names."""
    return {name[5:]: value for name, value in params.items() if name.startswith("lstm.")}
