"""A trained model as a file: one zip with model.json and an .npy file for each array. Reading one runs nothing of it.

Whoever sends a file as a model may have made it himself: all is checked before it is used, and sizes before they are
read. The checksums are against damage, not against him.
"""

import hashlib
import io
import json
import math
import re
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.handlers.base import PermanentFailure
from jobs.handlers.ml import infer as ml_infer
from jobs.handlers.ml.cells import CATEGORY, Floats
from jobs.handlers.ml.columns import Column, width_of
from jobs.handlers.ml.model_schema import MODEL
from jobs.handlers.ml.schema import CLASSIFICATION, KINDS
from jobs.handlers.schemas import Validator, faults
from jobs.strict_json import NotStrict, loads

FORMAT, VERSION = "smartqueue-model", 1
DESCRIPTION = "model.json"
DESCRIPTION_MAX_BYTES = 20_000_000
# The beginning of an .npy file of version 1.0, as NumPy writes it. NumPy itself reads it as a piece of Python.
HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<type>[<|][fi][148])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[0-9]{1,12},|[0-9]{1,12}, [0-9]{1,12})\), \} *\n",
    re.DOTALL,
)
# What zipfile and NumPy raise for bytes that are not what they say.
BROKEN = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError, KeyError)

Label = str | float


class BadModel(PermanentFailure):
    """The file is no model that could be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is needed to say something of rows, and what is told of how it came to be."""

    kind: str
    problem: str
    target: str
    columns: list[Column]
    classes: list[Label]
    parameters: dict[str, Any]
    # By column, the first matter most; of kinds that can say.
    importances: dict[str, float]
    seed: int
    rows: int
    arrays: dict[str, npt.NDArray[Any]] = field(repr=False)

    @property
    def classifies(self) -> bool:
        return self.problem == CLASSIFICATION

    def outputs(self, x: Floats) -> Floats:
        return ml_infer.outputs(self.kind, self.problem, len(self.classes), self.parameters, self.arrays, x)


def save(model: Model, path: Path) -> None:
    """The same model makes the same bytes."""
    arrays = {name: npy(array) for name, array in sorted(model.arrays.items())}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in arrays.items()}
    description = json.dumps(
        {"format": FORMAT, "version": VERSION, **description_of(model), "sha256": sums}, allow_nan=False
    ).encode()
    with zipfile.ZipFile(path, "w") as file:
        file.comment = hashlib.sha256(description).hexdigest().encode()
        for name, data in [(DESCRIPTION, description), *((f"{name}.npy", data) for name, data in arrays.items())]:
            file.writestr(entry(name), data, compress_type=zipfile.ZIP_DEFLATED, compresslevel=6)


def description_of(model: Model) -> dict[str, Any]:
    found = {name: getattr(model, name) for name in Model.__dataclass_fields__ if name != "arrays"}
    return found | {"columns": [asdict(column) for column in model.columns]}


def entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def npy(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def load(path: Path, max_bytes: int) -> Model:
    """Raises BadModel."""
    try:
        with zipfile.ZipFile(path) as file:
            return loaded(file, max_bytes)
    except NotStrict as error:
        raise BadModel(f"The file is no model: {DESCRIPTION} is no JSON: {error}.") from None
    except BROKEN as error:
        raise BadModel(f"The file is no model, or is damaged: {error}"[:300]) from None


def loaded(file: zipfile.ZipFile, max_bytes: int) -> Model:
    entries = file.infolist()
    names = [one.filename for one in entries]
    if len(set(names)) != len(names) or DESCRIPTION not in names:
        raise BadModel(f"The file is no model: it has no {DESCRIPTION}, or a name twice.")
    if sum(one.file_size for one in entries) > max_bytes:
        raise BadModel(f"The model has more than {max_bytes} bytes.")
    told = described(file)
    columns = [Column(**column) for column in told.pop("columns")]
    check_consistent(told, columns)
    sums = told.pop("sha256")
    wanted = ml_infer.shapes(told["kind"], len(told["classes"]), width_of(columns))
    if set(names) != {DESCRIPTION, *(f"{name}.npy" for name in wanted)} or sums.keys() != wanted.keys():
        raise BadModel(f"A {told['kind']} model has the arrays {', '.join(sorted(wanted))}, and nothing else.")
    sizes: dict[str, int] = {}
    arrays = {name: array_of(file, name, sums[name], *wanted[name], sizes) for name in wanted}
    if wrong := ml_infer.fault(told["kind"], len(told["classes"]), width_of(columns), told["parameters"], arrays):
        raise BadModel(f"The model is damaged: {wrong}.")
    return Model(
        **{name: value for name, value in told.items() if name not in ("format", "version")},
        columns=columns,
        arrays=arrays,
    )


def described(file: zipfile.ZipFile) -> dict[str, Any]:
    data = content(file, DESCRIPTION, DESCRIPTION_MAX_BYTES)
    told = loads(data)
    if wrong := faults(VALIDATOR, told):
        raise BadModel("The file is no model: " + "; ".join(f"{DESCRIPTION}{at}: {text}" for at, text in wrong[:3]))
    if file.comment != hashlib.sha256(data).hexdigest().encode():
        raise BadModel(f"The model is damaged: the checksum of {DESCRIPTION} is another.")
    found: dict[str, Any] = told
    return found


VALIDATOR = Validator(MODEL)


def check_consistent(told: dict[str, Any], columns: list[Column]) -> None:
    names = [column.name for column in columns]
    if told["problem"] not in KINDS[told["kind"]].problems or (told["problem"] == CLASSIFICATION) != bool(
        told["classes"]
    ):
        raise BadModel("The model is damaged: its kind, its problem and its classes do not go together.")
    if (
        len(set(names)) != len(names)
        or told["target"] in names
        or len(set(map(str, told["classes"]))) != len(told["classes"])
    ):
        raise BadModel("The model is damaged: a column or a class is there twice.")
    if any((column.kind == CATEGORY) != bool(column.categories) or not column.scale for column in columns):
        raise BadModel("The model is damaged: a column is not what its kind says.")
    if (
        any(column.fill is None for column in columns if column.kind != CATEGORY)
        and not KINDS[told["kind"]].takes_missing
    ):
        raise BadModel("The model is damaged: it does not say what stands for a missing number.")
    if told["kind"] == "k_neighbours" and not told["parameters"].keys() >= {"n_neighbors", "weights"}:
        raise BadModel("The model is damaged: it does not say how many neighbours are asked.")


def array_of(
    file: zipfile.ZipFile, name: str, sha256: str, dtype: str, shape: tuple[int | str, ...], sizes: dict[str, int]
) -> npt.NDArray[Any]:
    """An array of this type and shape; `sizes` is what names in shapes have been found to be."""
    data = content(file, f"{name}.npy")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BadModel(f"The model is damaged: the checksum of {name} is another.")
    header = HEADER.match(data)
    if header is None or header["type"].decode() != dtype:
        raise BadModel(f"The array {name} is not of the type {dtype}.")
    found = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    if len(found) != len(shape):
        raise BadModel(f"The array {name} has not {len(shape)} dimensions.")
    for size, wanted in zip(found, shape, strict=True):
        if size != (sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted) or size < 1:
            raise BadModel(f"The array {name} has the shape {found!r:.80}, which does not fit the model.")
    rest = data[header.end() :]
    if len(rest) != math.prod(found) * np.dtype(dtype).itemsize:
        raise BadModel(f"The array {name} has {len(rest)} bytes, and its shape is {found!r:.80}.")
    return np.frombuffer(rest, dtype=dtype).reshape(found)


def content(file: zipfile.ZipFile, name: str, max_bytes: int | None = None) -> bytes:
    """Never more than the size the zip says, which has been looked at."""
    info = file.getinfo(name)
    if max_bytes is not None and info.file_size > max_bytes:
        raise BadModel(f"{name} has more than {max_bytes} bytes.")
    with file.open(info) as stream:
        return stream.read(info.file_size + 1)
