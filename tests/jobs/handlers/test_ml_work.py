"""What ml jobs do: their results and files against scikit-learn, trained here on the same rows."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split

from jobs.handlers.ml import work as ml_work
from jobs.handlers.ml.cells import BadData
from tests.jobs.handlers.ml_tools import (
    ARTEFACT,
    MODEL_ARTEFACT,
    answered,
    as_csv,
    from_csv,
    mixed_table,
    plain_table,
    worked,
)

TRAIN = {"task": "train", "data": {"artefact": ARTEFACT}}
PREDICT = {"task": "predict", "data": {"artefact": ARTEFACT}, "model_artefact": MODEL_ARTEFACT}
EVALUATE = {**PREDICT, "task": "evaluate"}
XS = ["x0", "x1", "x2", "x3"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "attempt"


def as_lines(table: dict[str, list[Any]]) -> bytes:
    rows = zip(*table.values(), strict=True)
    return b"".join(json.dumps(dict(zip(table, row, strict=True))).encode() + b"\n" for row in rows)


def test_predictions_are_those_of_scikit_learn(folder: Path) -> None:
    table, new = plain_table(300, 3), plain_table(340, 3)
    payload = {**TRAIN, "target": "class", "features": XS, "model": "random_forest", "seed": 9, "test_share": 0}
    result, kept = worked(folder, payload, data_csv=as_csv(table))
    asked = {**PREDICT, "output": {"name": "out.csv", "probabilities": True}}
    answer, made = worked(folder, asked, model=kept.files["model.zip"], data_csv=as_csv(new))

    model = RandomForestClassifier(max_depth=20, random_state=9)
    model.fit(np.column_stack([table[name] for name in XS]), table["class"])
    x = np.column_stack([new[name] for name in XS])
    rows = from_csv(made.files["out.csv"])
    assert [row["prediction"] for row in rows] == model.predict(x).tolist()
    for number, label in enumerate(model.classes_):
        said = [float(row[f"probability:{label}"]) for row in rows]
        np.testing.assert_allclose(said, model.predict_proba(x)[:, number], rtol=1e-12, atol=1e-15)
    assert result["model_artefact"] == "artefact-1"
    assert result["classes"] == ["class 0", "class 1", "class 2"]
    assert {one["column"]: pytest.approx(one["importance"], abs=1e-6) for one in result["importances"]} == dict(
        zip(XS, model.feature_importances_, strict=True)
    )
    assert (answer["rows"], answer["predictions_artefact"]) == (340, "artefact-1")


def test_folds_and_test_are_scored_as_by_scikit_learn(folder: Path) -> None:
    table = plain_table(200)
    payload = {**TRAIN, "target": "class", "features": XS, "model": "decision_tree", "seed": 4}
    payload |= {"cross_validation": 4, "test_share": 0.25, "parameters": {"max_depth": 3}}
    result, kept = worked(folder, payload, data_csv=as_csv(table))

    from sklearn.tree import DecisionTreeClassifier

    x = np.column_stack([table[name] for name in XS])
    y = np.unique(table["class"], return_inverse=True)[1]
    learning, tested = (
        np.sort(rows) for rows in train_test_split(np.arange(200), test_size=0.25, random_state=4, stratify=y)
    )

    def scored(train: Any, test: Any) -> dict[str, float]:
        model = DecisionTreeClassifier(max_depth=3, random_state=4).fit(x[train], y[train])
        said, chances = model.predict(x[test]), model.predict_proba(x[test])
        return {
            "accuracy": accuracy_score(y[test], said),
            "f1_macro": f1_score(y[test], said, average="macro"),
            "roc_auc": roc_auc_score(y[test], chances[:, 1]),
            "log_loss": log_loss(y[test], chances),
        }

    parts = StratifiedKFold(4, shuffle=True, random_state=4).split(x[learning], y[learning])
    expected = [scored(learning[others], learning[held]) for others, held in parts]
    assert result["cross_validation"]["folds"] == [pytest.approx(one) for one in expected]
    assert result["cross_validation"]["mean"]["accuracy"] == pytest.approx(
        np.mean([one["accuracy"] for one in expected])
    )
    assert result["cross_validation"]["std"]["log_loss"] == pytest.approx(np.std([one["log_loss"] for one in expected]))
    assert result["test"] == pytest.approx(scored(learning, tested))
    assert result["rows"] == 150
    held = {name: [values[row] for row in tested] for name, values in table.items()}
    evaluated, _ = worked(folder, EVALUATE, model=kept.files["model.zip"], data_csv=as_csv(held))
    assert evaluated["metrics"] == result["test"]


def test_numbers_are_scored_as_numbers(folder: Path) -> None:
    table, new = plain_table(200), plain_table(260)
    payload = {**TRAIN, "target": "amount", "features": XS, "test_share": 0, "parameters": {"max_iter": 30}}
    result, kept = worked(folder, payload, data_csv=as_csv(table))
    evaluated, _ = worked(folder, EVALUATE, model=kept.files["model.zip"], data_ndjson=as_lines(new))

    model = HistGradientBoostingRegressor(max_iter=30, max_depth=50, early_stopping=False, random_state=0)
    model.fit(np.column_stack([table[name] for name in XS]), table["amount"])
    said = model.predict(np.column_stack([new[name] for name in XS]))
    assert (result["problem"], result["model"]) == ("regression", "gradient_boosting")
    assert evaluated["metrics"] == pytest.approx(
        {
            "mae": mean_absolute_error(new["amount"], said),
            "rmse": np.mean((np.array(new["amount"]) - said) ** 2) ** 0.5,
            "r2": r2_score(new["amount"], said),
        }
    )


def test_what_is_done_to_columns_is_done_by_hand_here(folder: Path) -> None:
    table = mixed_table(250)
    payload = {**TRAIN, "target": "bought", "features": ["size", "colour", "member", "since"], "model": "logistic"}
    _, kept = worked(folder, {**payload, "test_share": 0}, data_csv=as_csv(table))
    _, made = worked(
        folder, {**PREDICT, "output": {"probabilities": True}}, model=kept.files["model.zip"], data_csv=as_csv(table)
    )

    def numbers(values: list[float]) -> Any:
        filled = np.where(np.isnan(values), np.nanmedian(values), values)
        return (filled - filled.mean()) / filled.std()

    colours = [name for _, name in sorted((-table["colour"].count(one), one) for one in {"red", "green", "blue"})]
    epoch = np.datetime64("1970-01-01")
    x = np.column_stack(
        [
            numbers([float(one) if one != "" else np.nan for one in table["size"]]),
            *([one == colour for one in table["colour"]] for colour in colours),
            [one == "" for one in table["colour"]],
            numbers([{"true": 1.0, "false": 0.0, "": np.nan}[one] for one in table["member"]]),
            numbers([float((np.datetime64(one) - epoch).astype(int)) if one else np.nan for one in table["since"]]),
        ]
    )
    model = LogisticRegression(max_iter=1000).fit(x, table["bought"])
    said = [float(row["probability:yes"]) for row in from_csv(made.files["predictions.csv"])]
    np.testing.assert_allclose(said, model.predict_proba(x)[:, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "kind", ["linear", "ridge", "k_neighbours", "decision_tree", "random_forest", "gradient_boosting"]
)
def test_every_kind_learns_from_columns_of_all_kinds(kind: str, folder: Path) -> None:
    payload = {**TRAIN, "target": "spent", "model": kind, "categorical": ["member"]}
    result, kept = worked(folder, payload, data_csv=as_csv(mixed_table(400)))
    assert result["test"]["r2"] > 0.6
    assert result["columns"] == ["size", "colour", "member", "since", "bought"]
    with zipfile.ZipFile(io.BytesIO(kept.files["model.zip"])) as file:
        kinds = {one["name"]: one["kind"] for one in json.loads(file.read("model.json"))["columns"]}
    assert kinds == {"size": "number", "colour": "category", "member": "category", "since": "date", "bought": "boolean"}


def test_columns_are_found_by_name_whatever_their_order_and_format(folder: Path) -> None:
    table = mixed_table(200)
    _, kept = worked(folder, {**TRAIN, "target": "spent"}, data_csv=as_csv(table))
    model = kept.files["model.zip"]
    turned = {"more": ["?"] * 200, **dict(reversed(table.items()))}
    typed = {
        **turned,
        "size": [float(one) if one != "" else None for one in table["size"]],
        "member": [{"true": True, "false": False, "": None}[one] for one in table["member"]],
    }
    files = [{"data_csv": as_csv(table)}, {"data_csv": as_csv(turned)}, {"data_ndjson": as_lines(typed)}]
    files.append({"data_json": b"[" + b",".join(as_lines(typed).splitlines()) + b"]"})

    made = [worked(folder, PREDICT, model=model, **one)[1].files["predictions.csv"] for one in files]

    assert len(set(made)) == 1


def test_texts_never_seen_before_are_one_and_missing_values_are_filled(folder: Path) -> None:
    _, kept = worked(folder, {**TRAIN, "target": "bought", "model": "logistic"}, data_csv=as_csv(mixed_table()))
    base = {"size": 0.1, "member": True, "since": "2024-05-01", "spent": 2.0}
    rows = [{**base, "colour": "mauve"}, {**base, "colour": "ochre"}, base, {**base, "colour": None}]
    asked = {**PREDICT, "data": {"rows": rows}, "output": {"format": "ndjson", "probabilities": True}}
    _, made = worked(folder, asked, model=kept.files["model.zip"])
    lines = [json.loads(line) for line in made.files["predictions.ndjson"].splitlines()]
    assert lines == [lines[0]] * 4
    assert 0 < lines[0]["probability:yes"] < 1


def test_columns_can_be_kept_beside_the_predictions_and_formulas_are_made_harmless(folder: Path) -> None:
    table = {"x": [1, 2, 3, 4] * 5, "y": ["=A1", "-7", "=A1", "-7"] * 5}
    _, kept = worked(
        folder, {**TRAIN, "target": "y", "model": "decision_tree", "test_share": 0}, data_csv=as_csv(table)
    )
    new = {"note": ["=cmd|' /C calc'!A0", "plain", "-1.5", "+x"], "x": [1, 2, 3, 4], "@n": [1, 2, 3, 4]}
    asked = {**PREDICT, "output": {"keep": ["note", "@n"]}}
    _, made = worked(folder, asked, model=kept.files["model.zip"], data_csv=as_csv(new))
    assert from_csv(made.files["predictions.csv"]) == [
        {"note": "'=cmd|' /C calc'!A0", "'@n": "1", "prediction": "'=A1"},
        {"note": "plain", "'@n": "2", "prediction": "-7"},
        {"note": "-1.5", "'@n": "3", "prediction": "'=A1"},
        {"note": "'+x", "'@n": "4", "prediction": "-7"},
    ]


def test_progress_grows_and_the_table_is_read_in_pieces(folder: Path) -> None:
    payload = {**TRAIN, "target": "class", "cross_validation": 3, "parameters": {"max_iter": 10}}
    _, kept = worked(folder, payload, data_csv=as_csv(plain_table(100)))
    fractions = [part for part, _ in kept.steps]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 20
    assert "fold 2 of 3" in [text for _, text in kept.steps]


def test_a_column_of_names_is_left_out_unless_it_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml_work, "MAX_DIFFERENT", 50)
    table = {"id": [f"row {number}" for number in range(100)], **plain_table(100)}
    payload = {**TRAIN, "target": "class", "model": "decision_tree"}
    result, kept = worked(folder, payload, data_csv=as_csv(table))
    assert result["left_out"] == [{"column": "id", "why": "it has 100 different texts, more than 50"}]
    assert "id" not in result["columns"]
    assert "'id' is left out" in kept.of("log")[0]
    with pytest.raises(BadData, match="'id' cannot be used"):
        answered(folder, {**payload, "features": ["id", "x0"]}, data_csv=as_csv(table))


def test_rows_without_a_target_teach_nothing_and_whole_numbers_are_classes(folder: Path) -> None:
    table = {"x": [1, 2, 3, 4] * 5, "y": [0, 1, "", 1] * 5}
    result, kept = worked(
        folder, {**TRAIN, "target": "y", "model": "decision_tree", "test_share": 0}, data_csv=as_csv(table)
    )
    assert (result["rows"], result["classes"], result["problem"]) == (15, [0, 1], "classification")
    _, made = worked(folder, {**PREDICT, "data": {"rows": [{"x": 2}]}}, model=kept.files["model.zip"])
    assert from_csv(made.files["predictions.csv"]) == [{"prediction": "1"}]


def test_a_class_that_the_model_does_not_know_counts_as_wrong(folder: Path) -> None:
    table = {"x": [1, 2] * 10, "y": ["a", "b"] * 10}
    _, kept = worked(
        folder, {**TRAIN, "target": "y", "model": "decision_tree", "test_share": 0}, data_csv=as_csv(table)
    )
    rows = [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}, {"x": 2, "y": "c"}, {"x": 1, "y": "a"}]
    result, _ = worked(folder, {**EVALUATE, "data": {"rows": rows}}, model=kept.files["model.zip"])
    assert result["metrics"] == {"accuracy": 0.75, "f1_macro": pytest.approx(5 / 9), "roc_auc": None, "log_loss": None}


def test_a_model_that_does_not_settle_says_so(folder: Path) -> None:
    payload = {**TRAIN, "target": "class", "model": "logistic", "parameters": {"max_iter": 1, "C": 1000}}
    _, kept = worked(folder, payload, data_csv=as_csv(plain_table(100, 3)))
    assert any("converge" in line for line in kept.of("log"))
