"""A program's output as it comes: lines for the log, and its beginning and end for the result."""

import codecs
from collections.abc import Callable

from jobs.handlers.results import json_bytes
from jobs.strict_json import UNSTORABLE

READ_BYTES = 65_536
# A line that does not end is shown in pieces.
LINE_MAX_CHARACTERS = 4_000


class Output:
    """One stream. It keeps the first and the last half of `limit` bytes; lines are shown for the first half only."""

    def __init__(self, limit: int, show: Callable[[str], None]) -> None:
        self.half = limit // 2
        self.show = show
        self.head = bytearray()
        self.tail = bytearray()
        self.total = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""

    def feed(self, chunk: bytes) -> None:
        self.total += len(chunk)
        fits = chunk[: max(self.half - len(self.head), 0)]
        self.head += fits
        self.tail += chunk[len(fits) :]
        del self.tail[: max(len(self.tail) - self.half, 0)]
        if fits:
            self.show_lines(self._decoder.decode(fits))
        elif self._line:
            self.end()

    def show_lines(self, text: str) -> None:
        *lines, self._line = (self._line + text).split("\n")
        if len(self._line) > LINE_MAX_CHARACTERS:
            lines, self._line = [*lines, self._line], ""
        if lines:
            self.show("\n".join(lines))

    def end(self) -> None:
        """Show what was left of a line."""
        if self._line:
            self.show(self._line)
        self._line = ""

    @property
    def left_out(self) -> int:
        return self.total - len(self.head) - len(self.tail)

    def text(self, max_json_bytes: int) -> tuple[str, bool]:
        """What is kept, within so many bytes of JSON, and whether something is missing."""
        if not self.left_out:
            whole = storable(bytes(self.head + self.tail))
            if json_bytes(whole) <= max_json_bytes:
                return whole, False
        head, tail = storable(bytes(self.head)), storable(bytes(self.tail))
        while True:
            mark = f"\n… {self.total - len(head.encode()) - len(tail.encode())} bytes left out …\n"
            text = f"{head}{mark}{tail}"
            if (size := json_bytes(text)) <= max_json_bytes or not (head or tail):
                return text, True
            # Control characters grow sixfold in JSON.
            keep = 0.95 * max_json_bytes / size
            head, tail = head[: int(len(head) * keep)], tail[len(tail) - int(len(tail) * keep) :]


def storable(data: bytes) -> str:
    return UNSTORABLE.sub("\ufffd", data.decode("utf-8", "replace"))
