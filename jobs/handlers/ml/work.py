"""The work of ml jobs, in a process that is shut in: train, evaluate, predict."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from django.conf import settings

from jobs.handlers.base import Context
from jobs.handlers.ml import file as ml_file
from jobs.handlers.ml import fit as ml_fit
from jobs.handlers.ml import target as ml_target
from jobs.handlers.ml.cells import CATEGORY, NUMBER, BadData, Floats
from jobs.handlers.ml.columns import Column, Index, learned, matrix, names_of
from jobs.handlers.ml.file import Model
from jobs.handlers.ml.infer import pieces
from jobs.handlers.ml.output import write_predictions
from jobs.handlers.ml.schema import DEFAULT_KIND, DEFAULTS, FORMATS, KINDS
from jobs.handlers.ml.scores import Scores, apart, chosen_metrics, folds, mean_and_deviation, scores
from jobs.handlers.ml.table import Source, Texts, Values, kinds_of, read

# A column of more different texts says which row it is, not what it is like.
MAX_DIFFERENT = 10_000
MAX_TOLD = 20
DEFAULT_TEST_SHARE = 0.2
# Of the progress: when the table has been read, and when all is trained.
READ, TRAINED = 0.1, 0.9


def source_of(context: Context) -> Source:
    data = context.payload["data"]
    rows = data.get("rows", ())
    paths = {} if rows else {name: context.path(f"data.{name}") for name in FORMATS}
    format, path = next(((name, path) for name, path in paths.items() if path.exists()), ("json", None))
    return Source(path, format, data.get("delimiter", ","), settings.ML_MAX_ROWS, rows, context.check_stopped)


def rounded(importances: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"column": name, "importance": round(value, 6)} for name, value in list(importances.items())[:MAX_TOLD]]


def outputs_of(model: Model, table: Mapping[str, Values], rows: Index, step: Callable[[int], None]) -> Floats:
    """What the model says of these rows; `step` is told how many are done."""
    found = []
    for piece in pieces(len(rows)):
        found.append(model.outputs(matrix(model.columns, table, rows[piece], settings.ML_MAX_CELLS)))
        step(piece.stop)
    return np.concatenate(found)


def counting(context: Context, rows: int) -> Callable[[int], None]:
    def step(done: int) -> None:
        context.progress(READ + (TRAINED - READ) * done / rows, f"row {done} of {rows}")
        context.check_stopped()

    return step


# --- train -----------------------------------------------------------------------------------------------------------


class Training:
    """One train job: the table and what is asked for."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.payload = context.payload
        self.kind: str = self.payload.get("model", DEFAULT_KIND)
        self.seed: int = self.payload.get("seed", 0)
        self.left_out: list[dict[str, str]] = []
        self.kinds, self.table, self.target = self.read()
        self.metrics = chosen_metrics(self.payload.get("metrics", []), self.target.problem)
        # Trainings that are over, and all there will be.
        self.over, self.all = 0, 1 + self.payload.get("cross_validation", 0)

    def read(self) -> tuple[dict[str, str], dict[str, Values], ml_target.Target]:
        source, name = source_of(self.context), self.payload["target"]
        self.context.progress(0.0, "reading")
        kinds = kinds_of(source)
        if name not in kinds:
            raise BadData(f"There is no target {name!r:.210}, or it has no values; there are: {listed(kinds)}.")
        kinds |= {column: CATEGORY for column in self.payload.get("categorical", []) if column in kinds}
        kinds[name] = NUMBER if kinds[name] == NUMBER else CATEGORY
        features = self.payload.get("features") or [column for column in kinds if column != name]
        if missing := [column for column in features if column not in kinds]:
            raise BadData(f"There is no column {listed(missing)}, or it has no values; there are: {listed(kinds)}.")
        self.context.progress(READ / 2, "reading")
        table = read(source, {column: kinds[column] for column in (*features, name)})
        used = {column: kinds[column] for column in features if self.is_usable(column, table[column])}
        self.context.progress(READ, "read")
        return used, table, ml_target.asked_target(table[name], self.payload)

    def is_usable(self, name: str, values: Values) -> bool:
        if not isinstance(values, Texts) or len(values.values) <= MAX_DIFFERENT:
            return True
        why = f"it has {len(values.values)} different texts, more than {MAX_DIFFERENT}"
        if name in self.payload.get("features", []):
            raise BadData(f"The column {name!r} cannot be used: {why}.")
        self.context.log(f"The column {name!r} is left out: {why}.")
        self.left_out.append({"column": name, "why": why})
        return False

    def result(self) -> dict[str, Any]:
        target = self.target
        share = self.payload.get("test_share", 0 if "cross_validation" in self.payload else DEFAULT_TEST_SHARE)
        learning, tested = apart(len(target.rows), share, self.seed, target.truth, target.classes)
        validated = self.cross_validated(learning)
        model = self.trained(learning, "training")
        test = self.tested(model, tested) if len(tested) else None
        path = self.context.path("model.zip")
        ml_file.save(model, path)
        name = self.payload.get("output", {}).get("name", "model.zip")
        return {
            "task": "train",
            "problem": target.problem,
            "model": self.kind,
            "target": self.payload["target"],
            **({"classes": [ml_target.shown(label) for label in target.classes]} if target.classes else {}),
            "rows": len(learning),
            "columns": [column.name for column in model.columns][:100],
            "left_out": self.left_out[:MAX_TOLD],
            "cross_validation": validated,
            "test": test,
            "importances": rounded(model.importances),
            "model_artefact": self.context.artefact_file(name, path, "application/zip"),
        }

    def cross_validated(self, learning: Index) -> dict[str, Any] | None:
        count = self.payload.get("cross_validation")
        if not count:
            return None
        found: list[Scores] = []
        parts = folds(count, self.seed, self.target.truth[learning], self.target.classes)
        for number, (others, held) in enumerate(parts, 1):
            model = self.trained(learning[others], f"fold {number} of {count}")
            found.append(self.tested(model, learning[held]))
        mean, deviation = mean_and_deviation(found, self.metrics)
        return {"folds": found, "mean": mean, "std": deviation}

    def trained(self, rows: Index, what: str) -> Model:
        """A model of these rows, and of what they look like alone."""
        kind, target = KINDS[self.kind], self.target
        places = target.rows[rows]
        columns = learned(self.table, self.kinds, places, scaled=kind.scaled, keep_missing=kind.takes_missing)
        if not columns:
            raise BadData("There is no column left to tell the target from.")
        parameters = {**DEFAULTS.get(self.kind, {}), **self.payload.get("parameters", {})}
        x = matrix(columns, self.table, places, settings.ML_MAX_CELLS)
        fitted = ml_fit.fit(
            ml_fit.Task(
                *(self.kind, target.problem, parameters, self.seed, x, target.truth[rows]),
                step=lambda part: self.step(part, what),
                note=lambda text: self.context.log(f"{what}: {text}"),
                max_bytes=settings.ML_MODEL_MAX_BYTES,
            )
        )
        self.over += 1
        importances = by_column(columns, fitted.importance)
        return Model(
            *(self.kind, target.problem, self.payload["target"], columns, target.classes, parameters),
            *(importances, self.seed, len(rows), fitted.arrays),
        )

    def step(self, part: float, what: str) -> None:
        self.context.progress(READ + (TRAINED - READ) * (self.over + part) / self.all, what)
        self.context.check_stopped()

    def tested(self, model: Model, rows: Index) -> Scores:
        target = self.target
        outputs = outputs_of(model, self.table, target.rows[rows], lambda _: self.context.check_stopped())
        return scores(self.metrics, target.problem, len(target.classes), target.truth[rows], outputs)


def listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(f"{name!r:.210}" for name in list(names)[:MAX_TOLD])


def by_column(columns: Sequence[Column], importance: Floats | None) -> dict[str, float]:
    """Shares of one, the greatest first."""
    if importance is None or not importance.sum() > 0:
        return {}
    found = dict.fromkeys((column.name for column in columns), 0.0)
    for name, value in zip(names_of(columns), (importance / importance.sum()).tolist(), strict=True):
        found[name] += value
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


# --- evaluate, predict -----------------------------------------------------------------------------------------------


def known_model(context: Context) -> Model:
    return ml_file.load(context.path("model"), settings.ML_MODEL_MAX_BYTES)


def evaluated(context: Context) -> dict[str, Any]:
    model = known_model(context)
    metrics = chosen_metrics(context.payload.get("metrics", []), model.problem)
    kinds = {column.name: column.kind for column in model.columns}
    table = read(source_of(context), kinds | {model.target: ml_target.target_kind(model)})
    context.progress(READ, "read")
    target = ml_target.known_target(table[model.target], model)
    outputs = outputs_of(model, table, target.rows, counting(context, len(target.rows)))
    return {
        "task": "evaluate",
        "problem": model.problem,
        "model": model.kind,
        "target": model.target,
        "rows": len(target.rows),
        "metrics": scores(metrics, model.problem, len(model.classes), target.truth, outputs),
        "model_artefact": context.payload["model_artefact"],
    }


def predicted(context: Context) -> dict[str, Any]:
    model = known_model(context)
    asked = context.payload.get("output", {})
    source = source_of(context)
    table = read(source, {column.name: column.kind for column in model.columns})
    context.progress(READ, "read")
    rows = np.arange(count_of(table))
    outputs = outputs_of(model, table, rows, counting(context, len(rows)))
    path = context.path("predictions")
    content_type = write_predictions(path, model, outputs, source, asked)
    name = asked.get("name", f"predictions.{asked.get('format', 'csv')}")
    return {
        "task": "predict",
        "problem": model.problem,
        "model": model.kind,
        "target": model.target,
        "rows": len(rows),
        "model_artefact": context.payload["model_artefact"],
        "predictions_artefact": context.artefact_file(name, path, content_type),
    }


def count_of(table: Mapping[str, Values]) -> int:
    values = next(iter(table.values()))
    return len(values.codes if isinstance(values, Texts) else values)


TASKS = {"train": lambda context: Training(context).result(), "evaluate": evaluated, "predict": predicted}
