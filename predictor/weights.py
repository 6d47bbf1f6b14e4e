"""A runtime model as bytes and back; what is read is trusted in nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor import archive, network
from predictor.archive import Arrays, Expected, Format, WeightsError
from predictor.features import EVIDENCE, SUMMARIES
from predictor.guard import NARROWEST, SIMPLE, SLACK, WIDEST, Guard
from predictor.runtime import RuntimeModel
from predictor.trees import DEPTH, MOST_TREES, Trees

__all__ = ["FORMAT_VERSION", "LARGEST_BYTES", "MAGIC", "WeightsError", "dump", "load"]

FORMAT_VERSION = 2
MAGIC = b"SMARTQUEUE RUNTIME"
LARGEST_BYTES = 16 << 20  # many times a model
_FORMAT = Format(MAGIC, FORMAT_VERSION, LARGEST_BYTES, "a runtime model")


def dump(model: RuntimeModel) -> bytes:
    """The model as bytes; equal models give equal bytes."""
    arrays: Arrays = {f"params.{name}": value for name, value in model.params.items()}
    arrays |= {"summary_mean": model.summary_mean, "summary_scale": model.summary_scale}
    arrays |= {"shares": model.guard.shares, "widths": model.guard.widths, "slack": model.guard.slack}
    arrays |= {"columns": model.trees.columns, "thresholds": model.trees.thresholds, "values": model.trees.values}
    arrays["start"] = np.array(model.trees.start)
    arrays["learned_until"] = np.array(model.learned_until)
    return archive.pack(_FORMAT, arrays)


def load(data: bytes) -> RuntimeModel:
    """The model that `dump` wrote, its arrays read-only. Raises WeightsError for anything else."""
    arrays = archive.unpack(_FORMAT, data)
    archive.check(arrays, _expected(arrays), unbounded=("learned_until",))
    params = {name.removeprefix("params."): array for name, array in arrays.items() if name.startswith("params.")}
    return RuntimeModel(
        params,
        arrays["summary_mean"],
        arrays["summary_scale"],
        _trees(arrays),
        _guard(arrays),
        _moment(arrays["learned_until"]),
    )


def _expected(arrays: Arrays) -> Expected:
    """Shape and type of every array; there may be any number of trees, up to MOST_TREES."""
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    fresh = network.init(np.random.default_rng(0))
    expected: Expected
    expected = {f"params.{name}": (value.shape, single) for name, value in fresh.items()}
    expected |= {"summary_mean": ((SUMMARIES,), single), "summary_scale": ((SUMMARIES,), single)}
    expected |= {"shares": ((len(EVIDENCE), 1 + len(SIMPLE)), double), "widths": ((len(EVIDENCE), 2), double)}
    expected["slack"] = ((2,), double)
    rows = min(len(arrays["columns"]), MOST_TREES) if np.ndim(arrays.get("columns", 0)) else 0
    expected |= {"columns": ((rows, DEPTH), np.dtype(np.int16)), "thresholds": ((rows, DEPTH), single)}
    expected |= {"values": ((rows, 2**DEPTH), single), "start": ((), double)}
    return expected | {"learned_until": ((), double)}


def _trees(arrays: Arrays) -> Trees:
    columns = arrays["columns"]
    if ((columns < 0) | (columns >= SUMMARIES)).any():
        raise WeightsError("the trees ask about columns that there are not")
    return Trees(float(arrays["start"]), columns, arrays["thresholds"], arrays["values"])


def _guard(arrays: Arrays) -> Guard:
    shares, widths = arrays["shares"], arrays["widths"]
    if (shares < 0).any() or not np.allclose(shares.sum(axis=1), 1.0):
        raise WeightsError("shares do not add up to one")
    if (widths < NARROWEST).any() or (widths > WIDEST).any():
        raise WeightsError(f"widths are not within {NARROWEST} and {WIDEST}")
    if (arrays["slack"] < SLACK[0]).any() or (arrays["slack"] > SLACK[1]).any():
        raise WeightsError(f"slack is not within {SLACK}")
    return Guard(shares, widths, arrays["slack"])


def _moment(array: NDArray[Any]) -> float:
    moment = float(array)
    if not np.isfinite(moment):
        raise WeightsError("learned_until is not finite")
    return moment
