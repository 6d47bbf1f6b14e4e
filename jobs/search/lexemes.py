"""The words that a job is found by, and what a list of jobs asks of them.

One index answers all filters together: it holds words such as `7qreports`, the organisation 7's queue "reports". A word
is of one organisation, so what others have is not looked through. Values that are hidden where they are shown
(jobs.hiding) make no words.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from jobs.search.language import Member, Search, Value
from jobs.secret_arguments import shown_arguments
from jobs.sensitive import is_sensitive

# Kinds of words: the letter after the organisation's number.
ATTEMPTS, BATCH, CATEGORY = "a", "b", "c"
CORRELATION, CREATOR, HOUR = "x", "o", "h"
ERROR, FINGERPRINT, ID_END = "e", "f", "i"
NAME, NUMBER, QUEUE = "m", "n", "q"
REPLAYED, RUNTIME, STATUS = "r", "l", "s"
TAG, TEXT, TYPE = "g", "w", "t"
URGENCY, VALUE, WORKER = "u", "v", "k"
# Longer values are told apart by their hash.
LONGEST = 48
LONGEST_WORD = 32
WORDS_OF_JOB = 200
# So much of a description or an error is read for words.
TEXT_CHARACTERS = 4_000
VALUES_OF_DOCUMENT = 200
STEPS_OF_DOCUMENT = 20
MOST_ATTEMPTS = 30
# What ended longer ago is not looked for by the hour.
MOST_DAYS = timedelta(days=400)
FINE = 32
LONGEST_RUNTIME_MS = 10**12
WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Document:
    """A job as it is read for its words."""

    org_id: int
    job_id: UUID
    type: str
    queue: str
    name: str
    title: str
    description: str
    payload: Any
    result: Any
    category: str
    urgency: str
    tags: list[str]
    status: str
    life: int
    attempts: int
    runtime_ms: float | None
    finished_at: datetime | None
    creator_id: int | None
    correlation_id: str
    batch_id: UUID | None
    error_type: str
    error: str
    error_fingerprint: str = ""
    workers: list[str] = field(default_factory=list)


def of_document(job: Document) -> list[str]:
    """All words of a job, each once."""
    return sorted({f"{job.org_id}{word}" for word in words_of(job)})


def words_of(job: Document) -> Iterator[str]:
    for kind, value in (
        *((TYPE, job.type), (QUEUE, job.queue), (NAME, job.name), (CATEGORY, job.category), (URGENCY, job.urgency)),
        *((STATUS, job.status), (CORRELATION, job.correlation_id), (ERROR, job.error_type)),
        *((FINGERPRINT, job.error_fingerprint), (BATCH, job.batch_id and job.batch_id.hex)),
        *((CREATOR, job.creator_id and str(job.creator_id)), (REPLAYED, "1" if job.life > 1 else "")),
    ):
        if value:
            yield kind + short(value)
    yield from (TAG + tag for tag in job.tags)
    yield from (WORKER + short(worker) for worker in job.workers)
    yield ATTEMPTS + str(min(job.attempts, MOST_ATTEMPTS))
    yield ID_END + job.job_id.hex[-12:][::-1]
    if job.runtime_ms is not None:
        yield from both(RUNTIME, fine(job.runtime_ms), FINE)
    if job.finished_at is not None:
        yield from both(HOUR, hour(job.finished_at), 24)
    texts = (job.name, job.title, job.error_type, job.description[:TEXT_CHARACTERS], job.error[-TEXT_CHARACTERS:])
    yield from (TEXT + word for word in some_words(texts))
    for root, value in (("payload", job.payload), ("result", job.result)):
        yield from values_of(root, value)


def short(value: str) -> str:
    return value if len(value) <= LONGEST else "#" + digest(value)


def digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()


def both(kind: str, value: int, together: int) -> tuple[str, str]:
    """A number by itself, and as one of so many together: a range is the latter, and the former at its ends."""
    return f"{kind}{value}", f"{kind}:{value // together}"


def fine(runtime_ms: float) -> int:
    """Thirty-second parts of an octave: 2 % more each."""
    return int(FINE * math.log2(max(runtime_ms, 0) + 1))


def hour(moment: datetime) -> int:
    return int(moment.timestamp() // 3600)


def some_words(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for text in texts:
        for word in WORD.findall(text.lower()):
            if len(found) == WORDS_OF_JOB:
                return found
            found.add(word[:LONGEST_WORD])
    return found


# --- Values of payloads and results ---------------------------------------------------------------------------------


def values_of(root: str, document: Any) -> Iterator[str]:
    """A word for each value by the way to it; of lists, for each item by the way to the list."""
    left = VALUES_OF_DOCUMENT
    document = shown_arguments(document) if root == "payload" and isinstance(document, dict) else document
    waiting: list[tuple[tuple[str, ...], Any]] = [((root,), document)]
    while waiting and left:
        path, value = waiting.pop()
        if isinstance(value, dict):
            if len(path) <= STEPS_OF_DOCUMENT:
                inner = [(name, one) for name, one in value.items() if not is_sensitive(name)]
                waiting += [((*path, name), one) for name, one in reversed(inner)]
        elif isinstance(value, list):
            waiting += [(path, one) for one in reversed(value[:left])]
        elif len(path) > 1:
            left -= 1
            yield value_word(path, value)
            if is_number(value):
                yield number_word(path)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def value_word(path: tuple[str, ...], value: Any) -> str:
    return VALUE + digest("\0".join([*path, kept(value)]))


def number_word(path: tuple[str, ...]) -> str:
    return NUMBER + digest("\0".join(path))


def kept(value: Value | int | float) -> str:
    """Typed: 5 and 5.0 are one, 5 and "5" are not."""
    match value:
        case str():
            return "s" + value
        case None | bool():
            return f"c{value}"
    try:
        return f"n{float(value)!r}"
    except OverflowError:
        return f"n{value}"


# --- What is asked --------------------------------------------------------------------------------------------------


def either(org_id: int, words: Iterable[str]) -> str:
    """One of them, as to_tsquery() reads it; a word that ends in a star is the beginning of one."""
    found = [lexeme(org_id, word) for word in words]
    return found[0] if len(found) == 1 else f"({' | '.join(found)})"


def lexeme(org_id: int, word: str) -> str:
    begins = word.endswith("\0")
    text = f"{org_id}{word.rstrip(chr(0))}".replace("\\", "\\\\").replace("'", "''")
    return f"'{text}':*" if begins else f"'{text}'"


def beginning(word: str) -> str:
    return word + "\0"


def of_search(org_id: int, search: Search) -> Iterator[str]:
    """What must all hold of a job that the search finds: it may hold of others too."""
    for text in search.texts:
        yield of_text(org_id, text)
    for member in search.members:
        path = (member.root, *member.path)
        yield either(org_id, [number_word(path) if member.operator else value_word(path, member.value)])


def of_text(org_id: int, text: str) -> str:
    """It begins where a word begins, or is the end of an id or the whole of a correlation id."""
    words = [word[:LONGEST_WORD] for word in WORD.findall(text.lower())]
    choices = [either(org_id, [CORRELATION + short(text)])]
    if words:
        *whole, last = words
        parts = [either(org_id, [TEXT + word]) for word in whole] + [either(org_id, [beginning(TEXT + last)])]
        choices.append(f"({' & '.join(parts)})")
    if re.fullmatch(r"[0-9a-f]{6,12}", text.lower()):
        choices.append(either(org_id, [beginning(ID_END + text.lower()[::-1])]))
    return f"({' | '.join(choices)})"


def ranged(kind: str, first: int, last: int, together: int) -> list[str]:
    """The words of all numbers from the one to the other."""
    if first > last:
        return [kind]
    whole = range(-(-first // together), (last + 1) // together)
    if not whole:
        return [f"{kind}{one}" for one in range(first, last + 1)]
    begin = [f"{kind}{one}" for one in range(first, whole.start * together)]
    end = [f"{kind}{one}" for one in range(whole.stop * together, last + 1)]
    return begin + [f"{kind}:{one}" for one in whole] + end


def hours_between(after: datetime | None, before: datetime | None, now: datetime) -> list[str]:
    """None where they are too many to tell."""
    if after is None or now - after > MOST_DAYS:
        return []
    # what ended this moment, by another clock
    ahead = now + timedelta(hours=1)
    last = min(before or ahead, ahead)
    return ranged(HOUR, hour(after), hour(last), 24)


def counts_between(least: int | None, most: int | None) -> list[str]:
    if least is None and most is None:
        return []
    first, last = min(least or 0, MOST_ATTEMPTS), min(MOST_ATTEMPTS if most is None else most, MOST_ATTEMPTS)
    return [ATTEMPTS + str(one) for one in range(first, last + 1)] or [ATTEMPTS]


def runtimes_between(least: float | None, most: float | None) -> list[str]:
    if least is None and most is None:
        return []
    return ranged(RUNTIME, fine(least or 0), fine(LONGEST_RUNTIME_MS if most is None else most), FINE)


__all__ = ["Document", "Member", "of_document", "of_search"]
