"""Values of tables that ml jobs read: what a column's are, and what they are as numbers or texts."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs.handlers.base import PermanentFailure

NUMBER, BOOLEAN, DATE, CATEGORY = "number", "boolean", "date", "category"
# Beyond it squares and 32-bit floats are no numbers any more.
MAX_NUMBER = 1e30
MISSING = frozenset([None, "", "NA", "N/A", "na", "NaN", "nan", "NAN", "null", "NULL"])
WORDS = {True: 1.0, False: 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
DAY_SECONDS = 86_400

Cell = Any  # what JSON or CSV has in one place
Floats = npt.NDArray[np.float64]


class BadData(PermanentFailure):
    """The table cannot be used as asked; the message names the row or the column."""


def kind_of(cells: Sequence[Cell], guess: str | None) -> str | None:
    if all(cell in MISSING for cell in cells):
        return None
    for kind in sorted(READERS, key=lambda kind: kind != guess):
        try:
            READERS[kind](cells)
        except ValueError:
            continue
        return kind
    return CATEGORY


def numbers(cells: Sequence[Cell]) -> Floats:
    try:
        # nearly all columns of a CSV file
        found = np.fromiter(map(float, plain(cells)), np.float64, len(cells))
    except (TypeError, ValueError):
        if any(type(cell) is bool for cell in cells):
            raise ValueError from None
        found = np.array([math.nan if cell in MISSING else a_float(cell) for cell in cells])
    if np.isinf(found).any():
        raise ValueError
    return found


def plain(cells: Sequence[Cell]) -> Sequence[str]:
    """Raises TypeError where one is no text, ValueError for what only Python takes for a number."""
    if "_" in "".join(cells):
        raise ValueError
    return cells


def a_float(cell: Cell) -> float:
    if type(cell) is str and "_" in cell:
        raise ValueError
    try:
        return float(cell)
    except OverflowError:
        raise ValueError from None


def booleans(cells: Sequence[Cell]) -> Floats:
    return np.array([math.nan if cell in MISSING else boolean(cell) for cell in cells])


def boolean(cell: Cell) -> float:
    word = cell.lower() if type(cell) is str else cell
    if type(word) not in (bool, str) or word not in WORDS:
        raise ValueError
    return WORDS[word]


def dates(cells: Sequence[Cell]) -> Floats:
    """As days since 1970."""
    return np.array([math.nan if cell in MISSING else days(cell) for cell in cells])


def days(cell: Cell) -> float:
    if type(cell) is not str or cell[4:5] != "-":
        raise ValueError
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() / DAY_SECONDS


def text(cell: Cell) -> str:
    if type(cell) is str:
        # which no result can hold
        return cell.replace("\0", "\ufffd")
    if type(cell) is bool:
        return "true" if cell else "false"
    return str(int(cell)) if type(cell) is float and cell.is_integer() else str(cell)


READERS: Mapping[str, Callable[[Sequence[Cell]], Floats]] = {NUMBER: numbers, BOOLEAN: booleans, DATE: dates}
A = {NUMBER: "a number", BOOLEAN: "true or false", DATE: "a date like 2026-01-31"}
