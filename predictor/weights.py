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
from predictor.features import SUMMARIES
from predictor.levels import LEVEL_CAPACITY, LEVELS, Level, Levels
from predictor.runtime import RuntimeModel

FORMAT_VERSION = 1
MAGIC = b"SMARTQUEUE RUNTIME"
LARGEST_BYTES = 16 << 20  # of the archive and of all its arrays unpacked: several times a full model
_HEADER = struct.Struct(f">{len(MAGIC)}sH32s")

Arrays = dict[str, NDArray[Any]]


class WeightsError(ValueError):
    """These bytes are not the weights of a runtime model this version can use."""


def dump(model: RuntimeModel) -> bytes:
    """The model as bytes; equal models give equal bytes."""
    arrays: Arrays = {f"params.{name}": value for name, value in model.params.items()}
    arrays |= {"summary_mean": model.summary_mean, "summary_scale": model.summary_scale}
    arrays["scalars"] = np.array([model.trust, model.levels.overall])
    for name, level in zip(LEVELS, model.levels.levels, strict=True):
        arrays |= {
            f"{name}.keys": level.keys,
            f"{name}.medians": level.medians,
            f"{name}.counts": level.counts,
        }
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
        if not np.isfinite(array).all():
            raise WeightsError(f"{name} holds a number that is not finite")
        array.setflags(write=False)
    trust, overall = arrays["scalars"].tolist()
    if not 0.0 <= trust <= 1.0:
        raise WeightsError(f"trust is {trust}, not within 0 and 1")
    levels = tuple(_level(name, arrays) for name in LEVELS)
    params = {name.removeprefix("params."): array for name, array in arrays.items() if name.startswith("params.")}
    return RuntimeModel(params, Levels(overall, levels), arrays["summary_mean"], arrays["summary_scale"], trust)


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
    """Shape and type of every array; a level may be of any length up to its capacity."""
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    fresh = network.init(np.random.default_rng(0))
    expected: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
    expected = {f"params.{name}": (value.shape, single) for name, value in fresh.items()}
    expected |= {"summary_mean": ((SUMMARIES,), single), "summary_scale": ((SUMMARIES,), single)}
    expected["scalars"] = ((2,), double)
    for name in LEVELS:
        size = (min(arrays[f"{name}.keys"].size, LEVEL_CAPACITY) if f"{name}.keys" in arrays else 0,)
        expected |= {f"{name}.keys": (size, np.dtype(np.uint64)), f"{name}.medians": (size, double)}
        expected[f"{name}.counts"] = (size, double)
    return expected


def _level(name: str, arrays: Arrays) -> Level:
    keys = arrays[f"{name}.keys"]
    if np.any(keys[1:] <= keys[:-1]):
        raise WeightsError(f"{name}.keys are not in order")
    return Level(keys, arrays[f"{name}.medians"], arrays[f"{name}.counts"])
