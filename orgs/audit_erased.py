"""Whether what stands for erased entries is what sealed entries `org.erase` say: as many, those ids, these digests."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

ERASE = "org.erase"
COVERS = """
    SELECT id, target, detail ->> 'rows', detail ->> 'ids', detail ->> 'sha256' FROM orgs_auditentry
    WHERE org_id IS NULL AND action = %s AND id > %s AND id <= %s
    ORDER BY id LIMIT 100
"""
COVERED = """
    SELECT count(*)::text, range_agg(int8range(id, id, '[]'))::text,
           encode(sha256(string_agg(digest, ''::bytea ORDER BY id)), 'hex'), min(id)
    FROM orgs_auditerased WHERE org_id = %s AND covered_by = %s
"""
DIFFERENCE = """
    SELECT lower(found - said), lower(said - found)
    FROM (SELECT coalesce(%s, '{}')::int8multirange AS found, %s::int8multirange AS said) AS both_of
"""
ALIVE = "SELECT EXISTS (SELECT FROM orgs_org WHERE id = %s AND erasing_at IS NULL)"
# What else such an entry may say was not written by an erasure.
NUMBER = re.compile(r"\d{1,18}", re.ASCII)
RANGES = re.compile(r"\{\[\d{1,18},\d{1,18}\)(?:,\[\d{1,18},\d{1,18}\))*\}", re.ASCII)


class Covers:
    """The sealed erasures, each held against what stands there for it. Each is some bytes in memory."""

    def __init__(self, add: Callable[..., None]) -> None:
        self.add = add
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(last_id), 0) FROM orgs_auditseal")
            (self.sealed_id,) = cursor.fetchone()
        self.of: dict[int, int] = {}
        for cover, target, *said in self.read():
            if NUMBER.fullmatch(target) and RANGES.fullmatch(said[1] or ""):
                self.of[cover] = int(target)
                self.compare(cover, int(target), said)

    def hold(self, cover: int, org_id: int | None) -> bool:
        return self.of.get(cover) == org_id

    def pending(self, cover: int) -> bool:
        """It waits for its seal: until then its rows are still there."""
        return bool(cover > self.sealed_id)

    def read(self) -> Iterator[tuple[Any, ...]]:
        last = 0
        with connection.cursor() as cursor:
            while True:
                cursor.execute(COVERS, [ERASE, last, self.sealed_id])
                found = cursor.fetchall()
                yield from found
                if not found:
                    return
                last = found[-1][0]

    def compare(self, cover: int, org_id: int, said: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(COVERED, [org_id, cover])
            *found, first = cursor.fetchone()
            cursor.execute(ALIVE, [org_id])
            if cursor.fetchone()[0]:
                self.add("erased", f"rows were erased by {cover}, of organisation {org_id}, which is there", row=first)
            if found == said:
                return
            cursor.execute(DIFFERENCE, [found[1], said[1]])
            more, gone = cursor.fetchone()
        if more is not None:
            self.add("erased", f"what stands for row {more} is not of the erasure {cover} that it names", row=more)
        if gone is not None:
            self.add("erased", f"what stood for row {gone}, erased by {cover}, was deleted", row=gone)
        if more is None and gone is None:
            self.add("erased", f"what stands for rows from {first} on, erased by {cover}, was changed", row=first)
