"""Rows of an etl job that do not fit: counted, named by line and reason, and dropped, kept apart, or the job's end."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from jobs.handlers.base import Context

SHOWN = 20
FILE = "bad-rows.ndjson"
RAW_CHARACTERS = 10_000
# What stands for bytes that were no UTF-8.
HALF = re.compile("[\ud800-\udfff]")


class BadRows(Exception):
    """There are some, and the payload says that the job fails then."""


@dataclass
class Bad:
    """All of one attempt."""

    context: Context
    policy: str
    count: int = 0
    shown: list[dict[str, Any]] = field(default_factory=list)
    file: IO[str] | None = None

    def note(self, line: int | None, reason: str, raw: Any, place: str) -> None:
        """One row; `place` says which file or step, where that is not the source."""
        self.count += 1
        one = {"line": line, "reason": reason[:300], **({"in": place} if place else {})}
        if len(self.shown) < SHOWN:
            self.shown.append(one)
        elif self.policy == "fail":
            raise BadRows
        if self.policy == "keep":
            self.write({**one, "row": raw[:RAW_CHARACTERS] if isinstance(raw, str) else raw})

    def more(self, count: int) -> None:
        """Rows that are only counted."""
        self.count += count

    def judge(self) -> None:
        """At the end of each look. Raises BadRows when any is too many."""
        if self.policy == "fail" and self.count:
            raise BadRows

    @property
    def wanted(self) -> int | None:
        """How many need to be noted; None for all."""
        return None if self.policy == "keep" else SHOWN

    def write(self, one: Mapping[str, Any]) -> None:
        if self.file is None:
            self.file = self.context.path(FILE).open("w", encoding="utf-8")
        self.file.write(HALF.sub("\ufffd", json.dumps(one, ensure_ascii=False, default=str)) + "\n")

    def told(self) -> dict[str, Any]:
        return {"count": self.count, "first": self.shown}

    def sentence(self) -> str:
        first = self.shown[0]
        where = f"line {first['line']}" if first["line"] is not None else "a row"
        return f"{first['in']}: {where}: {first['reason']}" if "in" in first else f"{where}: {first['reason']}"

    def kept(self) -> str | None:
        """The artefact's id."""
        if self.file is None:
            return None
        self.file.close()
        return self.context.artefact_file(FILE, self.context.path(FILE), "application/x-ndjson")
