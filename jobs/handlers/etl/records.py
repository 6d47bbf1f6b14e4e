"""Files of tenants, read record by record with the standard library: strictly, exactly, and never more than a record
in memory. For JSON, and for CSV that the engine's own reader refuses."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from jobs.handlers.base import PermanentFailure
from jobs.strict_json import MAX_DEPTH, MAX_NUMBER_CHARACTERS, NotStrict, check_depth, check_text

RECORD_MAX_CHARACTERS = 1_000_000
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
WHITE = re.compile(r"[ \t\r\n]*")


class Digits(str):
    """A number of a JSON text, as it was written."""


class Record(NamedTuple):
    """One of a file, by its line; either its value or what is wrong with it."""

    line: int
    value: Any
    fault: str = ""


def unpack(path: Path, encoding: str, max_bytes: int) -> Path:
    """The same file, or a copy: not packed, in UTF-8, without a mark at its beginning. Raises PermanentFailure."""
    with path.open("rb") as file:
        head = file.read(3)
    if not head.startswith((GZIP, BOM)) and encoding == "utf-8":
        return path
    plain = path.with_name(f"{path.name}.plain")
    count = 0
    try:
        with (gzip.open if head.startswith(GZIP) else open)(path, "rb") as source, plain.open("wb") as target:
            while piece := source.read(CHUNK):
                count += len(piece)
                if count > max_bytes:
                    raise PermanentFailure(f"Unpacked it has more than {max_bytes} bytes.")
                if count == len(piece) and encoding == "utf-8":
                    piece = piece.removeprefix(BOM)
                target.write(piece if encoding == "utf-8" else piece.decode(encoding).encode())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PermanentFailure(f"The file is not whole: {error}.") from None
    return plain


class Lines:
    """The lines of a file with their ends. Raises NotStrict for one that is too long, and goes on after it."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.number = 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self.file.readline(RECORD_MAX_CHARACTERS + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) <= RECORD_MAX_CHARACTERS or line.endswith(("\n", "\r")):
            return line
        while (rest := self.file.readline(CHUNK)) and not rest.endswith(("\n", "\r")):
            pass
        raise NotStrict(f"the line has more than {RECORD_MAX_CHARACTERS} characters")


def opened(path: Path) -> IO[str]:
    """What is no UTF-8 is seen in the record that has it, not here."""
    return io.open(path, encoding="utf-8", errors="surrogateescape", newline="")  # noqa: UP020 its newline


def csv_records(path: Path, delimiter: str) -> Iterator[Record]:
    """Lists of cells; blank lines are none of a file with several columns."""
    csv.field_size_limit(RECORD_MAX_CHARACTERS)
    with opened(path) as file:
        lines = Lines(file)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            at = lines.number + 1
            try:
                yield Record(at, next(reader))
            except StopIteration:
                return
            except (csv.Error, NotStrict) as error:
                yield Record(at, None, str(error))


def ndjson_records(path: Path) -> Iterator[Record]:
    with opened(path) as file:
        lines = Lines(file)
        while True:
            at = lines.number + 1
            try:
                text = next(lines)
                if text.strip():
                    yield Record(at, value_of(text))
            except StopIteration:
                return
            except NotStrict as error:
                yield Record(at, None, str(error))


def json_records(path: Path) -> Iterator[Record]:
    """The items of the one list that the file is, by their numbers. Raises PermanentFailure where it breaks."""
    with opened(path) as file:
        text = Piecewise(file)
        if text.next_sign() != "[":
            raise PermanentFailure("The file is no JSON list.")
        text.skip()
        number = 0
        while (sign := text.next_sign()) != "]":
            if number:
                if sign != ",":
                    raise PermanentFailure(f"The list breaks off after item {number}.")
                text.skip()
                text.next_sign()
            number += 1
            yield text.item(number)


class Piecewise:
    """A text of which only so much is in memory as the next item needs."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.text = ""
        self.at = 0
        self.faults: list[str] = []
        self.decoder = decoder(self.faults)

    def more(self) -> bool:
        piece = self.file.read(CHUNK)
        self.text, self.at = self.text[self.at :] + piece, 0
        return bool(piece)

    def next_sign(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            found = WHITE.match(self.text, self.at)
            assert found is not None
            self.at = found.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def skip(self) -> None:
        self.at += 1

    def item(self, number: int) -> Record:
        while True:
            self.faults.clear()
            try:
                value, end = self.decoder.raw_decode(self.text, self.at)
                # a number may go on in the next piece
                if end == len(self.text) and self.more():
                    continue
                piece, self.at = self.text[self.at : end], end
            except (ValueError, RecursionError) as error:
                if len(self.text) - self.at > RECORD_MAX_CHARACTERS or not self.more():
                    raise PermanentFailure(f"Item {number} is no JSON, or too long: {str(error)[:200]}.") from None
                continue
            try:
                if self.faults:
                    raise NotStrict(self.faults[0])
                check_depth(piece)
                check_text(value)
            except NotStrict as error:
                return Record(number, piece, str(error))
            return Record(number, value)


def value_of(text: str) -> Any:
    """Numbers as Digits. Raises NotStrict."""
    check_depth(text)
    faults: list[str] = []
    try:
        value = decoder(faults).decode(text)
    except ValueError as error:
        raise NotStrict(str(error)) from error
    if faults:
        raise NotStrict(faults[0])
    check_text(value)
    return value


def decoder(faults: list[str]) -> json.JSONDecoder:
    """Reads what is not strict too, so that its end is known, and says so."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(value := dict(found)) != len(found):
            faults.append("a key appears twice in one object")
        return value

    def digits(text: str) -> Digits:
        if len(text) > MAX_NUMBER_CHARACTERS or float(text) in (float("inf"), float("-inf")):
            faults.append("a number is out of range")
        return Digits(text)

    def constant(word: str) -> None:
        faults.append(f"{word} is not a JSON number")

    return json.JSONDecoder(object_pairs_hook=pairs, parse_float=digits, parse_int=digits, parse_constant=constant)


def written(value: Any, depth: int = 0) -> str:
    """JSON again, its numbers as they were."""
    match value:
        case Digits():
            return str(value)
        case dict() if depth < MAX_DEPTH:
            return "{" + ",".join(f"{json.dumps(key)}:{written(each, depth + 1)}" for key, each in value.items()) + "}"
        case list() if depth < MAX_DEPTH:
            return "[" + ",".join(written(each, depth + 1) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)
