"""What a worker and the processes of isolated attempts say to each other: JSON lines over a socket."""

import json
import socket
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings

from jobs.handlers.output import READ_BYTES


class Garbled(ValueError):
    """The other side wrote what nobody understands."""


def line_max_bytes() -> int:
    """An answer has its result, of which a byte may be six in JSON, or the text of an error."""
    return 6 * settings.RESULT_MAX_BYTES + 1_000_000


def line(word: Mapping[str, Any]) -> bytes:
    return json.dumps(word).encode() + b"\n"


class Lines:
    """JSON lines from a socket, a file's bytes after the line that announces it."""

    def __init__(self, source: socket.socket, told: Callable[[dict[str, Any], bytes], None]) -> None:
        self.source = source
        self.tell = told
        self.buffer = bytearray()
        # The line whose bytes are still to come.
        self.word: dict[str, Any] | None = None

    def read(self) -> bool:
        """What has come; False at the end."""
        try:
            chunk = self.source.recv(READ_BYTES)
        except ConnectionError:
            chunk = b""
        self.buffer += chunk
        while self.take():
            pass
        return bool(chunk)

    def take(self) -> bool:
        """Tell of what is there whole."""
        if self.word is None:
            end = self.buffer.find(b"\n")
            if end < 0:
                if len(self.buffer) > line_max_bytes():
                    raise Garbled
                return False
            self.word = parsed(self.buffer[:end])
            del self.buffer[: end + 1]
        size = size_after(self.word)
        if len(self.buffer) < size:
            return False
        word, data = self.word, bytes(self.buffer[:size])
        del self.buffer[:size]
        self.word = None
        self.tell(word, data)
        return True


def parsed(text: bytes | bytearray) -> dict[str, Any]:
    try:
        word = json.loads(text)
    except (ValueError, RecursionError):
        word = None
    if not isinstance(word, dict):
        raise Garbled
    return word


def size_after(word: dict[str, Any]) -> int:
    match word:
        case {"artefact": [_, _, int(size)]} if size is not True and 0 <= size <= settings.ARTEFACT_MAX_BYTES:
            return size
        case {"artefact": _}:
            raise Garbled
    return 0
