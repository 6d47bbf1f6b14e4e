"""Named arrays as bytes and back, with a version and a checksum, never pickle.

Layout: a magic word, version (2 bytes, big endian), SHA-256 of the rest (32 bytes), then a NumPy .npz archive. The
checksum finds damage; it is no signature, so whoever reads them trusts nothing in the arrays.
"""

import hashlib
import io
import struct
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST_NUMBER = 1e6  # of any weight: no layer can then overflow to what is not a number

Arrays = dict[str, NDArray[Any]]
Expected = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]


class WeightsError(ValueError):
    """These bytes are not weights this version can use."""


class Format(NamedTuple):
    """What the bytes of a kind of model begin with, and how much they may hold."""

    magic: bytes
    version: int
    largest_bytes: int  # of the archive and of all its arrays unpacked
    name: str  # of what they are the weights of

    @property
    def header(self) -> struct.Struct:
        """Magic word, version and checksum."""
        return struct.Struct(f">{len(self.magic)}sH32s")


def pack(form: Format, arrays: Arrays, *, compress: bool = False) -> bytes:
    """The arrays as bytes; equal arrays give equal bytes."""
    archive = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(archive, allow_pickle=False, **arrays)
    body = archive.getvalue()
    return form.header.pack(form.magic, form.version, hashlib.sha256(body).digest()) + body


def unpack(form: Format, data: bytes) -> Arrays:
    """What `pack` was given. Raises WeightsError for anything else."""
    if len(data) < form.header.size:
        raise WeightsError("too short")
    magic, version, checksum = form.header.unpack_from(data)
    body = data[form.header.size :]
    if magic != form.magic:
        raise WeightsError(f"not weights of {form.name}")
    if version != form.version:
        raise WeightsError(f"format version {version}, not {form.version}")
    if hashlib.sha256(body).digest() != checksum:
        raise WeightsError("the checksum does not match")
    return _arrays(body, form.largest_bytes)


def check(arrays: Arrays, expected: Expected, unbounded: tuple[str, ...] = ()) -> None:
    """Raises WeightsError unless there are just these arrays, all numbers within LARGEST_NUMBER; makes them read-only.

    Integers, and what is named in unbounded, may be of any size.
    """
    if arrays.keys() != expected.keys():
        raise WeightsError(f"arrays missing or unknown: {sorted(arrays.keys() ^ expected.keys())}")
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            raise WeightsError(f"{name} is {array.dtype}{array.shape}, not {dtype}{shape}")
        bounded = name not in unbounded and np.issubdtype(dtype, np.floating)
        if bounded and not (np.abs(array.astype(np.float64)) <= LARGEST_NUMBER).all():  # NaN is not either
            raise WeightsError(f"{name} holds a number that is not finite, or far too large")
        array.setflags(write=False)


def _arrays(body: bytes, largest_bytes: int) -> Arrays:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            # Checked before a byte is unpacked: a small archive can claim to hold terabytes.
            if sum(entry.file_size for entry in archive.infolist()) > largest_bytes:
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
