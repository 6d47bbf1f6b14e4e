"""Tables that ml jobs read: CSV, JSON and lines of JSON into columns, piece by piece; a fault names its place."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from jobs.handlers.ml.cells import CATEGORY, MAX_NUMBER, MISSING, READERS, A, BadData, Cell, Floats, kind_of, text

PIECE_ROWS = 5_000
CELL_MAX_CHARACTERS = 131_072
MAX_COLUMNS, MAX_NAME = 1_000, 200

Piece = Mapping[str, Sequence[Cell]]


@dataclass(slots=True)
class Texts:
    """A column of texts: each row's place in the list of different ones, -1 where there is none."""

    codes: npt.NDArray[np.int32]
    values: list[str]


Values = Floats | Texts


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table's rows come from: a file of one of the formats, or rows that are here already."""

    path: Path | None
    format: str
    delimiter: str
    max_rows: int
    rows: Sequence[Mapping[str, Cell]] = ()
    # Called after each piece, so that a long read can be stopped.
    pulse: Callable[[], None] = lambda: None

    def pieces(self) -> Iterator[tuple[int, Piece]]:
        """The number of the first row (from 1), and the columns of some rows from there on."""
        first = 1
        for piece in self.read():
            count = len(next(iter(piece.values()))) if piece else 0
            if first + count - 1 > self.max_rows:
                raise BadData(f"More than {self.max_rows} rows.")
            yield first, piece
            first += count
            self.pulse()
        if first == 1:
            raise BadData("There are no rows.")

    def read(self) -> Iterator[Piece]:
        if self.path is None:
            return by_columns(iter(self.rows))
        if self.format == "csv":
            return csv_pieces(self.path, self.delimiter)
        return by_columns(json_rows(self.path) if self.format == "json" else line_rows(self.path))


def csv_pieces(path: Path, delimiter: str) -> Iterator[Piece]:
    # of the process: whoever read CSV in it before may have set another
    csv.field_size_limit(CELL_MAX_CHARACTERS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=delimiter, strict=True)
            names = next(lines, [])
            check_names(names)
            first = 1
            while rows := list(islice((row for row in lines if row), PIECE_ROWS)):
                check_widths(rows, len(names), first)
                yield dict(zip(names, zip(*rows, strict=True), strict=True))
                first += len(rows)
    except UnicodeDecodeError as error:
        raise BadData(f"The file is not UTF-8: {error.reason} at byte {error.start}.") from None
    except csv.Error as error:
        raise BadData(f"The file is no CSV at line {lines.line_num}: {error}.") from None


def check_names(names: Sequence[str]) -> None:
    if not names:
        raise BadData("The file is empty: a CSV file begins with the names of its columns.")
    if len(names) > MAX_COLUMNS:
        raise BadData(f"{len(names)} columns; at most {MAX_COLUMNS} are possible.")
    for number, name in enumerate(names, 1):
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise BadData(f"Column {number} has no name, or one of more than {MAX_NAME} or of strange characters.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadData(f"Two columns are called {twice!r}.")


def check_widths(rows: Sequence[Sequence[str]], width: int, first: int) -> None:
    for number, row in enumerate(rows, first):
        if len(row) != width:
            raise BadData(f"Row {number} has {len(row)} values, and there are {width} columns.")


def json_rows(path: Path) -> Iterator[Any]:
    found = parsed(path.read_bytes(), "The file")
    if not isinstance(found, list):
        raise BadData("The file is no list of objects.")
    yield from found


def line_rows(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield parsed(line, f"Line {number}")


def parsed(data: bytes, what: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "memory" in error.msg:
            raise MemoryError from None
        raise BadData(f"{what} is no JSON: {error.msg}.") from None


def by_columns(rows: Iterator[Any]) -> Iterator[Piece]:
    """A name that a row lacks is a missing value there."""
    first = 1
    while some := list(islice(rows, PIECE_ROWS)):
        names: dict[str, None] = {}
        for number, row in enumerate(some, first):
            if not isinstance(row, dict):
                raise BadData(f"Row {number} is no object.")
            names |= dict.fromkeys(row)
            if len(names) > MAX_COLUMNS:
                raise BadData(f"More than {MAX_COLUMNS} columns, the newest in row {number}.")
        if names:
            check_names(list(names))
        yield {name: [row.get(name) for row in some] for name in names} or {"": [None] * len(some)}
        first += len(some)


# --- what a column is ------------------------------------------------------------------------------------------------


def kinds_of(source: Source) -> dict[str, str]:
    """Of each column what its values are; a column without any is left out."""
    kinds: dict[str, str | None] = {}
    for first, piece in source.pieces():
        for name, cells in piece.items():
            known = kinds.get(name)
            if known == CATEGORY:
                continue
            try:
                kind = kind_of(cells, known)
            except TypeError:
                raise no_cell(name, cells, first) from None
            kinds[name] = known if kind is None else kind if known in (None, kind) else CATEGORY
    return {name: kind for name, kind in kinds.items() if name and kind}


def no_cell(name: str, cells: Sequence[Cell], first: int) -> BadData:
    number = next((n for n, cell in enumerate(cells, first) if isinstance(cell, list | dict)), first)
    return BadData(f"Row {number}, column {name!r}: a list or an object is no value here.")


# --- reading ---------------------------------------------------------------------------------------------------------


def read(source: Source, kinds: Mapping[str, str]) -> dict[str, Values]:
    """These columns, as what they are said to be. Raises BadData where one is missing or holds something else."""
    parts: dict[str, list[Any]] = {name: [] for name in kinds}
    places: dict[str, dict[str, int]] = {name: {} for name, kind in kinds.items() if kind == CATEGORY}
    seen: set[str] = set()
    for first, piece in source.pieces():
        seen |= piece.keys()
        for name, kind in kinds.items():
            cells = piece.get(name) or [None] * len(next(iter(piece.values())))
            if kind == CATEGORY:
                parts[name].append(codes(cells, places[name], name, first))
            else:
                parts[name].append(converted(cells, kind, name, first))
    check_there(kinds, seen)
    return {
        name: Texts(np.concatenate(part), list(places[name])) if name in places else np.concatenate(part)
        for name, part in parts.items()
    }


def check_there(names: Mapping[str, str], seen: set[str]) -> None:
    if missing := [name for name in names if name not in seen]:
        there = ", ".join(map(repr, sorted(seen)[:30]))
        raise BadData(f"There is no column {', '.join(map(repr, missing[:10]))}; there are: {there}.")


def codes(cells: Sequence[Cell], places: dict[str, int], name: str, first: int) -> npt.NDArray[np.int32]:
    try:
        return np.array(
            [-1 if cell in MISSING else places.setdefault(text(cell), len(places)) for cell in cells], dtype=np.int32
        )
    except TypeError:
        raise no_cell(name, cells, first) from None


def converted(cells: Sequence[Cell], kind: str, name: str, first: int) -> Floats:
    reader = READERS[kind]
    try:
        found = reader(cells)
    except TypeError:
        raise no_cell(name, cells, first) from None
    except ValueError:
        number, cell = next((n, cell) for n, cell in enumerate(cells, first) if not fits(cell, reader))
        raise BadData(f"Row {number}, column {name!r}: {cell!r:.80} is not {A[kind]}.") from None
    if (far := np.abs(found) > MAX_NUMBER).any():
        raise BadData(f"Row {first + int(far.argmax())}, column {name!r}: beyond {MAX_NUMBER:g}.")
    return found


def fits(cell: Cell, reader: Callable[[Sequence[Cell]], Floats]) -> bool:
    try:
        reader([cell])
    except ValueError:
        return False
    return True
