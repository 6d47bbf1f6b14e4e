"""What a model does to a table before it looks at it, learned from the rows it is trained on, and kept with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jobs.handlers.ml.cells import CATEGORY, BadData, Floats
from jobs.handlers.ml.table import Texts, Values

# The most frequent texts of a column are told apart; all others are one.
MAX_CATEGORIES = 50
MAX_CATEGORY = 500
Index = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: one of the matrix, or, of texts, one for each that is known and one for the rest."""

    name: str
    kind: str
    # What stands for a missing number; None: it stays missing.
    fill: float | None = None
    shift: float = 0.0
    scale: float = 1.0
    categories: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        return len(self.categories) + 1 if self.kind == CATEGORY else 1


def learned(
    table: Mapping[str, Values], kinds: Mapping[str, str], rows: Index, *, scaled: bool, keep_missing: bool
) -> list[Column]:
    """Of these rows of a table; a column that has no value in them is left out."""
    columns = []
    for name, kind in kinds.items():
        values = table[name]
        if isinstance(values, Texts):
            if frequent := most_frequent(values, rows):
                columns.append(Column(name, kind, categories=frequent))
        elif not np.isnan(part := values[rows]).all():
            columns.append(learned_number(name, kind, part, scaled=scaled, keep_missing=keep_missing))
    return columns


def most_frequent(texts: Texts, rows: Index) -> list[str]:
    codes = texts.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(texts.values)).tolist()
    there = [n for n, count in enumerate(counts) if count and len(texts.values[n]) <= MAX_CATEGORY]
    there.sort(key=lambda number: (-counts[number], texts.values[number]))
    return [texts.values[number] for number in there[:MAX_CATEGORIES]]


def learned_number(name: str, kind: str, values: Floats, *, scaled: bool, keep_missing: bool) -> Column:
    if keep_missing:
        return Column(name, kind)
    fill = float(np.nanmedian(values))
    if not scaled:
        return Column(name, kind, fill)
    filled = np.where(np.isnan(values), fill, values)
    return Column(name, kind, fill, float(filled.mean()), float(filled.std()) or 1.0)


def width_of(columns: Sequence[Column]) -> int:
    return sum(column.width for column in columns)


def names_of(columns: Sequence[Column]) -> list[str]:
    """Of each column of the matrix the name of the one it comes from."""
    return [column.name for column in columns for _ in range(column.width)]


def matrix(columns: Sequence[Column], table: Mapping[str, Values], rows: Index, max_cells: int) -> Floats:
    """What a model is given of these rows. Raises BadData where it would be too large."""
    count, width = len(rows), width_of(columns)
    if count * width > max_cells:
        raise BadData(
            f"{count} rows × {width} columns (each frequent text of a column is one) are more than {max_cells} values."
        )
    found = np.zeros((count, width))
    at = 0
    for column in columns:
        values = table[column.name]
        if isinstance(values, Texts):
            found[np.arange(count), at + places(column, values)[values.codes[rows]]] = 1.0
        else:
            part = values[rows]
            filled = part if column.fill is None else np.where(np.isnan(part), column.fill, part)
            found[:, at] = (filled - column.shift) / column.scale
        at += column.width
    return found


def places(column: Column, texts: Texts) -> Index:
    """By code where in the column's part of the matrix its text stands; the last is for -1."""
    known = {value: number for number, value in enumerate(column.categories)}
    rest = len(column.categories)
    return np.array([*(known.get(value, rest) for value in texts.values), rest], dtype=np.intp)
