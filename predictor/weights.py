"""A trained model as bytes and back: named arrays with a version and a checksum, never pickle.

Layout: MAGIC, version (2 bytes, big endian), SHA-256 of the rest (32 bytes), then a NumPy .npz archive. The
checksum finds damage; it is no signature, so load trusts nothing that it reads.
"""

import hashlib
import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor import network
from predictor.features import EVIDENCE, SUMMARIES
from predictor.guard import NARROWEST, SIMPLE, SLACK, WIDEST, Guard
from predictor.runtime import RuntimeModel
from predictor.trees import DEPTH, MOST_TREES, Trees

FORMAT_VERSION = 2
MAGIC = b"SMARTQUEUE RUNTIME"
LARGEST_BYTES = 16 << 20  # of the archive and of all its arrays unpacked: many times a model
LARGEST_NUMBER = 1e6  # of any weight: no layer can then overflow to what is not a number
UNBOUNDED = ("learned_until",)  # a moment, looked at apart
_HEADER = struct.Struct(f">{len(MAGIC)}sH32s")

Arrays = dict[str, NDArray[Any]]


class WeightsError(ValueError):
    """These bytes are not the weights of a runtime model this version can use."""


def dump(model: RuntimeModel) -> bytes:
    """The model as bytes; equal models give equal bytes."""
    arrays: Arrays = {f"params.{name}": value for name, value in model.params.items()}
    arrays |= {"summary_mean": model.summary_mean, "summary_scale": model.summary_scale}
    arrays |= {"shares": model.guard.shares, "widths": model.guard.widths, "slack": model.guard.slack}
    arrays |= {"columns": model.trees.columns, "thresholds": model.trees.thresholds, "values": model.trees.values}
    arrays["start"] = np.array(model.trees.start)
    arrays["learned_until"] = np.array(model.learned_until)
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    body = archive.getvalue()
    return _HEADER.pack(MAGIC, FORMAT_VERSION, hashlib.sha256(body).digest()) + body


def load(data: bytes) -> RuntimeModel:
    """The model that `dump` wrote, its arrays read-only. Raises WeightsError for anything else."""
    arrays = _unpack(_body(data))
    expected = _expected(arrays)
    if arrays.keys() != expected.keys():
        raise WeightsError(f"arrays missing or unknown: {sorted(arrays.keys() ^ expected.keys())}")
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            raise WeightsError(f"{name} is {array.dtype}{array.shape}, not {dtype}{shape}")
        if name not in UNBOUNDED and not (np.abs(array) <= LARGEST_NUMBER).all():  # NaN is not either
            raise WeightsError(f"{name} holds a number that is not finite, or far too large")
        array.setflags(write=False)
    params = {name.removeprefix("params."): array for name, array in arrays.items() if name.startswith("params.")}
    return RuntimeModel(
        params,
        arrays["summary_mean"],
        arrays["summary_scale"],
        _trees(arrays),
        _guard(arrays),
        _moment(arrays["learned_until"]),
    )


def _body(data: bytes) -> bytes:
    if len(data) < _HEADER.size:
        raise WeightsError("too short")
    magic, version, checksum = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    if magic != MAGIC:
        raise WeightsError("not weights of a runtime model")
    if version != FORMAT_VERSION:
        raise WeightsError(f"format version {version}, not {FORMAT_VERSION}")
    if hashlib.sha256(body).digest() != checksum:
        raise WeightsError("the checksum does not match")
    return body


def _unpack(body: bytes) -> Arrays:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            # Checked before a byte is unpacked: a small archive can claim to hold terabytes.
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_BYTES:
                raise WeightsError("too large")
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            return dict(archive)
    except WeightsError:
        raise
    # What zipfile, zlib and NumPy raise for a broken archive; a pickle inside is NumPy's ValueError.
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        TypeError,
        SyntaxError,
        MemoryError,
        RuntimeError,
    ) as error:
        raise WeightsError(f"broken archive: {error}") from error
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise WeightsError(f"broken archive: {error}") from error


def _expected(arrays: Arrays) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of every array; there may be any number of trees, up to MOST_TREES."""
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    fresh = network.init(np.random.default_rng(0))
    expected: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
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
