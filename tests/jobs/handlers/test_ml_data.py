"""Tables and payloads that ml jobs cannot use: each refused for good, with the field, the row or the column."""

import csv
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Fail, Input, NotInstalled
from jobs.handlers.ml.cells import BadData, kind_of
from jobs.handlers.ml.handler import format_of
from tests.jobs.handlers.ml_tools import ARTEFACT, MODEL_ARTEFACT, answered, as_csv, plain_table, worked

TRAIN = {"task": "train", "data": {"artefact": ARTEFACT}, "target": "y", "model": "decision_tree"}
PREDICT = {"task": "predict", "data": {"artefact": ARTEFACT}, "model_artefact": MODEL_ARTEFACT}


def faults(payload: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as caught:
        registry.get("ml").check(payload, {})
    return dict(caught.value.errors)


@pytest.mark.parametrize(
    ("payload", "pointer", "sentence"),
    [
        ({"task": "fly", "data": {"artefact": ARTEFACT}}, "/task", "one of"),
        ({"data": {"artefact": ARTEFACT}}, "/task", "required"),
        ({"task": "train", "target": "y"}, "/data", "required"),
        ({"task": "train", "data": {"artefact": ARTEFACT}}, "/target", "required"),
        ({"task": "predict", "data": {"artefact": ARTEFACT}}, "/model_artefact", "required"),
        ({**TRAIN, "data": {}}, "/data", "Exactly one"),
        ({**TRAIN, "data": {"artefact": ARTEFACT, "rows": [{"y": 1}]}}, "/data", "Exactly one"),
        ({**TRAIN, "data": {"artefact": "../../etc/passwd"}}, "/data/artefact", "Must match"),
        ({**TRAIN, "data": {"artefact": ARTEFACT + "\n"}}, "/data/artefact", "At most 36"),
        ({**TRAIN, "data": {"url": "file:///etc/passwd"}}, "/data/url", "http"),
        ({**TRAIN, "data": {"url": "http://[::1]/"}}, "/data/url", "not public"),
        ({**TRAIN, "data": {"rows": []}}, "/data/rows", "empty"),
        ({**TRAIN, "data": {"rows": [{"y": [1]}]}}, "/data/rows/0/y", "a text, a number"),
        ({**TRAIN, "data": {"rows": [{"y": 1}], "format": "csv"}}, "/data/format", "in the payload"),
        ({**TRAIN, "data": {"artefact": ARTEFACT, "format": "pickle"}}, "/data/format", "one of"),
        ({**TRAIN, "data": {"artefact": ARTEFACT, "format": "json", "delimiter": ";"}}, "/data/delimiter", "csv"),
        ({**TRAIN, "model": "svm"}, "/model", "one of"),
        ({**TRAIN, "model": "linear", "problem": "classification"}, "/problem", "regression only"),
        ({**TRAIN, "parameters": {"C": 1}}, "/parameters/C", "Not a parameter of decision_tree"),
        ({**TRAIN, "parameters": {"n_jobs": 64}}, "/parameters/n_jobs", "no such field"),
        ({**TRAIN, "parameters": {"max_depth": 10**9}}, "/parameters/max_depth", "At most 50"),
        ({**TRAIN, "parameters": {"max_depth": 2.0}}, "/parameters/max_depth", "whole number"),
        ({**TRAIN, "cross_validation": 11}, "/cross_validation", "At most 10"),
        ({**TRAIN, "test_share": 1}, "/test_share", "At most 0.9"),
        ({**TRAIN, "features": ["x", "y"]}, "/features/1", "itself"),
        ({**TRAIN, "problem": "regression", "metrics": ["r2", "accuracy"]}, "/metrics/1", "Not for regression"),
        ({**TRAIN, "model_artefact": MODEL_ARTEFACT}, "/model_artefact", "Not for train"),
        ({**TRAIN, "output": {"probabilities": True}}, "/output/probabilities", "predictions only"),
        ({**TRAIN, "output": {"name": "x\n"}}, "/output/name", "line break"),
        ({**TRAIN, "output": {"name": "../x"}}, "/output/name", "Must match"),
        ({**PREDICT, "target": "y"}, "/target", "Not for predict"),
        ({**PREDICT, "output": {"keep": ["id", "prediction"]}}, "/output/keep/1", "called so"),
        ({**PREDICT, "more": 1}, "/more", "no such field"),
    ],
)
def test_a_payload_that_cannot_be_run_is_refused_by_field(payload: dict[str, Any], pointer: str, sentence: str) -> None:
    found = faults(payload)
    assert pointer in found
    assert sentence in found[pointer]


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        ("csv", b"", "begins with the names"),
        ("csv", b"x,y\n", "no rows"),
        ("csv", b"x,y\n1,2\n1,2,3\n", "Row 2 has 3 values"),
        ("csv", b"x,x,y\n1,2,3\n", "Two columns are called 'x'"),
        ("csv", b"x,,y\n1,2,3\n", "Column 2 has no name"),
        ("csv", b"x,a\x00b,y\n1,2,3\n", "strange characters"),
        ("csv", b"x,y\n\xff\xfe,1\n", "not UTF-8"),
        ("csv", b'x,y\n"1,2\n', "no CSV"),
        ("csv", b"x,y\n" + b"a" * 200_000 + b",1\n", "no CSV"),
        ("csv", b",".join(b"c%d" % n for n in range(1_001)), "1001 columns"),
        ("csv", b"x,z\n1,2\n", "no target 'y'"),
        ("csv", b"x,y\n1,\n2,\n", "no target 'y', or it has no values"),
        ("csv", b"x,y\n1,a\n2,\n", "Fewer than two rows"),
        ("csv", b"x,y\n1,a\n2,a\n", "1 different values"),
        ("csv", b"x,y\n1,a\n2,b\n3,b\n", "The class 'a' has 1 rows"),
        ("csv", b"y\n" + b"1\n2\n" * 10, "no column left"),
        ("csv", b"x,y\n1e300,a\n2,b\n1,a\n2,b\n", "Row 1, column 'x': beyond"),
        ("json", b"{", "no JSON"),
        ("json", b'{"x": 1}', "no list"),
        ("json", b"[1]", "Row 1 is no object"),
        ("json", b'[{"y": 1}, {"y": {"a": 1}}]', "Row 2, column 'y': a list or an object"),
        ("json", b'[{"y": "\\ud800"}]', "no JSON"),
        ("json", b"[" * 100_000, "no JSON"),
        ("json", b"[{}]", "no target 'y'"),
        ("ndjson", b'{"y": 1}\n{"y": \n', "Line 2 is no JSON"),
        ("ndjson", b'{"y": NaN}\n', "no JSON"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(file: str, data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=words):
        answered(tmp_path / "attempt", TRAIN, **{f"data_{file}": data})


def test_a_cell_is_no_longer_whatever_was_read_in_the_process_before(tmp_path: Path) -> None:
    before = csv.field_size_limit(1_000_000)
    try:
        with pytest.raises(BadData, match="no CSV"):
            answered(tmp_path / "attempt", TRAIN, data_csv=b"x,y\n" + b"a" * 200_000 + b",1\n")
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"target": "class", "features": ["x0", "x9"]}, "no column 'x9'"),
        ({"target": "class", "problem": "regression"}, "holds texts"),
        ({"target": "amount", "model": "logistic"}, "different values"),
        ({"target": "amount", "model": "linear", "metrics": ["roc_auc"]}, "cannot be told of regression"),
        ({"target": "class", "model": "linear"}, "holds texts"),
        ({"target": "amount", "problem": "classification"}, "different values"),
        ({"target": "amount", "parameters": {"class_weight": "balanced"}}, "class_weight is for classification"),
        ({"target": "class", "model": "k_neighbours", "parameters": {"n_neighbors": 60}}, "fewer rows"),
        ({"target": "class", "test_share": 0.0001}, "test_share"),
    ],
)
def test_what_the_table_does_not_allow_is_told(payload: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=words):
        answered(
            tmp_path / "attempt",
            {**TRAIN, **payload},
            data_csv=as_csv(plain_table(50 if payload.get("model") == "k_neighbours" else 150)),
        )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x0,x1\n1,2\n", "no column 'x2', 'x3'"),
        (b"x0,x1,x2,x3\n1,2,3,4\n1,2,three,4\n", "Row 2, column 'x2': 'three' is not a number"),
        (b"x0,x1,x2,x3\n1,2,1_0,4\n", "Row 1, column 'x2': '1_0' is not a number"),
        (b"x0,x1,x2,x3\n1,2,inf,4\n", "Row 1, column 'x2'"),
        (b"x0,x1,x2,x3\n1,2,1e31,4\n", "Row 1, column 'x2': beyond"),
    ],
)
def test_rows_to_predict_must_fit_the_model(data: bytes, words: str, tmp_path: Path) -> None:
    table = {name: values for name, values in plain_table(60).items() if name != "class"}
    _, kept = worked(tmp_path / "attempt", {**TRAIN, "target": "amount"}, data_csv=as_csv(table))
    with pytest.raises(BadData, match=words):
        answered(tmp_path / "attempt", PREDICT, model=kept.files["model.zip"], data_csv=data)
    asked = {**PREDICT, "output": {"probabilities": True}}
    with pytest.raises(BadData, match="there are no probabilities"):
        answered(tmp_path / "attempt", asked, model=kept.files["model.zip"], data_csv=as_csv(table))


def test_more_rows_or_values_than_are_allowed_are_refused(tmp_path: Path, settings: Settings) -> None:
    data = as_csv(plain_table(100))
    settings.ML_MAX_ROWS = 99
    with pytest.raises(BadData, match="More than 99 rows"):
        answered(tmp_path / "attempt", {**TRAIN, "target": "class"}, data_csv=data)
    settings.ML_MAX_ROWS, settings.ML_MAX_CELLS = 100, 300
    with pytest.raises(BadData, match="80 rows × 5 columns"):
        answered(tmp_path / "attempt", {**TRAIN, "target": "class"}, data_csv=data)


def test_too_little_memory_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobs.handlers.ml import work as ml_work

    def hungry(context: object) -> dict[str, Any]:
        raise MemoryError

    monkeypatch.setitem(ml_work.TASKS, "train", hungry)
    answer, _ = answered(tmp_path / "attempt", TRAIN)
    assert isinstance(answer, Fail)
    assert answer.error_type == "OutOfMemory"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", " 2.5 ", "", "-1e3", "NA"], "number"),
        ([1, 2.5, None], "number"),
        (["true", "No", ""], "boolean"),
        ([True, None], "boolean"),
        ([True, 1], "category"),
        (["2024-02-29", "2024-02-29T12:00:00+02:00"], "date"),
        (["2024-02-30"], "category"),
        (["1", "one"], "category"),
        (["1_000"], "category"),
        (["inf"], "category"),
        ([10**400], "category"),
        (["20240229"], "number"),
        (["", None], None),
    ],
)
def test_what_a_column_is(cells: list[Any], kind: str | None) -> None:
    assert kind_of(cells, None) == kind


@pytest.mark.parametrize(
    ("data", "name", "content_type", "format"),
    [
        ({}, "a.csv", "application/json", "csv"),
        ({}, "a.JSONL", "", "ndjson"),
        ({}, "download", "application/json; charset=utf-8", "json"),
        ({}, "download", "", "csv"),
        ({"format": "ndjson"}, "a.csv", "text/csv", "ndjson"),
    ],
)
def test_the_format_is_what_it_is_said_to_be(
    data: dict[str, str], name: str, content_type: str, format: str, tmp_path: Path
) -> None:
    assert format_of(data, Input(tmp_path / "data", name, content_type)) == format


def test_where_scikit_learn_is_missing_the_other_types_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(NotInstalled, match="scikit-learn"):
        registry.get("ml").prepare()
    registry.get("ml").preload()
    ready, missing = registry.prepare_installed()
    assert set(ready) == set(registry.performed()) - {"ml"}
    assert len(missing) == 1


def test_the_web_loads_nothing_for_it() -> None:
    """In a process of its own: this one has long loaded all there is."""
    script = (
        "import django, sys; django.setup()\n"
        "from jobs.handlers import registry\n"
        "handler = registry.get('ml'); handler.check(handler.example, {}); handler.prepare()\n"
        "assert not [name for name in sys.modules if name.startswith(('sklearn', 'scipy', 'jobs.handlers.ml.work'))]"
    )
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "smartqueue.settings"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environ, timeout=120)
