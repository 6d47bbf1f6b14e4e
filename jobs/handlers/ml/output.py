"""The file of an ml job's predictions: a row for each row that was read, in the same order."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import orjson

from jobs.handlers.ml.cells import BadData, Cell, Floats
from jobs.handlers.ml.file import Model
from jobs.handlers.ml.infer import pieces
from jobs.handlers.ml.schema import PREDICTION, PROBABILITY
from jobs.handlers.ml.table import Source
from jobs.handlers.ml.target import shown

# A cell that begins so is a formula to programs that open CSV files; a number may begin with a sign.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def write_predictions(path: Path, model: Model, outputs: Floats, source: Source, asked: Mapping[str, Any]) -> str:
    """Returns the content type."""
    keep = asked.get("keep", [])
    names = [*keep, PREDICTION]
    if asked.get("probabilities"):
        if not model.classifies:
            raise BadData("The model says numbers: there are no probabilities.")
        names += [f"{PROBABILITY}{shown(label)}" for label in model.classes]
    rows = kept_and_said(model, outputs, source, keep, with_outputs=len(names) > len(keep) + 1)
    if asked.get("format", "csv") == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(file, names, rows)
        return "text/csv; charset=utf-8"
    with path.open("wb") as lines:
        for row in rows:
            lines.write(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n")
    return "application/x-ndjson"


def kept_and_said(
    model: Model, outputs: Floats, source: Source, keep: Sequence[str], *, with_outputs: bool
) -> Iterator[list[Cell]]:
    for part, columns in kept(source, keep, len(outputs)):
        said = outputs[part]
        labels: list[Any] = (
            [shown(model.classes[number]) for number in said.argmax(axis=1)]
            if model.classifies
            else said[:, 0].tolist()
        )
        for number, (label, numbers) in enumerate(zip(labels, said.tolist(), strict=True)):
            yield [*(column[number] for column in columns), label, *(numbers if with_outputs else ())]


def kept(source: Source, keep: Sequence[str], count: int) -> Iterator[tuple[slice, list[Sequence[Cell]]]]:
    """Some rows at a time, and of them the columns that stand beside the predictions."""
    if not keep:
        yield from ((part, []) for part in pieces(count))
        return
    seen: set[str] = set()
    for first, piece in source.pieces():
        size = len(next(iter(piece.values())))
        seen |= piece.keys()
        yield slice(first - 1, first - 1 + size), [piece.get(name) or [None] * size for name in keep]
    if missing := [name for name in keep if name not in seen]:
        raise BadData(f"There is no column {', '.join(map(repr, missing))} to keep.")


def write_csv(file: IO[str], names: Sequence[str], rows: Iterator[list[Cell]]) -> None:
    lines = csv.writer(file)
    lines.writerow(map(harmless, names))
    lines.writerows(map(harmless, row) for row in rows)


def harmless(cell: Cell) -> Cell:
    if type(cell) is not str or not cell.startswith(FORMULA) or is_number(cell):
        return cell
    return f"'{cell}"


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
