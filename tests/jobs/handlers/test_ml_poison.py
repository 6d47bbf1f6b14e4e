"""Files that are sent as models and are none: refused for good, whatever they are, and nothing in them is run."""

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.handlers.ml import file as ml_file
from jobs.handlers.ml.file import BadModel
from tests.jobs.handlers.ml_tools import MODEL_ARTEFACT, answered, as_csv, plain_table, worked

MAX_BYTES = 5_000_000
TRAIN = {"task": "train", "data": {"artefact": MODEL_ARTEFACT}, "target": "amount", "test_share": 0}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A good model of some kinds."""
    folder = tmp_path_factory.mktemp("models")
    data = as_csv({name: values for name, values in plain_table(80).items() if name != "class"})
    made = {}
    for kind in ("gradient_boosting", "random_forest", "linear", "k_neighbours"):
        payload = {**TRAIN, "model": kind, **({"parameters": {"n_estimators": 3}} if kind == "random_forest" else {})}
        made[kind] = worked(folder, payload, data_csv=data)[1].files["model.zip"]
    data = as_csv({name: values for name, values in plain_table(80).items() if name != "amount"})
    made["naive_bayes"] = worked(folder, {**TRAIN, "target": "class", "model": "naive_bayes"}, data_csv=data)[1].files[
        "model.zip"
    ]
    return made


def parts(model: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(model)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(parts: dict[str, bytes], comment: bytes | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
        file.comment = hashlib.sha256(parts.get("model.json", b"")).hexdigest().encode() if comment is None else comment
    return stream.getvalue()


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def forged(model: bytes, told: dict[str, Any] | None = None, **arrays: Any) -> bytes:
    """The model with other arrays or words, and all its checksums right."""
    found = parts(model)
    for name, array in arrays.items():
        found[f"{name}.npy"] = array if isinstance(array, bytes) else npy(array)
    description = {**json.loads(found["model.json"]), **(told or {})}
    if told is None or "sha256" not in told:
        description["sha256"] = {
            name.removesuffix(".npy"): hashlib.sha256(data).hexdigest()
            for name, data in found.items()
            if name != "model.json"
        }
    found["model.json"] = json.dumps(description).encode()
    return zipped(found)


def array(model: bytes, name: str) -> Any:
    return np.load(io.BytesIO(parts(model)[f"{name}.npy"]), allow_pickle=False).copy()


def refused(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(BadModel) as caught:
        ml_file.load(path, MAX_BYTES)
    return str(caught.value)


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/ml-was-here",)


def test_a_forger_who_changes_nothing_is_let_in(models: dict[str, bytes], tmp_path: Path) -> None:
    for model in models.values():
        (tmp_path / "model").write_bytes(forged(model))
        assert ml_file.load(tmp_path / "model", MAX_BYTES).columns


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a model", pickle.dumps({"a": 1}), zipped({}), zipped({"model.json": b"{"}), npy(np.zeros(3))],
)
def test_what_is_no_model_is_refused(data: bytes, tmp_path: Path) -> None:
    assert "no model" in refused(tmp_path, data)


def test_pickles_are_never_opened(models: dict[str, bytes], tmp_path: Path) -> None:
    trace = Path("/tmp/ml-was-here")
    trace.unlink(missing_ok=True)
    evil = np.array([Evil()], dtype=object)
    for data in (npy(evil), pickle.dumps(Evil())):
        refused(tmp_path, forged(models["linear"], intercepts=data))
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, coefficients=evil)
    refused(tmp_path, stream.getvalue())
    assert not trace.exists()


TREES: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "a cycle": lambda model: {"left": changed(array(model, "left"), 1, 0)},
    "itself": lambda model: {"left": changed(array(model, "left"), 0, 0)},
    "a far child": lambda model: {"right": changed(array(model, "right"), 0, 2_000_000_000)},
    "another tree's": lambda model: {"right": changed(array(model, "right"), 0, len(array(model, "right")) - 1)},
    "one child for two": lambda model: {"right": changed(array(model, "right"), 0, int(array(model, "left")[0]))},
    "one child": lambda model: {"right": changed(array(model, "right"), 0, -1)},
    "a far column": lambda model: {"feature": changed(array(model, "feature"), 0, 1_000_000)},
    "a column before the first": lambda model: {"feature": changed(array(model, "feature"), 0, -5)},
    "roots not in order": lambda model: {"roots": array(model, "roots")[::-1].copy()},
    "a root beyond": lambda model: {"roots": changed(array(model, "roots"), -1, 10_000_000)},
    "no number": lambda model: {"value": array(model, "value") * np.nan},
    "other sizes": lambda model: {"left": array(model, "left")[:-1]},
    "another type": lambda model: {"left": array(model, "left").astype("<i8")},
    "the other end first": lambda model: {"left": array(model, "left").astype(">i4")},
    "more dimensions": lambda model: {"left": array(model, "left").reshape(1, -1)},
    "nothing": lambda model: {"left": array(model, "left")[:0]},
}


def changed(array: Any, place: int, value: int) -> Any:
    array[place] = value
    return array


@pytest.mark.parametrize("kind", ["gradient_boosting", "random_forest"])
@pytest.mark.parametrize("what", TREES)
def test_trees_that_are_none_are_refused(what: str, kind: str, models: dict[str, bytes], tmp_path: Path) -> None:
    refused(tmp_path, forged(models[kind], **TREES[what](models[kind])))


def test_a_tree_without_end_is_refused(models: dict[str, bytes], tmp_path: Path) -> None:
    """A chain: each node has a leaf and the next node."""
    nodes = 100_001
    left = np.where(np.arange(nodes) % 2 == 0, np.arange(nodes) + 1, -1).astype(np.int32)
    right = np.where(np.arange(nodes) % 2 == 0, np.arange(nodes) + 2, -1).astype(np.int32)
    left[-1] = right[-1] = -1
    text = refused(
        tmp_path,
        forged(
            models["random_forest"],
            roots=np.array([0], dtype=np.int32),
            feature=np.zeros(nodes, dtype=np.int32),
            threshold=np.zeros(nodes),
            left=left,
            right=right,
            missing_left=np.zeros(nodes, dtype=np.int8),
            value=np.zeros((nodes, 1)),
        ),
    )
    assert "deeper" in text


@pytest.mark.parametrize(
    "told",
    [
        {"version": 2},
        {"kind": "os.system"},
        {"kind": "linear"},
        {"problem": "classification"},
        {"classes": ["a", "b"]},
        {"target": "x0"},
        {"columns": []},
        {"columns": [{"name": "x0", "kind": "number", "fill": 0.0, "shift": 0.0, "scale": 1.0, "categories": []}] * 2},
        {"columns": [{"name": "x0", "kind": "number", "fill": 0.0, "shift": 0.0, "scale": 0.0, "categories": []}]},
        {"columns": [{"name": "x0", "kind": "number", "fill": 0.0, "shift": 0.0, "scale": 1.0, "categories": ["a"]}]},
        {"columns": [{"name": "x0", "kind": "category", "fill": 0.0, "shift": 0.0, "scale": 1.0, "categories": []}]},
        {"parameters": {"n_neighbors": 10**9}},
        {"parameters": {"__class__": 1}},
        {"sha256": {}},
        {"more": 1},
        {"rows": -1},
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    told: dict[str, Any], models: dict[str, bytes], tmp_path: Path
) -> None:
    refused(tmp_path, forged(models["random_forest"], told))


def test_neighbours_and_bayes_are_looked_at_too(models: dict[str, bytes], tmp_path: Path) -> None:
    bayes, neighbours = models["naive_bayes"], models["k_neighbours"]
    for model, arrays in [
        (bayes, {"variances": -array(bayes, "variances")}),
        (bayes, {"means": array(bayes, "means") * np.inf}),
        (neighbours, {"points": array(neighbours, "points")[:2], "targets": array(neighbours, "targets")[:2]}),
        (neighbours, {"points": array(neighbours, "points")[:, :2]}),
    ]:
        refused(tmp_path, forged(model, **arrays))
    refused(tmp_path, forged(neighbours, {"parameters": {}}))


def test_huge_sizes_are_refused_before_anything_is_read(models: dict[str, bytes], tmp_path: Path) -> None:
    bomb = zipped({**parts(models["linear"]), "coefficients.npy": bytes(50_000_000)})
    assert len(bomb) < 100_000
    assert "more than" in refused(tmp_path, bomb)
    lying = bytearray(bomb)
    # the size in the directory, which comes after the files
    place = lying.rindex(b"PK\x01\x02", 0, lying.rindex(b"coefficients.npy"))
    lying[place + 24 : place + 28] = struct.pack("<I", 100)
    assert "damaged" in refused(tmp_path, bytes(lying))
    header = npy(np.zeros((1, 4))).replace(b"(1, 4)", b"(1, 4000000000000)"[:6].ljust(6))
    refused(tmp_path, forged(models["linear"], coefficients=header))
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<f8", "fortran_order": False, "shape": (1, 4)})
    refused(tmp_path, forged(models["linear"], coefficients=huge.getvalue()))
    wide = io.BytesIO()
    np.lib.format.write_array_header_1_0(wide, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**12)})
    refused(tmp_path, forged(models["linear"], coefficients=wide.getvalue()))


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "more.npy", "a/b.npy", "model.json/"])
def test_other_names_in_the_zip_are_refused(name: str, models: dict[str, bytes], tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    refused(tmp_path, zipped({**parts(models["linear"]), name: b"x"}))
    assert sorted(tmp_path.rglob("*")) == [*before, tmp_path / "model"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(models: dict[str, bytes], tmp_path: Path) -> None:
    stream = io.BytesIO(models["linear"])
    with zipfile.ZipFile(stream, "a") as file:
        file.writestr("intercepts.npy", b"x")
    assert "twice" in refused(tmp_path, stream.getvalue())


def test_damage_is_seen(models: dict[str, bytes], tmp_path: Path) -> None:
    found = parts(models["linear"])
    other = found["model.json"].replace(b'"amount"', b'"omount"')
    assert "checksum" in refused(tmp_path, zipped({**found, "model.json": other}, comment=b"0" * 64))
    assert "checksum" in refused(tmp_path, zipped({**found, "intercepts.npy": npy(np.array([7.0]))}))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_refused_or_harmless(
    data: st.DataObject, models: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = bytearray(models["linear"])
    for place in data.draw(st.lists(st.integers(0, len(model) - 1), min_size=1, max_size=3)):
        model[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(model)
    try:
        found = ml_file.load(path, MAX_BYTES)
    except BadModel:
        return
    good = tmp_path_factory.getbasetemp() / "good"
    good.write_bytes(models["linear"])
    assert np.array_equal(found.arrays["coefficients"], ml_file.load(good, MAX_BYTES).arrays["coefficients"])


def test_a_job_with_such_a_file_fails_for_good(models: dict[str, bytes], tmp_path: Path) -> None:
    payload = {"task": "predict", "model_artefact": MODEL_ARTEFACT, "data": {"rows": [{"x0": 1}]}}
    with pytest.raises(BadModel):
        answered(tmp_path / "folder", payload, model=pickle.dumps(Evil()))
